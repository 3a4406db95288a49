"""Where and on what. The operating system's files and clocks come in; facts, readings and processes leave.

clock       readings of a block, what the kernel saw it wait, where a run's own time goes
identity    a machine's fingerprint, and where on it a pass was measured
machine     what machine and software this was; cores pinned, numerics fixed
missing     a package that is not installed, as a line that says what to do
process     worker processes: started, told, listened to, ended with all that they started
"""

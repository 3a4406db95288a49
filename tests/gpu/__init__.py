"""All that is to be looked at on a GPU, in order of use and with a bound on everything: `python3 -m tests.gpu --help`.

Time on a GPU is short, so nothing is typed there. A part is a list of commands, each a process of its own with a limit
of seconds. Who takes longer is killed with all its children, whatever they wait for: a kernel that spins ends with its
process, and has a bound of its own besides. Each command's words go straight into a file, and what became of it is a
line of `steps.jsonl` as soon as it has ended, so that what is cut off loses nothing that was there.

bounded     one command with its limit
parts       what is run, in which order
versions    what there is: torch, CUDA, the GPU
parity      every implementation, network, dtype and mode against the float64 reference, small sizes first
variants    microseconds a step: rows, warps, barrier and precision of the kernels, from graph replays
timing      the clock of that: on a GPU by events around replays
gating      the gate on unchanged code and with 5 % planted; repeats of a run, and a ratio known by construction
parsing     a command of `python -m bench` looked through, not run

`--dry` does all of it on the CPU, in sizes that mean nothing: the kernels in Triton's interpreter.
"""

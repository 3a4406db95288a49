"""What is run. Options as typed come in; Cases and Settings leave, which everything after this speaks of.

case        a Case: network, sizes, mode, threads; its id, which sorts and parses
lengths     how long each sequence of a ragged batch is
words       a Case as people say it, and what sets some cases apart
grid        what a preset is made of: axes -> values, and the Cases that follow
others      presets that follow benchmarks of others
presets     named, documented sets of Cases: the suite's own, and those of others
axes        the options of the command line that stand for an axis
settings    what a run was asked to do, and the cells that follow: Case x implementation
"""

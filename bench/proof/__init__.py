"""The suite measuring itself: `python -m bench accuracy` and `trust`. A machine comes in; tables leave of how often an
interval holds the truth, how much repeats vary, and how often the gate is wrong.

accuracy    the first command: are the numbers right? Table, picture, JSON
simulation  simulated runs of a known truth, through the suite's own alternation, passes and intervals
truths      the same call made 20, 21 and 40 times, whose ratios are known by construction
repeats     a sitting: fresh repeats of this suite and its peers, in turn
trust       the second command: is the gate right? Table, picture, JSON
runs        a sitting: live gate runs of every kind, with a slowdown planted in some
resample    many gate runs made of the recorded pairs
rates       how many of them failed, or were wrong, with bounds
accounts    what both found, for a terminal
peers       torch.utils.benchmark and plain pytest-benchmark
large       a large merged run, generated, and what it costs to load and to report
neighbour   a noisy neighbour, planted
alarms      how often a history cries wolf, and what it finds: `make alarms`; table, picture, JSON
unchanged   recorded series in which nothing changed
labelled    another project's series whose changes are known

What counts for accuracy is the coefficient of variation of the speed-up over fresh repeats: what somebody who runs the
benchmark again tomorrow would see. All methods get the same wall time, start-up included, the same core and one thread,
and take turns, so that all meet the same weather. Beside it stands what is left at one speed of the machine: a virtual
one slows down as a whole when its host gets busy, and interpreted code slows more than products, so that the true
speed-up itself moves.
"""

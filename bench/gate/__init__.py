"""The gate: did this change make it slower? Two sides come in, a tree or a stored run each; an Outcome leaves.

sides          what is held against what: a tree, an interpreter
worktree       a commit's tree in a folder of its own, for a while
comparable     which cells both sides have, by a survey of both, and why others can't be compared
pair           one fresh pair of processes, their blocks in turn
pairs          the gate: a survey, then each meter asked for
exact          what is counted: anything that rose, confirmed by a second process of each side
first_results  pairs of first results
pursuit        pair after pair, until all is decided or the budget is spent
judge          verdicts by pairs, and the error that looking again costs
saved          the same of two saved runs
against        of a stored run and the working tree
bisection      which commit it was: gates of one cell between the commits around a change

The Outcome itself, verdicts and exit code, is `bench.table.outcome`; `bench.report.verdicts` words it.
"""

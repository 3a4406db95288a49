"""The gate: did this change make it slower? Two sides measured in alternation, and a verdict that accounts for it.

In: two trees, interpreters or saved runs. Out: an `Outcome` of `bench.table`, a verdict on each cell.

sides.py       what is held against what: a tree, an interpreter       worktree.py   a commit's tree, for a while
comparable.py  both sides surveyed, and what they have in common
pair.py        one fresh pair of processes                             pairs.py      pair after pair, the budget
judge.py       verdicts, and the error that looking again costs
saved.py       the same of two saved runs                              against.py    of a stored run and this tree
"""

"""The gate: did this change make it slower? Two sides measured in alternation, and a verdict that accounts for it.

sides.py       what is held against what: a tree, an interpreter       worktree.py   a commit's tree, for a while
survey.py      both sides, cell by cell                                comparable.py what they have in common
pair.py        one fresh pair of processes                             contest.py    pair after pair, the budget
judge.py       verdicts, and the error that looking again costs        conclusion.py what it would take
saved.py       the same of two saved runs                              against.py    of a stored run and this tree
outcome.py     what came of it, and the exit code                      show.py, export.py   for people, for programs
"""

"""The gate: did this change make it slower? Two sides measured in alternation, and a verdict that accounts for it.

sides.py      what is compared with what: a tree, an interpreter       worktree.py   a commit's tree, for a while
survey.py     what can be compared at all                              pair.py       one fresh pair of processes
judge.py      verdicts, and the error that looking again costs         contest.py    pairs, looks, the budget
saved.py      the same of two saved runs                               show.py       for people, for GitHub, as JSON
"""

"""Runs over commits: folders of runs or of their summaries come in; a series for each cell, and its changes, leave.

summary     a run as one small file, which a git branch can hold thousands of
series      summaries in order -> a series of each cell on each machine and software
moods       what all cells of a machine share from run to run, taken off
shifts      where the level of a series changed: candidates by ruptures, accepted by permutation
changes     all changes of a history: in time, in exact meters, across a change of machine or software

A series is cut wherever machine or software change (`bench.host.identity.fingerprint`), and that is named as the cause
of what changes there before any commit is. Nothing here needs torch; `shifts` needs ruptures, of the extra `history`.
"""

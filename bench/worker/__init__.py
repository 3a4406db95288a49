"""The fresh process that measures. Lines of JSON say what to do; what is found leaves as lines of JSON, as it is found.

__main__    the process: reads its job, does it, tells
jobs        what it can be asked to do, by kind: survey, check, blocks, first, limits, profile
surveyor    the survey of a cell: does it run, is it right, how long, how much memory
checker     is one implementation right, case by case, and which lines would mend it
blocks      builds what it is told to, and times a block when it is told to
caller      times functions that were sent, for `compare`
firsts      builds and calls what was never called in its process, and times that
tree        a tree whose code is measured in place of the installed one
"""

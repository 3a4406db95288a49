"""One command's measuring. Settings come in; a run folder leaves that can be reported and resumed at any moment.

runner      survey, then passes, until all is measured or the budget is spent
survey      which cells can run, told by workers
checkup     one implementation held against the reference, without timing
plan        calls per block and rounds of each Case; one Case measured
crew        the processes that take turns: one for this suite's own, one for each other
explanation limits, profile and gradients beside the samples
flushing    what denormal numbers cost, beside them, too
cellwise    processes that look at cells one by one
kept        limits and gradients that are measured once and kept
progress    who is told how it is getting on
session     the same inside pytest, and the clock that plays samples back to it
guard       what pytest-benchmark's --benchmark-compare-fail would pass in silence
"""

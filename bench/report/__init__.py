"""A run in words, tables and pictures. Numbers of `bench.table` and `bench.why` come in; text and files leave.

build             the whole report of a run, file by file
page              index.html, from the templates, style and scripts of web/
markdown          summary.md
findings          what a run says, most important first
comparisons       what they are made of: a Comparison, a case, a count of cases in words
answer            the usual case as a small table, and who wins where: terminal, page and README
use               what to use: winners and their regions
prices            what each costs apart from its time
why               all that explains the run; sentences by profile and floor
operators         what bounds each cell, and operators per step
laws              how well the laws hold, their table, and what has none
crossings         who overtakes whom by them, as tables
gradients         how far back gradients reach
tables            the full table and tables of facts
facets            how cases fall into groups; what is missing
excerpt           what a page shows of a run that is too large for all of it
hover             what the page's pictures answer when they are pointed at
names             what implementations, axes and devices are called
units             numbers as people read them: only here is anything scaled or rounded
warned            warnings
advised           advice, for `advise`
profiled          the cells of a profiled run, for `profile`
limits_table      the machine's limits, for `limits`
checked           a checkup, for `check`
labels            what the cells of a gate's outcome are called
verdicts          a gate's outcome in sentences, and as a terminal shows it
metered           what a gate counted
comment           the same for a pull request
export            the same as files, and GitHub's summary
terminal          prose wrapped at words, and tables in columns that fit
several           the page of a merged run of several machines
readme            the parts of README and docs that come from reference runs
screenshot        the README's picture of a page
pictures/         the figures
topics/           sections for questions that only some runs ask
over_time/        a history in words, as files and as a page of its own

Nothing is decided here, and nothing needs torch. The same files give the same bytes.
"""

"""What the files say, in numbers. A run folder comes in; estimates with intervals, decisions and their warnings leave.

reading     run folders and pytest's JSON -> a Run: every sample as a row
segments    rows that belong together, and how to handle many such segments at once
observation what counts of each block, and what one pass says of a ratio
stats       estimates and their intervals: pure functions of arrays
sampled     the samples of a run as arrays, and all ratios and intervals wanted of them at once
comparison  who is faster, ties, or is the fastest; the kinds of warnings
leader      the one that none is faster than, case by case
qualified   warnings that the samples of a cell give
measured    the samples of the cells that count, and their warnings
cells       one row per Case x implementation, with intervals and standings
tidy        the same as a Parquet file
latency     how long a step of a streaming case takes, and how long the slow ones do
ratios      every implementation over each of some baselines
winners     who wins each case, when a longer build has paid off
across      the best of some implementations against another, case by case
beside      what others published of the run's cases
raggedness  what padding costs, and from where on packing or bucketing beats it
regions     neighbouring cases with the same winner, or somebody in the running in all of them
flushed     what flushing denormals gains, and from how many steps on
law         time = fixed + steps x (per step + per product x products), fitted, and whether it is trusted
crossover   where one of two laws becomes the faster one, and how surely
lead        always, from a value on, up to one, never: both sides of a crossover, and tables of them
ranking     which is the fastest by laws, and how often that comes true
advice      which to use for one case: measured, or by the laws
reasons     why cells were not measured: each distinct reason once
lines       how much code an implementation is
shared      the Cases that several machines ran, side by side
outcome     what a gate found: a verdict on each cell, an exit code

No word of a report is chosen here and none is imported: `bench.report` says all this.
"""

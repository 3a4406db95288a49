"""What this machine allows: `python -m bench limits`. A process on its machine comes in; a table of rates leaves.

cpu         the limits of the CPU, name by name; `probes.cpp` has loops of our own
cuda        those of a CUDA device
best        how long the best of many repeats takes, and rates free of what a call costs
sitting     what a worker does: one value of each, told as it is found
limits      the table that comes of it: one value per fresh process, kept as JSON

`bench.run.kept` measures in fresh processes and keeps the table, `bench.why.floor` turns it into the least time that a
Case needs, `bench.report.limits_table` shows it.
"""

"""Many runs at once, here or on a Slurm cluster. Settings come in; a folder of run folders leaves, whatever happened.

planning    a sweep planned: its devices, its shards
balance     Cases into shards of about the same cost
sweepfile   sweep.json: what was asked for, which shards there are, what was submitted; sweeps found again
attempts    attempts/shard-001.json: what became of each start of a shard, told by the shard itself
probing     is the folder shared, do the clocks agree, is it the same software: asked before anything is measured
shard       one shard: the job that measures it, or goes on with it
executor    what starts jobs and knows their states
local       jobs one after the other, here
slurm       jobs of a Slurm cluster, by submitit
standing    what each shard is at, read from its files and its job
attend      look after look: what is submitted, and what again
watch       all shards in one view: a table on a terminal, else a line for each change
"""

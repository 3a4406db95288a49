"""What this machine allows: `python -m bench limits`.

    best      how long the best of many repeats takes, and rates free of what a call costs
    cpu, cuda what is measured on each device, name by name
    caches    how much fits where
    limits    the table that comes of it: one value per fresh process, kept as JSON
    command   measures it in fresh processes, once for each machine, and keeps it
    show      says it to a person

`bench.why.floor` turns it into the least time that a Case needs.
"""

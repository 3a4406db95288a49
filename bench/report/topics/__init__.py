"""Sections of a report for questions that only some runs ask. Tables come in; a `Topic` leaves, or none.

topic       what a section is made of
ragged      what padding costs, and from where on packing or bucketing beats it
last_step   what denormal numbers cost where the loss is on the last step
elsewhere   what others published of the run's cases, beside its own
streaming   how long one step takes while the input comes in
runtimes    who wins across runtimes, and what leaving torch costs

Each of the others has one function, `topic(run, scene)`, which `bench.report.build` calls.
"""

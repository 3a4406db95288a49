"""What really ran in a call, found by looking, and why no faster kernel did. A workload comes in, a Kernel leaves.

look      a call under torch's profiler, untimed -> Kernel
seen      the events of a call, and what each call for a sequence was given
naming    what ran, by these events
refusals  why a faster library of torch's did not take it, by the rules of torch's source
"""

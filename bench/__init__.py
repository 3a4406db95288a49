"""How implementations of a recurrent network are measured, and what is made of the measurements.

Data flows one way: Case -> workload -> parity -> samples -> run folder -> table -> report. `cases` and `presets` say
what is run, `workload` to `worker` run it, `results` stores it, everything after that only reads and needs no torch.
"""

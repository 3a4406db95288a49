"""Where the time goes: `python -m bench profile`. A workload comes in; a record of its categories and counts leaves.

profiler    what a worker does: calls without the profiler and under it, and the hollow twin beside both
tracing     calls under torch's profiler
trace       a trace file as events inside one another, their kinds, a flame graph: no torch from here on
counts      operators, bytes and operations of a traced call
breakdown   the time of a call in categories that add up to it
record      what is kept of a cell, as JSON; overhead-, memory-, compute- or launch-bound
"""

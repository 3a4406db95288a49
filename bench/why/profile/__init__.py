"""Where the time goes: `python -m bench profile`.

session    calls a workload under torch's profiler, and without it, and its hollow twin beside it
trace      a trace file as events inside one another: no torch from here on
kinds      what an operator does, by its name
counts     operators, bytes and operations of a traced call
breakdown  the time of a call in categories that add up to it
label      overhead-, memory-, compute- or launch-bound
flame      a flame graph's file
record     what is kept of a cell, as JSON
job        what a worker does; `command` what tells it to
"""

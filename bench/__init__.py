"""How implementations of a recurrent network are measured, and what is made of the measurements.

Data flows one way. Imports do, too, in the order of this list (`tests/test_imports.py`); each package's docstring says
what comes in, what leaves, and what each of its modules is.

cases/      what is run: a Case, presets of Cases, settings
host/       where and on what: machine, processes, clocks
store/      a run's folder: files there whole or not at all
published/  figures that others published, with their sources
measure/    one process: problem -> workload -> parity -> blocks in alternation -> samples
why/        why it takes that long: floors, limits, profiles, gradients
worker/     the fresh process that measures, told what by lines of JSON
table/      what the files say, in numbers: estimates, Comparisons, winners, laws, advice
run/        one command's measuring: survey, passes, explanation
gate/       two sides measured in alternation, and a verdict on the change
report/     what table/, why/ and gate/ found, in words, tables and pictures; nothing is decided here
proof/      the suite measuring itself
commands/   what `python -m bench` offers
cli.py      the command line that puts them together
test_rnn.py what `pytest bench` collects

What is measured is in `rnn_impls/`: a file for each implementation, one for each network in `rnn_impls/networks/`.

to find or change                   open
a preset                            cases/presets.py, those of others cases/others.py
an option of the command line       cases/axes.py, commands/
a network, an implementation        ../rnn_impls/networks/, ../rnn_impls/
where a block is timed              worker/blocks.py, by a clock of host/clock.py
how blocks alternate                measure/alternate.py
whether results are right           measure/parity.py
what counts of a disturbed block    table/observation.py
a time and its interval             table/cells.py, by table/stats.py
who is faster, who is the fastest   table/comparison.py
the floor                           why/floor.py, from the rates of why/limits/
what to use for one case            table/advice.py
the gate's verdict                  gate/judge.py, of what is counted gate/exact.py
what is counted of a call           why/meters.py
a sentence of the report            report/findings.py
a figure                            report/pictures/figures.py
"""

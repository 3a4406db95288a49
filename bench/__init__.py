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
history/    many runs: a series of each cell, and where it changed
run/        one command's measuring: survey, passes, explanation
sweep/      many runs at once, here or on a Slurm cluster
gate/       two sides measured in alternation, and a verdict on the change
report/     what table/, why/ and gate/ found, in words, tables and pictures; nothing is decided here
functions/  `compare`: the same core for any functions, in a script or a notebook
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
what becomes of a shard that fails  sweep/attend.py
where a history changed             history/shifts.py
the gate's verdict                  gate/judge.py, of what is counted gate/exact.py
what is counted of a call           why/meters.py
a sentence of the report            report/findings.py
a figure                            report/pictures/figures.py
`bench.compare`                     functions/comparing.py

The public names are those of `__all__`; `%load_ext bench` in a notebook adds `%compare`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.functions.comparing import compare
    from bench.functions.result import Result, load

__all__ = ["Result", "compare", "load"]

_HOMES = {"Result": "result", "compare": "comparing", "load": "result"}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first asked for: whatever else is in here does without them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"bench.functions.{_HOMES[name]}"), name)


def load_ipython_extension(ipython: Any) -> None:
    """What `%load_ext bench` calls."""
    from bench.functions.magic import register

    register(ipython)

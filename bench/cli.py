"""The command line: python -m bench run | report | sweep | merge | advise | list | limits | profile | gradients |
check | new | gate | compare | history | accuracy | trust.

Exit codes. Measuring: 0 all is well; 1 something failed while it was measured, and the report says what. Sweeping: the
same of all shards; 130 where it goes on, or can go on, without you. Gating: 0 nothing regressed; 1 regressed; 3
incomparable; 4 inconclusive, with --strict. Checking: 0 equal wherever it runs; 1 differs, fails, or runs nowhere.
Advising: 0 answered; 1 nothing can be said. All: 2 wrong usage or a broken file; 130 interrupted, and what was measured
is kept.
"""

from __future__ import annotations

import gc
import signal
from typing import NoReturn

import typer

from bench.commands import bringing, explaining, gating, listing, measuring, merging, sweeping, tracking

app = typer.Typer(
    help="What does each implementation of a recurrent network cost on this machine, and did a change make it slower?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    measuring.run,
    measuring.report,
    sweeping.sweep,
    merging.merge,
    explaining.advise,
    gating.gate,
    gating.compare,
    tracking.history,
    measuring.accuracy,
    gating.trust,
    explaining.limits,
    explaining.profile,
    explaining.gradients,
    bringing.check,
    bringing.new,
):
    app.command()(command)
app.command("list")(listing.list_)


def main() -> None:
    """Entry point of `python -m bench`."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    # Nothing is measured in this process. Tables of cells are many objects that stay: looking through them again and
    # again is a fifth of a large report.
    gc.set_threshold(200_000, 20, 100)
    app()


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt

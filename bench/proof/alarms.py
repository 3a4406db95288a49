"""The proof of the history: how often a series in which nothing changed is given a change, and which changes it finds.

    python -m bench.proof.alarms [SERIES] [FOLDER]    writes alarms.json, alarms.md, alarms.png; `make alarms`

Simulated series come in histories of eight cells, as those of a run do; recorded ones are of runs and gates of one tree
(`bench.proof.unchanged`), labelled ones of another project's generators (`bench.proof.labelled`). Seeds are fixed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.history.moods import steadied
from bench.history.shifts import Values, likeness, shifts
from bench.proof import labelled, unchanged
from bench.proof.rates import upper
from bench.store.files import write_atomically, write_json

Row = dict[str, Any]

CELLS = 8
LENGTHS = (20, 40, 80)
SIGMA = 0.01
NEAR = 2
"""Runs by which a change may be misplaced and still counts as found."""

SIZES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Of planted changes, in standard deviations of a run."""

PLACES = {"a step in the middle": ((20, None),), "a step, three runs ago": ((37, None),),
          "ten runs, then undone": ((15, 25),)}  # fmt: skip

COLOURS = ("#0072b2", "#d55e00", "#009e73")


def ar(alike: float) -> Callable[[np.random.Generator, int], Values]:
    """Noise of a machine whose deviations fade run by run."""

    def draw(rng: np.random.Generator, length: int) -> Values:
        added = rng.normal(size=length + 50)
        for k in range(1, len(added)):
            added[k] += alike * added[k - 1]
        return added[50:]

    return draw


def outliers(rng: np.random.Generator, length: int) -> Values:
    """Every twentieth run is far off, mostly slower."""
    return rng.normal(size=length) + (rng.random(length) < 0.05) * rng.normal(5, 3, length)


NOISES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "normal": lambda rng, length: rng.normal(size=length),
    "AR(1), 0.3": ar(0.3),
    "AR(1), 0.6": ar(0.6),
    "t with 3 degrees of freedom": lambda rng, length: rng.standard_t(3, length),
    "normal, with outliers": outliers,
}


def a_history(noise: str, length: int, rng: np.random.Generator, cells: int = CELLS) -> list[Values]:
    """Series of cells with this noise, each its own."""
    return [SIGMA * NOISES[noise](rng, length) for _ in range(cells)]


def moody(length: int, rng: np.random.Generator) -> list[Values]:
    """Cells that share a mood twice as large as what each has to itself, and that lasts: AR(1), 0.6."""
    shared = 2 * SIGMA * ar(0.6)(rng, length) * 0.8
    return [shared + SIGMA * rng.normal(size=length) for _ in range(CELLS)]


def plain(values: Values) -> bool:
    """What ruptures' PELT finds with the usual penalty, 2 variance log n; the variance by the differences of runs."""
    import ruptures

    spread = 1.4826 * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2)
    search = ruptures.KernelCPD(kernel="linear", min_size=2).fit(values)
    return len(search.predict(pen=2 * spread**2 * np.log(len(values)))) > 1


def found_in(series: Sequence[Values]) -> list[bool]:
    """Of each cell of a history whether it is given a change, as `rnn-bench history` does it."""
    steady = steadied(series)
    alike = likeness(steady)
    return [bool(shifts(each, alike)) for each in steady]


def alarms(name: str, histories: Sequence[Sequence[Values]]) -> Row:
    """How many unchanged series are given a change, here and by plain PELT."""
    flat = [each for history in histories for each in history]
    return {
        "name": name,
        "series": len(flat),
        "runs": sorted({len(each) for each in flat}),
        "alarms": sum(sum(found_in(history)) for history in histories),
        "plain": sum(plain(each) for each in flat),
    }


def hits(name: str, size: float, histories: int, rng: np.random.Generator) -> float:
    """The share of planted changes of this size that are found, in the first cell of histories of 40 runs."""
    found = planted = 0
    for _ in range(histories):
        series = a_history("normal", 40, rng)
        edges = [edge for edge in PLACES[name][0] if edge is not None]
        series[0] = series[0] + SIGMA * size * _between(40, *PLACES[name][0])
        steady = steadied(series)
        told = [shift.at for shift in shifts(steady[0], likeness(steady))]
        found += sum(any(abs(at - edge) <= NEAR for at in told) for edge in edges)
        planted += len(edges)
    return found / planted


def _between(length: int, begin: int | None, end: int | None) -> Values:
    steps = np.zeros(length)
    steps[begin:end] = 1.0
    return steps


def figures(series: int, tell: Callable[[str], None]) -> Row:
    """All of it; so many series of each kind."""
    rng = np.random.default_rng(19)
    simulated = []
    for noise in NOISES:
        for length in LENGTHS:
            drawn = [a_history(noise, length, rng) for _ in range(series // CELLS)]
            simulated.append(alarms(f"{noise}, {length} runs", drawn))
            tell(f"{simulated[-1]}")
    drawn = [moody(40, rng) for _ in range(series // CELLS)]
    simulated.append(alarms("a mood that all cells share, 40 runs", drawn))
    alone = [a_history(noise, 40, rng, cells=1) for noise in ("normal", "AR(1), 0.3") for _ in range(series // 2)]
    simulated.append(alarms("one cell alone, normal and AR(1) 0.3, 40 runs", alone))
    recorded = [alarms(name, histories) for name, histories in unchanged.recorded(series)]
    tell(f"{recorded}")
    curves = {name: [hits(name, size, max(40, series // 10), rng) for size in SIZES] for name in PLACES}
    return {
        "simulated": simulated,
        "recorded": recorded,
        "sizes": list(SIZES),
        "hits": curves,
        "labelled": labelled.table(NEAR),
    }


def markdown(found: Row) -> str:
    """The tables, the answer first."""
    lines = [
        f"Of series in which nothing changed, {_share(found['simulated'])} of the simulated and "
        f"{_share(found['recorded'])} of the recorded ones are given a change.",
        "",
        "| nothing changed | series | runs | given a change | at most | by plain PELT |",
        "|---|---:|---:|---:|---:|---:|",
        *(_alarm_line(row, "simulated") for row in found["simulated"]),
        *(_alarm_line(row, "recorded") for row in found["recorded"]),
        "",
        f"*At most*: the bound at 95 %. *Plain PELT*: ruptures with the usual penalty. A history has {CELLS} cells.",
        "",
        "| a change of so many standard deviations of a run | "
        + " | ".join(f"{size:g}" for size in found["sizes"])
        + " |",
        "|---|" + "---:|" * len(found["sizes"]),
        *(f"| {name} | " + " | ".join(f"{share:.0%}" for share in row) + " |" for name, row in found["hits"].items()),
        "",
        _labelled(found["labelled"]),
        "",
        "| series | how many | changes | found | false |",
        "|---|---:|---:|---:|---:|",
        *(
            f"| {row['name']} | {row['series']} | {row['changes']} | {row['found']} | {row['false']} |"
            for row in found["labelled"]
        ),
        "",
    ]
    return "\n".join(lines)


def _labelled(rows: Sequence[Row]) -> str:
    """All kinds together."""
    changes, hit, false, series = (sum(row[name] for row in rows) for name in ("changes", "found", "false", "series"))
    return (
        f"Of {changes} changes in {series} series of `otava-test-data`, {hit} are found within {NEAR} runs; "
        f"{false} are found where there is none."
    )


def _share(rows: Sequence[Row]) -> str:
    """Of all series of some kinds together: `1.2 % (59 of 5440)`."""
    alarms, of = (sum(row[name] for row in rows) for name in ("alarms", "series"))
    return f"{100 * alarms / of:.1f} % ({alarms} of {of})"


def _alarm_line(row: Row, kind: str) -> str:
    runs = row["runs"]
    span = f"{runs[0]}" if len(runs) == 1 else f"{runs[0]} to {runs[-1]}"
    share, most = row["alarms"] / row["series"], upper(row["alarms"], row["series"])
    others = row["plain"] / row["series"]
    return f"| {kind}: {row['name']} | {row['series']} | {span} | {share:.1%} | {most:.1%} | {others:.0%} |"


def picture(found: Row) -> Figure:
    """Changes found, by their size."""
    figure = Figure(figsize=(8.4, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for colour, (name, shares) in zip(COLOURS, found["hits"].items(), strict=True):
        axes.plot(found["sizes"], [100 * share for share in shares], "o-", color=colour, linewidth=2, label=name)
    axes.set_xlabel("change planted, in standard deviations of a run")
    axes.set_ylabel("changes found, %")
    axes.set_ylim(0, 102)
    axes.set_title("Changes found in 40 runs, at 1 % false alarms a series", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def main(series: int, folder: Path) -> None:
    """Measure, and write all of it."""
    found = figures(series, print)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "alarms.json", found)
    write_atomically(folder / "alarms.md", markdown(found).encode())
    picture(found).savefig(folder / "alarms.png", dpi=160, metadata={"Software": None})
    print(markdown(found))


if __name__ == "__main__":
    main(int((sys.argv[1:2] or ["1000"])[0]), Path((sys.argv[2:3] or ["reports/alarms"])[0]))

"""Who wins across runtimes, by how much over torch's own, what a runtime costs beside time, and a step by each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd

from bench.report.comparisons import Context
from bench.report.facets import usual_case
from bench.report.names import listed
from bench.report.pictures.scene import Scene
from bench.report.tables import Column, Entry, entries
from bench.report.topics.topic import Topic
from bench.report.units import duration_in, missing, times
from bench.table.across import best_against
from bench.table.cells import REFERENCE
from bench.table.comparison import FASTER, FASTEST, SLOWER, TIED, UNDECIDED, Comparison
from bench.table.reading import Run
from bench.table.winners import Winner, winners
from rnn_impls.registry import BESIDE_TORCH, ordered

TITLE = "Beside torch"
RIVAL = "fused-cpu"
"""What a runtime has to beat beside REFERENCE: the fastest without leaving torch, on a CPU."""

DOWNLOAD_MB = {"onnxruntime": 37, "openvino": 69, "jax-scan": 89, "numba": 64}
"""Megabytes (1e6 bytes) of the wheels that the extra adds to this suite's own requirements: CPython 3.11, Linux x86-64.

Source: the published wheels of onnx 1.23.2 (8.9), ml_dtypes 0.6.0 (0.4) and protobuf 7.36.2 (0.3) with onnxruntime
1.32.0 (27.8) or openvino 2026.4.1 (59.1); jax 0.10.2 (3.2) with jaxlib 0.10.2 (85.4); numba 0.68.1 (3.8) with llvmlite
0.50.0 (59.7). JAX needs SciPy as well, which the suite has (35.3).
"""

_ASKS = {
    "onnxruntime": "runs an exported model, and does not train",
    "openvino": "runs an exported model, and does not train",
    "jax-scan": "is the network written anew in JAX, and trains",
    "numba": "is the network written as loops, and does not train",
}


def topic(run: Run, scene: Scene) -> Topic | None:
    """All of it, a row for each case; None where no runtime was measured."""
    measured = set(scene.cells["implementation"])
    ran = [name for name in BESIDE_TORCH if name in measured]
    if not ran:
        return None
    rows = scene.cells[scene.cells["case"].isin(_cases(scene, ran))]
    said = [*_won(rows, ran), *_over(run, scene, rows, ran), *_prices(scene, rows, ran)]
    return Topic("runtimes", "Runtimes", TITLE, said, *_table(scene, rows, ran), finding=True)


def _cases(scene: Scene, ran: list[str]) -> set[str]:
    """Those that a runtime was measured in."""
    return set(scene.cells.loc[scene.cells["implementation"].isin(ran), "case"])


def _won(rows: pd.DataFrame, ran: list[str]) -> Iterator[str]:
    """`Across runtimes `fused-cpu` is the fastest in 12 of 18 cases, `jax-scan` in 4; 1 is a tie, 1 undecided.`"""
    found, cases = winners(rows), rows["case"].nunique()
    if not found:
        yield f"Between torch and {_code(ran)} nothing is decided: that takes two passes and two implementations."
        return
    alone = [winner.names[0] for winner in found.values() if winner.standing == FASTEST]
    counts = sorted({name: alone.count(name) for name in alone}.items(), key=lambda each: -each[1])
    parts = [f"`{name}` {'is the fastest ' if not k else ''}in {count}" for k, (name, count) in enumerate(counts)]
    first = f"{parts[0]} of {cases} case{'s' * (cases > 1)}" if parts else f"none of {cases} cases has one winner"
    open_ones = [f"{_count(found, standing)} {word}" for standing, word in _OPEN if _count(found, standing)]
    yield f"Across runtimes {', '.join([first, *parts[1:]])}{'; ' * bool(open_ones)}{', '.join(open_ones)}."


_OPEN = ((TIED, "tied"), (UNDECIDED, "undecided"))


def _count(found: dict[str, Winner], standing: str) -> int:
    return sum(winner.standing == standing for winner in found.values())


def _over(run: Run, scene: Scene, rows: pd.DataFrame, ran: list[str]) -> Iterator[str]:
    """The fastest runtime of each case against REFERENCE and RIVAL: in how many it is ahead, and where most and
    least."""
    context = Context(scene.cells, scene.baseline)
    for other in (REFERENCE, RIVAL):
        if found := best_against(run, ran, other):
            yield _counted(other, found)
            yield from _ends(other, found, context, rows)


def _counted(other: str, found: list[Comparison]) -> str:
    """`The fastest runtime of a case beats `whole` in 14 of 18 cases, ties in 1, loses in 3.`"""
    counts = [(sum(each.relation == relation for each in found), word) for relation, word in _RELATIONS]
    (ahead, word), *others = counts
    rest = "".join(f", {word} in {count}" for count, word in others if count)
    return f"The fastest runtime of a case {word} `{other}` in {ahead} of {len(found)}{rest}."


_RELATIONS = ((FASTER, "beats"), (TIED, "ties"), (SLOWER, "loses"))


def _ends(other: str, found: list[Comparison], context: Context, rows: pd.DataFrame) -> Iterator[str]:
    """Where a runtime is most ahead, and where it is most behind, each with its interval."""
    places = rows.drop_duplicates("case").set_index("case")
    for relation, pick in ((FASTER, max), (SLOWER, min)):
        sure = [each for each in found if each.relation == relation]
        if sure:
            each = pick(sure, key=lambda one: one.ratio.value)
            value, low, high = each.ratio.value, each.ratio.low, each.ratio.high
            ratio = times(value, low, high) if relation == FASTER else times(1 / value, 1 / high, 1 / low)
            where = context.place(places.loc[each.case])
            yield f"At most `{each.one}` is {ratio} {relation} than `{other}`: {where}."


def _prices(scene: Scene, rows: pd.DataFrame, ran: list[str]) -> Iterator[str]:
    """What each costs apart from its time, and how it ran in the usual case."""
    for name in ran:
        yield f"`{name}` downloads {DOWNLOAD_MB[name]} MB, {_ASKS[name]}."
    usual = scene.cells[scene.cells["case"] == usual_case(rows)].set_index("implementation")
    for name in ran:
        if name in usual.index and (chosen := usual.loc[name, "chosen"]):
            yield f"`{name}` ran as {chosen}."
    yield "What is copied at the boundary with torch counts in the time."


def _table(scene: Scene, rows: pd.DataFrame, ran: list[str]) -> tuple[list[Column], list[list[Entry]]]:
    """A step of each implementation, torch's first, with its interval."""
    context = Context(rows, scene.baseline)
    names = [*(name for name in ordered(rows["implementation"]) if name not in ran), *ran]
    told = "time of a step, with its 95 % interval over passes"
    shown = [
        Column("Case", context.place, "case", False),
        *(Column(scene.label(name), partial(_step, name), name, hint=told) for name in names),
    ]
    lines = []
    for _, here in rows.sort_values(["network", "mode", "batch_size", "hidden_size", "case"]).groupby(
        "case", sort=False
    ):
        line = here.iloc[0].to_dict()
        for _, row in here.iterrows():
            steps = row["seq_len"]
            ends = [row[f"seconds{end}"] / steps for end in ("", "_low", "_high")]
            line |= dict(zip((row["implementation"], *_interval(row["implementation"])), ends, strict=True))
        lines.append(line)
    return shown, entries(pd.DataFrame(lines), shown)


def _step(name: str, row: pd.Series) -> str:
    return duration_in(*(math.nan if missing(row.get(key)) else row[key] for key in (name, *_interval(name))))


def _interval(name: str) -> tuple[str, str]:
    return f"{name} from", f"{name} to"


def _code(names: list[str]) -> str:
    return listed([f"`{name}`" for name in names])

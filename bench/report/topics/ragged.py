"""What padding costs in ragged batches, from where on packing or bucketing beats it, and what to use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import pandas as pd

from bench.cases.case import FIELDS, Case
from bench.cases.words import apart, in_words
from bench.report.names import listed
from bench.report.pictures.padding import picture
from bench.report.pictures.scene import Scene
from bench.report.tables import AXES, Column, Entry, entries, plain
from bench.report.topics.topic import Topic
from bench.report.units import duration, rough_percent, times
from bench.table.cells import REFERENCE
from bench.table.comparison import SLOWER
from bench.table.raggedness import FAMILIES, Choice, Turn, choices, group_of, ragged, turns
from bench.table.reading import Run

TITLE = "What padding costs"
MOST_SENTENCES = 4
"""Of one kind: answers that hold for fewer cases than these are in the table alone."""
MOST_ADVISED = 6
REPORTED = (
    "Users report that a packed LSTM takes 5 to 114 times as long forward, the more the longer the sequences "
    "(pytorch/pytorch#149194)."
)
MEANT = (
    "Padding is the share of a batch's steps that belong to no sequence. "
    f"`{REFERENCE}` computes them, too; a useful step is one of one sequence that is none."
)
Said = TypeVar("Said", Turn, Choice)


def topic(run: Run, scene: Scene) -> Topic | None:
    """All of it; none for a run without ragged cases, or without REFERENCE to hold others against."""
    rows = ragged(scene.cells)
    found = turns(scene.cells)
    if not found:
        return None
    chosen = choices(scene.cells)
    advised = {choice.group for choice in chosen}
    told = [*advice(chosen), *(sentence for family in FAMILIES for sentence in _turns(found, family, advised, scene))]
    told += [*_slowest(found), MEANT]
    return Topic("ragged", "Ragged batches", TITLE, told, *_table(rows, scene), picture(scene))


def advice(found: Sequence[Choice]) -> list[str]:
    """`Ragged batches, lstm: pad and run `whole` up to 30 % padding; from 46 % on `bucketed`.`: what to use."""
    everywhere = [choice.group for choice in found]
    sentences = []
    for same in _alike(found, lambda each: (each.upto, each.since, each.names)):
        first = same[0]
        where = f", {_where([each.group for each in same], everywhere)}" if len(same) < len(found) else ""
        names = " or ".join(f"`{name}`" for name in first.names)
        if first.since is None:
            said = f"pad and run `{REFERENCE}`, up to {_percent(first.upto)} padding, the most measured"
        elif first.upto is None:
            said = f"{names}, from {_percent(first.since)} padding, the least measured"
        else:
            said = (
                f"pad and run `{REFERENCE}` up to {_percent(first.upto)} padding; "
                f"from {_percent(first.since)} on {names}"
            )
        sentences.append(f"Ragged batches{where}: {said}.")
    return sentences[:MOST_ADVISED]


def _turns(found: Iterable[Turn], family: str, advised: Collection[Case], scene: Scene) -> Iterator[str]:
    """From which padding on a family beats REFERENCE, or that it never does; the groups with the same answer in one
    sentence, those in which it does so first come first. What is advised for a group says where it does."""
    own = sorted((turn for turn in found if turn.family == family), key=_since)
    everywhere = [turn.group for turn in own]
    same = _alike([turn for turn in own if not turn.faster or turn.group not in advised], _answer)
    for turns_alike in sorted(same[:MOST_SENTENCES], key=lambda turns_alike: _since(turns_alike[0])):
        first, where = turns_alike[0], _where([turn.group for turn in turns_alike], everywhere)
        last = _percent(first.points[-1].padding)
        names = " or ".join(f"`{name}`" for name in first.names)
        if first.below is None:
            least = _percent(first.points[0].padding)
            yield f"{names} beats `{REFERENCE}` at every padding measured, {least} to {last}: {where}."
        elif first.faster:
            since, below = _percent(first.faster[0].padding), _percent(first.below.padding)
            yield f"{names} beats `{REFERENCE}` from {since} padding on, not yet for certain at {below}: {where}."
        else:
            yield f"`{family}` is never faster than `{REFERENCE}` for certain, up to {last} padding: {where}."
            if family == "packed" and any(_only_padded_by_onednn(turn, scene.cells) for turn in turns_alike):
                yield f"oneDNN runs the LSTM of `{REFERENCE}` and takes no packed batch."


def _answer(turn: Turn) -> tuple[object, ...]:
    """What makes two turns one sentence: which, and from where on; of those that never do, the family alone."""
    names = turn.names if turn.faster else FAMILIES[turn.family]
    return (_since(turn), turn.below.padding if turn.below else None, *names)


def _since(turn: Turn) -> float:
    return turn.faster[0].padding if turn.faster else 1.0


def _only_padded_by_onednn(turn: Turn, cells: pd.DataFrame) -> bool:
    """Whether oneDNN runs REFERENCE in a group and not what is packed, by the kernels that were seen."""
    if "kernel" not in cells:
        return False
    case = turn.points[-1].compared.case
    seen = cells[cells["case"] == case].set_index("implementation")["kernel"]
    packed = str(seen.get(turn.points[-1].implementation, ""))
    return str(seen.get(REFERENCE, "")).startswith("oneDNN") and bool(packed) and not packed.startswith("oneDNN")


def _slowest(found: Iterable[Turn]) -> Iterator[str]:
    """Where packing loses most, beside what users report."""
    points = [(turn, point) for turn in found if turn.family == "packed" for point in turn.points]
    slower = [(turn, point) for turn, point in points if point.compared.relation == SLOWER]
    if slower:
        turn, point = min(slower, key=lambda each: each[1].compared.ratio.value)
        gain, where = point.compared.ratio, _where([turn.group], list({each.group: None for each, _ in points}))
        yield (
            f"Packing loses most at {_percent(point.padding)} padding, where `{point.implementation}` takes "
            f"{times(1 / gain.value, 1 / gain.high, 1 / gain.low)} as long as `{REFERENCE}`: {where}."
        )
        yield REPORTED
    elif points:
        yield f"`packed` is nowhere slower than `{REFERENCE}` for certain."
        yield REPORTED


def _table(rows: pd.DataFrame, scene: Scene) -> tuple[list[Column], list[list[Entry]]]:
    """A row for each case: its padding, and by implementation the time of a useful step and the gain over REFERENCE."""
    names = [name for name in scene.names if name in set(rows["implementation"])]
    told = f"time of a useful step, and the gain over {REFERENCE} with its 95 % interval"
    shown = [
        Column("Case", plain("words"), "words", False),
        Column("Lengths", plain("lengths"), "lengths", False),
        Column("Padding", lambda row: rough_percent(row["padding"]), "padding"),
        *(Column(scene.label(name), partial(_figures, name), name, hint=told) for name in names),
    ]
    lines = []
    for case, here in rows.sort_values(["group", "padding", "case"]).groupby("case", sort=False):
        first = here.iloc[0]
        line = {"words": in_words(group_of(str(case))), "lengths": first["lengths"], "padding": first["padding"]}
        for _, row in here.iterrows():
            gain = "" if row["implementation"] == REFERENCE else times(row["gain"], row["gain_low"], row["gain_high"])
            line[row["implementation"]] = row["useful_seconds"]
            line[f"{row['implementation']} over"] = gain
        lines.append(line)
    return shown, entries(pd.DataFrame(lines), shown)


def _figures(name: str, row: pd.Series) -> str:
    """`61.2 ns · 1.4× [1.3, 1.5]`."""
    return " · ".join(filter(None, [duration(row[name]), row[f"{name} over"]]))


def _alike(found: Iterable[Said], answer: Callable[[Said], Hashable]) -> list[list[Said]]:
    """Those with the same answer together, the answer that holds for most of them first."""
    by: dict[Hashable, list[Said]] = {}
    for each in found:
        by.setdefault(answer(each), []).append(each)
    return sorted(by.values(), key=len, reverse=True)


def _where(part: Sequence[Case], everywhere: Sequence[Case]) -> str:
    """Which groups these are among all: `gru or lstm, training`."""
    if len(everywhere) == 1:
        return in_words(everywhere[0])
    if len(part) == len(everywhere):
        varying = [axis for axis in FIELDS if len({getattr(case, axis) for case in everywhere}) > 1]
        named = [axis.replace("_", " ") if axis.endswith("_size") else AXES[axis].lower() for axis in varying]
        return f"for every {listed(named)} measured"
    return apart(part, everywhere) or f"in {len(part)} of {len(everywhere)} groups of cases"


def _percent(share: float | None) -> str:
    return rough_percent(share or 0.0)

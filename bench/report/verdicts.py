"""An outcome for people: its verdict in sentences, and all that a terminal shows of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import zip_longest

from bench.cases.case import Case, Cell
from bench.report import metered
from bench.report.labels import Labels
from bench.report.markdown import one_line
from bench.report.names import capital, phrase, short_names
from bench.report.terminal import WIDTH, columns, wrapped
from bench.report.warned import shared, short, told
from bench.table.outcome import (
    FIGURES,
    FIRST,
    IMPROVED,
    INCOMPARABLE,
    INCONCLUSIVE,
    NEW,
    NOT_RUN,
    REGRESSED,
    TIME,
    Asked,
    CellVerdict,
    Lost,
    News,
    Outcome,
    Uncompared,
)

MOST_ROWS = 12
"""Of one verdict on a terminal; JSON has the rest."""

STYLES = {REGRESSED: "red", IMPROVED: "green", INCONCLUSIVE: "yellow", INCOMPARABLE: "red", NEW: "dim", NOT_RUN: "dim"}


def labels(outcome: Outcome) -> Labels:
    """The labels of all cells of an outcome."""
    return Labels(found.cell for found in [*outcome.judged, *outcome.uncompared, *outcome.lost])


def percent(fraction: float, sign: bool = False) -> str:
    """`3 %` for a limit; with a sign `+5.1 %`; `?` for what is not known."""
    if not math.isfinite(fraction):
        return "?"
    return f"{100 * fraction:+.1f} %" if sign else f"{100 * fraction:g} %"


def change(verdict: CellVerdict) -> str:
    """`+5.1 % [+3.1, +7.2]`: slower is positive."""
    ends = (f"{100 * end:+.1f}" if math.isfinite(end) else "?" for end in (verdict.low, verdict.high))
    return f"{percent(verdict.effect, sign=True)} [{', '.join(ends)}]"


def sentence(outcome: Outcome) -> str:
    """The whole outcome for a person, the verdict first."""
    return " ".join(sentences(outcome))


def sentences(outcome: Outcome) -> list[str]:
    """The verdict, what it is most of all about, and what could not be compared; meters that regressed come first."""
    faults = [f"{_cells(len(outcome.faults))} could not be compared."] if outcome.faults else []
    regressed = {found.meter for found in outcome.counts if found.verdict == REGRESSED}
    regressed |= {meter for meter in (TIME, FIRST) if outcome.of(REGRESSED, meter)}
    told = {meter: _told(outcome, meter) for meter in outcome.meters}
    worse = [text for meter, texts in told.items() if meter in regressed for text in texts]
    calm = [text for meter, texts in told.items() if meter not in regressed for text in texts]
    several = len(outcome.meters) > 1
    if worse:
        return [*worse, *(calm if several else []), *faults]
    if outcome.too_few:
        return [f"Incomparable: {outcome.too_few}.", *([text for m in FIGURES for text in told.get(m, [])])]
    if faults:
        first = outcome.faults[0]
        reason = _one_line(first.reason)
        said = [f"Incomparable: {faults[0]}", f"First of all {labels(outcome).whole(first.cell)}: {reason}."]
        return [*said, *(calm if several else [])]
    return calm or _nothing(outcome)


def _told(outcome: Outcome, meter: str) -> list[str]:
    """The verdict by one meter; nothing where it has none."""
    if meter in FIGURES:
        return metered.sentences(outcome, meter, _compared(outcome), labels(outcome).whole)
    if regressed := outcome.of(REGRESSED, meter):
        verdict = (
            f"Regressed{metered.by(outcome, meter)}: {len(regressed)} of {_compared(outcome)} {_are(len(regressed))} "
            f"more than {percent(_limit(outcome, meter))} slower than {outcome.base}."
        )
        return [verdict, _most(outcome, regressed)]
    return _calm(outcome, meter) if outcome.ratios(meter) else []


def _limit(outcome: Outcome, meter: str) -> float:
    """Below which changes are of no interest, a fraction."""
    return outcome.first_effect if meter == FIRST else outcome.min_effect


def _calm(outcome: Outcome, meter: str) -> list[str]:
    """Where nothing regressed by a meter that is a ratio."""
    improved, open_, total = outcome.of(IMPROVED, meter), outcome.of(INCONCLUSIVE, meter), len(outcome.ratios(meter))
    limit, by = f"±{percent(_limit(outcome, meter))}", metered.by(outcome, meter)
    compared, within = _compared(outcome), f"within {limit} of {outcome.base}"
    every = f"all {compared} are" if total > 1 else f"the one cell compared{compared.removeprefix('1 cell')} is"
    if len(open_) == total:
        return [f"Nothing decided{by}: {every} inconclusive at {limit} of {outcome.base}."]
    same = total - len(open_) - len(improved)
    if same == total:
        return [f"Nothing regressed{by}: {every} {within}."]
    rest = [f"{len(improved)} faster"] if improved else []
    rest += [f"{len(open_)} inconclusive"] if open_ else []
    verdict = f"Nothing regressed{by}{' for certain' if open_ else ''}: {same} of {compared} {_are(same)} {within}, "
    return [f"{verdict}{', '.join(rest)}.", *([_most(outcome, improved)] if improved else [])]


def _nothing(outcome: Outcome) -> list[str]:
    """Where there was nothing to compare."""
    if outcome.uncompared and all(left.status == NEW for left in outcome.uncompared):
        short = short_names(left.cell[1] for left in outcome.uncompared)
        names = ", ".join(phrase(name, short) for name in short)
        return [
            f"First gate: nothing to compare yet, since {outcome.base} does not have {names}.",
            "Merge it; the next change is the first that can be compared.",
        ]
    reason = f": {_one_line(outcome.uncompared[0].reason)}" if outcome.uncompared else ""
    return [f"Incomparable: there is no cell that both {outcome.base} and {outcome.head} can run{reason}."]


def _most(outcome: Outcome, found: list[CellVerdict]) -> str:
    """The largest of some changes, which come first."""
    most = "Most of all" if len(found) > 1 else "It is"
    return f"{most} {labels(outcome).whole(found[0].cell)}: {change(found[0])}."


def text(outcome: Outcome, width: int = WIDTH) -> str:
    """All that the gate writes to a terminal, from its first line to the verdict."""
    paragraphs = []
    if outcome.asked:
        events: list[News] = [Asked(outcome.asked), *outcome.looks, *outcome.lost]
        paragraphs = [opening(outcome.base, outcome.head), *(news(event) for event in events)]
    lines = [line for paragraph in paragraphs for line in wrapped(paragraph, width)]
    return "\n".join([*lines, *(line for line, _ in ending(outcome, width))]) + "\n"


def opening(base: str, head: str) -> str:
    """What is held against what, and what is done first."""
    checking = "Checking on both sides that every implementation computes the same network ..."
    return f"{capital(head)}, against {base}\n{checking}"


def news(event: News) -> str:
    """What there is to say while a gate is at work: `9 pairs, 20 s: 4 settled (1 regressed), 2 open of 6`."""
    if isinstance(event, Asked):
        return f"{_cells(event.cells)} to compare."
    if isinstance(event, Lost):
        return lost(event, Labels([event.cell]))
    regressed = f" ({event.regressed} regressed)" if event.regressed else ""
    slower = f" ({event.slower} look{'s' if event.slower == 1 else ''} slower)" if event.slower else ""
    told = f"{event.settled} settled{regressed}, {event.open} open of {event.settled + event.open}{slower}"
    of = " of first results" if event.meter == FIRST else ""
    return f"{event.pairs:>2} pairs{of}, {event.seconds:.0f} s: {told}"


def lost(loss: Lost, named: Labels) -> str:
    """A pair that was lost."""
    return f"A pair was lost over {named.whole(loss.cell)}: {_one_line(loss.reason)}."


def ending(outcome: Outcome, width: int = WIDTH) -> Iterator[tuple[str, str | None]]:
    """Lines, each with its style: the cells that changed, that are open, that have no verdict; warnings and notes; and
    the verdict."""
    counted = [row for meter in FIGURES for row in metered.rows(outcome, meter, labels(outcome), width, MOST_ROWS)]
    rows: list[tuple[str, str | None]] = [(line, STYLES.get(said, "dim")) for line, said in counted]
    rows += [row for meter in outcome.meters if meter not in FIGURES for row in _rows(outcome, meter, width)]
    rows += _reasons(outcome, width)
    yield from [("", None), *rows] if rows else []
    notes = [f"Warning: {warning}" for warning in told([verdict.warnings for verdict in outcome.verdicts])]
    notes += [f"Note: {each}" for each in outcome.notes]
    if notes:
        yield "", None
    for note in notes:
        yield from ((line, "dim") for line in wrapped(note, width))
    yield "", None
    yield from ((line, None) for line in wrapped("\n".join(sentences(outcome)), width))


def _rows(outcome: Outcome, meter: str, width: int) -> Iterator[tuple[str, str | None]]:
    """Changes, and what is inconclusive, each verdict under its name."""
    named, common = labels(outcome), shared([verdict.warnings for verdict in outcome.ratios(meter)])
    groups = [(verdict, outcome.of(verdict, meter)) for verdict in (REGRESSED, IMPROVED, INCONCLUSIVE)]
    shown = [verdict for _, found in groups for verdict in found[:MOST_ROWS]]
    fields = [[f"  {named.implementation(v.cell)}", named.case(v.cell), change(v)] for v in shown]
    lines = iter(columns((), fields, left=(0, 1, 2), width=width))
    for said, found in groups:
        if found:
            yield f"{said}{metered.by(outcome, meter)}", STYLES[said]
        notes = [noted(verdict, common) for verdict in found[:MOST_ROWS]]
        for note, following in zip_longest(notes, notes[1:]):
            yield from ((line, STYLES[said]) for line in next(lines).split("\n"))
            if note and note != following:  # what rows have in common stands below the last
                yield from ((line, "dim") for line in wrapped(note, width, "    "))
        if len(found) > MOST_ROWS:
            yield f"  and {len(found) - MOST_ROWS} more; --json FILE has them all", "dim"


def _reasons(outcome: Outcome, width: int) -> Iterator[tuple[str, str | None]]:
    """What has no verdict: each reason once."""
    named = labels(outcome)
    for (status, reason), cells in by_reason(outcome.uncompared).items():
        who = {named.implementation(cell): None for cell in cells}
        where = named.case(cells[0]) if len(cells) == 1 else _cells(len(cells))
        yield from ((line, STYLES[status]) for line in wrapped(f"{status}  {', '.join(who)}, {where}", width))
        yield from ((line, "dim") for line in wrapped(reason, width, "  "))


def by_reason(found: Iterable[Uncompared]) -> dict[tuple[str, str], list[Cell]]:
    """Status and reason in a line -> the cells that have no verdict for it."""
    reasons: dict[tuple[str, str], list[Cell]] = {}
    for left in found:
        reasons.setdefault((left.status, _one_line(left.reason)), []).append(left.cell)
    return reasons


def noted(verdict: CellVerdict, common: Iterable[str] = ()) -> str:
    """What it would take to decide a cell, and what qualifies it, but for the kinds of warning that all have."""
    own = [warning for warning in verdict.warnings if warning.kind not in common]
    return "; ".join(filter(None, [verdict.note, short(own)]))


def _one_line(reason: str) -> str:
    return one_line(reason).removesuffix(".")


def _compared(outcome: Outcome) -> str:
    """`24 cells`, or `12 cells (inference)`: a change in a mode that was not compared is not seen."""
    cells = {verdict.cell for verdict in outcome.judged}
    modes = sorted({Case.parse(case).mode for case, _ in cells})
    alone = f" ({modes[0]})" if len(modes) == 1 else ""
    return f"{_cells(len(cells))}{alone}"


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"

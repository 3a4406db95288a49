"""Advice in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from bench.cases.case import FIELDS, Case
from bench.report.comparisons import WITHIN
from bench.report.facets import value_range
from bench.report.names import axis_value, capital, listed, on_device, short_names
from bench.report.prices import calls_in_words
from bench.report.units import NOTHING, duration, duration_in, missing, percent, rough_percent, times
from bench.report.warned import short
from bench.store.manifest import Manifest
from bench.table.advice import (
    EXTRAPOLATED,
    INTERPOLATED,
    MEASURED,
    UNTRUSTED,
    Advice,
    Apart,
    Left,
    Ranked,
    Unmet,
)
from bench.table.cells import REFERENCE
from bench.table.comparison import UNDECIDED
from bench.table.ranking import CLOSE, HeldOut

_PAYS_OFF = f"Pays off: calls that earn back what it takes longer to build than {REFERENCE}"
_ERROR = "; error: its law misses nine in ten of the cells held out of its fit by less"


def show(console: Console, advice: Advice, manifest: Manifest) -> None:
    """Print what it is about, what it rests on, the ranking, the answer, and those without one."""
    for line in before(advice, manifest):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if advice.ranking:
        console.print()
        console.print(table(advice))
        console.print(f"{_PAYS_OFF}{_ERROR if advice.basis != MEASURED else ''}.\n", style="dim", soft_wrap=True)
    for line in after(advice):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def before(advice: Advice, manifest: Manifest) -> Iterator[str]:
    """The case, and what the answer rests on."""
    yield f"{capital(words(advice.case))}."
    run = ", ".join(filter(None, [manifest.id, manifest.machine.get("cpu"), f"torch {manifest.machine.get('torch')}"]))
    if not advice.ranking:
        return
    if advice.basis == MEASURED:
        yield f"Measured: this very case is in the run ({run})."
        return
    lacks = "the run does not hold this case; times are by scaling laws fitted to the cases that it holds"
    if advice.basis == INTERPOLATED:
        yield f"Interpolated: {lacks} ({run})."
    else:
        outside = listed([beyond(each) for each in advice.outside])
        yield f"Extrapolated, outside what was measured: {outside}. {capital(lacks)} ({run})."


def beyond(size: Unmet) -> str:
    """`hidden 4096 (measured: hidden 32 to 512)`."""
    return f"{axis_value(size.axis, size.value)} (measured: {value_range(size.axis, size.measured)})"


def why_nothing(advice: Advice) -> str:
    """Why there is no ranking."""
    lacking = advice.reason
    if lacking is None:
        return "no implementation has a law there that can be relied on"
    if isinstance(lacking, str):
        return lacking
    if isinstance(lacking, Apart):
        words = listed([axis_value(axis, value) for axis, value in lacking.values.items()])
        return f"the run has no case with {words} together" if words else "the run has no case"
    asked, *has = (axis_value(lacking.axis, value) for value in (lacking.value, *lacking.measured))
    return f"the run has no case with {asked}; it has {listed(has)}, and laws do not reach across"


def after(advice: Advice) -> Iterator[str]:
    """The answer, and what has none."""
    names = short_names([one.name for one in advice.ranking] + [each.name for each in advice.left])
    if advice.ranking:
        yield answer(advice, names)
        for name, others in advice.same.items():
            who, run = listed([names[other] for other in others]), "runs" if len(others) == 1 else "run"
            yield f"{who} {run} the code of {names[name]} in {advice.case.mode}: one entry."
        if all(one.gain is None for one in advice.ranking):
            yield f"{REFERENCE} has no time for this case, so that there is no gain over it."
    for one in advice.ranking:
        if one.warnings:
            yield f"Warning for {names[one.name]}: {short(one.warnings)}."
    if advice.held_out is not None:
        yield from came_true(advice.held_out)
    for each in advice.left:
        yield f"No answer for {names[each.name]}: {why_left(each)}."
    for name, count in advice.rivals:
        nearest = f"{count} of the {advice.around} cases measured nearest to it"
        yield f"{names[name]} is the fastest, or may be, in {nearest}."


def why_left(left: Left) -> str:
    """`unavailable: made for one layer`, or what is wrong with its law."""
    if left.outcome != UNTRUSTED:
        return f"{left.outcome}: {' '.join(left.reason.split()) or 'no reason was recorded'}"
    if missing(left.error):
        return "one pass gives its law no interval"
    return f"its law misses cells held out of its fit by {rough_percent(left.error)} in the median"


def answer(advice: Advice, names: dict[str, str]) -> str:
    """The implementation to take, or those between which it can't be told."""
    if len(advice.ranking) == 1:
        return f"{names[advice.ranking[0].name]} alone has a time for it: there is nothing to choose between."
    if not advice.fastest:
        return "Which is the fastest can't be told: one pass gives no interval."
    told = [names[name] for name in advice.fastest]
    among = "Of those with an answer, " if advice.rivals else ""
    if len(told) > 1 and advice.standing == UNDECIDED:
        return capital(f"{among}undecided between {listed(told)}: {_WHY_UNDECIDED[advice.basis]}.")
    best = next(one for one in advice.ranking if one.name == advice.fastest[0])
    over = "" if best.gain is None or best.name == REFERENCE else f", {_gain(best)} over {REFERENCE}"
    simplest = f" It ties with {listed(told[1:])} {WITHIN}, and is the simplest." if len(told) > 1 else ""
    return capital(f"{among}{_ADVICE[advice.basis].format(told[0])}{over}.{simplest}")


def came_true(found: HeldOut) -> Iterator[str]:
    """How good such predictions were where the truth is known."""
    yield (
        f"Of {found.cases} measured cases of this setting, each left out in turn, the implementation ranked first was "
        f"the fastest in {found.close}, to within {percent(CLOSE)}."
    )
    if worst := max(found.losses):
        median, most = rough_percent(found.median_loss), rough_percent(worst)
        yield f"Where it was not the fastest, it was slower by {median} in the median, by {most} at worst."
    yield (
        f"The fastest was ruled out in {found.cases - found.among} of {found.cases}; {found.wrongly} of "
        f"{found.ruled_out} ruled out were faster than the first."
    )


_CLOSE = "they are closer than their intervals and the errors of their laws allow to tell"
_WHY_UNDECIDED = {
    MEASURED: "the ratio of the first to another, from the same rounds, does not tell",
    INTERPOLATED: _CLOSE,
    EXTRAPOLATED: _CLOSE,
}
_ADVICE = {
    MEASURED: "use {}",
    INTERPOLATED: "use {} by the laws",
    EXTRAPOLATED: "use {} by the laws, if they hold beyond what was measured",
}


def table(advice: Advice) -> Table:
    """The ranking, fastest first."""
    predicted = advice.basis != MEASURED
    names = short_names([one.name for one in advice.ranking])
    found = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    headings = ["--impl", "time per call", f"gain over {REFERENCE}", "build", "pays off"]
    for heading in [*headings, *(["error"] if predicted else [])]:
        found.add_column(heading, justify="left" if heading == "--impl" else "right", no_wrap=True)
    for one in advice.ranking:
        mark = " (extrapolated)" if advice.basis == INTERPOLATED and one.basis == EXTRAPOLATED else ""
        fields = [
            names[one.name] + mark,
            duration_in(one.seconds.value, one.seconds.low, one.seconds.high),
            _gain(one),
            duration(one.build_seconds),
            _pays_off(one),
        ]
        found.add_row(*fields, *([_error(one)] if predicted else []))
    return found


def words(case: Case) -> str:
    """A case in full: `training on this CPU, hidden 128, 512 steps, batch 1, ...`; an input as wide as the hidden state
    goes without saying."""
    first = ["hidden_size", "seq_len", "batch_size"]
    rest = [axis for axis in FIELDS if axis not in (*first, "mode", "device")]
    axes = [axis for axis in [*first, *rest] if axis != "input_size" or case.input_size != case.hidden_size]
    told = [axis_value(axis, getattr(case, axis)) for axis in axes]
    return ", ".join([f"{case.mode} {on_device(case.device)}", *told])


def _gain(one: Ranked) -> str:
    if one.gain is None:
        return NOTHING
    return "1×" if one.name == REFERENCE else times(one.gain.value, one.gain.low, one.gain.high)


def _pays_off(one: Ranked) -> str:
    """Calls after which building it has paid; REFERENCE is what it is held against."""
    if one.gain is None or one.name == REFERENCE:
        return NOTHING
    return "unclear" if missing(one.payback) else calls_in_words([one.payback]).removesuffix("s").removesuffix(" call")


def _error(one: Ranked) -> str:
    return "not known" if missing(one.error) else rough_percent(one.error)

"""Advice in words, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from bench.cases.words import axis_value, in_words
from bench.report.comparisons import WITHIN
from bench.report.facets import value_range
from bench.report.names import capital, listed, of_torch, phrase, short_names
from bench.report.prices import calls_in_words
from bench.report.terminal import WIDTH, columns
from bench.report.units import NOTHING, duration, duration_in, missing, percent, rough_percent, times
from bench.report.warned import short
from bench.store.manifest import Manifest
from bench.table.advice import EXTRAPOLATED, INTERPOLATED, MEASURED, UNTRUSTED, Advice, Apart, Left, Ranked, Unmet
from bench.table.cells import REFERENCE
from bench.table.comparison import UNDECIDED
from bench.table.ranking import CLOSE, HeldOut
from rnn_impls import networks
from rnn_impls.registry import FASTER, REGISTERED, TAKE_LENGTHS, THREE, known, origin


def text(advice: Advice, manifest: Manifest, width: int = WIDTH) -> str:
    """The answer, the case, the ranking, what it rests on, those without an answer, and how to use the one to use."""
    parts = [[*answers(advice), f"{capital(in_words(advice.case))}."]]
    if advice.ranking:
        parts.append([*table(advice, width), *rests_on(advice, manifest), *qualified(advice)])
    parts.append(list(left_out(advice)))
    if advice.fastest and (len(advice.fastest) == 1 or advice.standing != UNDECIDED):
        parts.append(use_it(advice.fastest[0], advice.case.network))
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def rests_on(advice: Advice, manifest: Manifest) -> Iterator[str]:
    """What the answer rests on, and how good such answers were where the truth is known."""
    run = f"{manifest.id} ({manifest.machine.get('cpu')})"
    if advice.basis == MEASURED:
        yield f"Measured: this case is in the run {run}."
        return
    laws = f"scaling laws fitted to the cases of the run {run}"
    if advice.basis == INTERPOLATED:
        yield f"Interpolated: the run lacks this case; times are by {laws}."
    else:
        yield f"Extrapolated, outside what was measured: {listed([beyond(each) for each in advice.outside])}."
        yield f"Times are by {laws}."
    if advice.held_out is not None:
        yield came_true(advice.held_out)


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


def answers(advice: Advice) -> Iterator[str]:
    """The one to use, and what is the same by another name."""
    names = _names(advice)
    if not advice.ranking:
        return
    yield answer(advice, names)
    for name, others in advice.same.items():
        who, run = listed([names[other] for other in others]), "runs" if len(others) == 1 else "run"
        yield f"{who} {run} the code of {names[name]} in {advice.case.mode}: one entry."
    for name, dtype in advice.rounded.items():
        yield f"{names[name]} rounds its weights to {dtype}: it computes another network, and does not compete."
    if all(one.gain is None for one in advice.ranking):
        yield f"`{REFERENCE}` has no time for this case, so that there is no gain over it."


def qualified(advice: Advice) -> Iterator[str]:
    """What qualifies the times."""
    names = _names(advice)
    for one in advice.ranking:
        if one.warnings:
            yield f"Warning for {names[one.name]}: {short(one.warnings)}."


def left_out(advice: Advice) -> Iterator[str]:
    """Those without an answer, the reasons each once, and who of them may be the fastest."""
    names = _names(advice)
    reasons: dict[str, list[str]] = {}
    for each in advice.left:
        reasons.setdefault(why_left(each), []).append(names[each.name])
    for reason, who in reasons.items():
        yield f"No answer for {listed(who)}: {reason}."
    for name, count in advice.rivals:
        nearest = f"{count} of the {advice.around} cases measured nearest to it"
        yield f"{names[name]} is the fastest, or may be, in {nearest}."


def _names(advice: Advice) -> dict[str, str]:
    """Every implementation as sentences call it."""
    every = [*(one.name for one in advice.ranking), *(each.name for each in advice.left)]
    every += [other for others in advice.same.values() for other in others]
    short = short_names(every)
    return {name: phrase(name, short) for name in short}


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
    why = "" if best.gain is None else f": {_gain(best)} over `{REFERENCE}`"
    if best.name == REFERENCE:
        why = ": all that compete are slower" if advice.rounded else ": all others are slower"
    if len(told) > 1:
        why = f": it ties with {listed(told[1:])} {WITHIN}, and is the simplest"
    return capital(f"{among}{_ADVICE[advice.basis].format(told[0])}{why}.")


def came_true(found: HeldOut) -> str:
    """How good such predictions were where the truth is known."""
    worst = max(found.losses)
    cost = f" At worst, the one named was {rough_percent(worst)} slower." if worst >= CLOSE else ""
    return (
        f"Such predictions named the fastest, to within {percent(CLOSE)}, in {found.close} of {found.cases} measured "
        f"cases, each left out in turn.{cost}"
    )


_WHY_UNDECIDED = {
    MEASURED: "their ratio, from the same rounds, does not tell",
    INTERPOLATED: "their laws err by more than they differ",
    EXTRAPOLATED: "their laws err by more than they differ",
}
_ADVICE = {
    MEASURED: "use {}",
    INTERPOLATED: "use {} by the laws",
    EXTRAPOLATED: "use {} by the laws, if they hold beyond what was measured",
}


def table(advice: Advice, width: int = WIDTH) -> list[str]:
    """The ranking, fastest first, and what its columns are."""
    predicted = advice.basis != MEASURED
    names = short_names([one.name for one in advice.ranking])
    headings = [
        "--impl",
        "time per call",
        f"over {REFERENCE}",
        "build",
        "pays off after",
        *(["error"] if predicted else []),
    ]
    rows = []
    for one in advice.ranking:
        mark = " (extrapolated)" if advice.basis == INTERPOLATED and one.basis == EXTRAPOLATED else ""
        fields = [
            names[one.name] + mark,
            duration_in(one.seconds.value, one.seconds.low, one.seconds.high),
            _gain(one),
            duration(one.build_seconds),
            _pays_off(one),
        ]
        rows.append([*fields, *([_error(one)] if predicted else [])])
    notes = ["Error: what its law misses nine in ten unseen cells by at most."] if predicted else []
    return [*columns(headings, rows, spare=(3, 4, 5), width=width), *notes]


_AT_ONCE = (*THREE, *FASTER, *TAKE_LENGTHS, "rnncell", "scan")
"""What needs nothing done before its first call."""


def use_it(name: str, network: str = "rnn-tanh") -> list[str]:
    """How to use an implementation in code of one's own, in lines, those to copy behind four spaces; nothing for one
    that is one's own."""
    if name == REFERENCE:
        told = of_torch(f"In your own code, `{name}` is an `nn.RNN`, called once for the sequence:", [network])
        return [told, "    outputs, hidden = rnn(inputs, hidden)"]
    if name not in known() or name in REGISTERED:
        return []
    if network not in networks.BUILTIN:
        return [f"`{name}` is in {origin(name)}."]
    return [
        of_torch(f"In your own code, instead of an `nn.RNN` (see {origin(name)}):", [network]),
        "    from rnn_impls import build",
        f'    fast = build("{name}", rnn)',
        *([] if name in _AT_ONCE else ["    fast.prepare(inputs, hidden)"]),
        f"    outputs, hidden = fast(inputs, hidden{', lengths' if name in TAKE_LENGTHS else ''})",
    ]


def _gain(one: Ranked) -> str:
    if one.gain is None:
        return NOTHING
    return "1×" if one.name == REFERENCE else times(one.gain.value, one.gain.low, one.gain.high)


def _pays_off(one: Ranked) -> str:
    """Calls after which building it has paid; REFERENCE is what it is held against."""
    if one.gain is None or one.name == REFERENCE:
        return NOTHING
    return "unclear" if missing(one.payback) else calls_in_words([one.payback])


def _error(one: Ranked) -> str:
    return "not known" if missing(one.error) else rough_percent(one.error)

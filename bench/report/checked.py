"""A checkup in words, for a terminal of any width: the verdict, what would mend it, and each distinct outcome once."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from bench.cases.case import Case
from bench.cases.words import apart, axis_value, in_words
from bench.report.names import listed
from bench.run.checkup import Checkup, Outcome, varying
from bench.store.manifest import DIFFERS, EQUAL, FAILED, UNAVAILABLE

_DOES = {DIFFERS: "differs", FAILED: "fails"}
_HEADS = {DIFFERS: "not equal", FAILED: "failed", UNAVAILABLE: "declined", EQUAL: "equal"}
_STYLES = {DIFFERS: "red", FAILED: "red", UNAVAILABLE: "dim", EQUAL: "green"}
_SAYS = {
    "batch_first": ("does not have the batch first", "has the batch first"),
    "takes_hidden": ("takes no hidden state", "takes a hidden state"),
    "sizes": ("has other names for the sizes", ""),
    "networks": ("computes one network alone", ""),
    "weight_map": ("has other names for its weights", ""),
}
"""What a line says of the class that it stands in, by the attribute that it sets; second where it sets it to True."""


@dataclass(frozen=True)
class Line:
    """What is printed, and rich's style for it."""

    text: str
    style: str = ""


def checked(name: str, found: Checkup, width: int) -> Iterator[Line]:
    """The lines, none longer than the width but where a single word is."""
    own = name.rpartition(":")[2]
    yield from _wrapped(verdict(own, found.counts), width, "bold")
    if found.taken:
        yield from _wrapped(f"Called {', '.join(found.taken)}.", width)
    if found.lines:
        yield from _mending(own, found, width)
    for group in found.distinct():
        yield Line("")
        yield from _told(group, found, width)
    if found.outcomes:
        same = [axis for axis in ("device", "dtype", "hidden_size", "threads") if axis not in _told_apart(found)]
        first = found.outcomes[0].case
        words = ", ".join(axis_value(axis, getattr(first, axis)) for axis in same)
        yield Line("")
        yield from _wrapped(f"Held against the network in float64: {words}.", width, "dim")
    if found.is_sound:
        yield Line("What does it cost, beside the others?")
        computed = sorted({outcome.case.network for outcome in found.outcomes if outcome.status == EQUAL})
        asked = "" if Case.network in computed else f" --network {','.join(computed)}"
        ragged = all(outcome.case.ragged for outcome in found.outcomes if outcome.status == EQUAL)
        beside = "--preset ragged --impl ragged" if ragged else "--impl default"
        yield Line(f"    rnn-bench run {beside},{name}{asked}")


def verdict(own: str, counts: Counter[str]) -> str:
    """One sentence about all cases."""
    tried = sum(counts.values()) - counts[UNAVAILABLE]
    if not tried:
        return f"`{own}` runs in none of the {counts[UNAVAILABLE]} cases: nothing is known of it."
    declined = f"; it declines {counts[UNAVAILABLE]}" if counts[UNAVAILABLE] else ""
    wrong = [f"{does} in {counts[status]}" for status, does in _DOES.items() if counts[status]]
    if wrong:
        return f"`{own}` {listed(wrong)} of {_cases(tried)}{declined}."
    return (
        f"`{own}` computes the network: equal in {'its only case' if tried == 1 else f'all {tried} cases'}{declined}."
    )


def _mending(own: str, found: Checkup, width: int) -> Iterator[Line]:
    """The lines that make it right, and how right."""
    says = listed([_SAYS[name][line.endswith("= True")] for name, line in found.lines.items()])
    lines = [part for line in found.lines.values() for part in line.splitlines()]
    yield Line("")
    yield from _wrapped(f"It {says}. Add to `{own}`:", width)
    yield from (Line(f"    {line}", "bold") for line in lines)
    counts = found.mended
    tried = sum(counts.values()) - counts[UNAVAILABLE]
    wrong = f", wrong in {counts[DIFFERS] + counts[FAILED]}" if counts[DIFFERS] + counts[FAILED] else ""
    equal = f"all {_cases(tried)}" if counts[EQUAL] == tried else f"{counts[EQUAL]} of {_cases(tried)}"
    declined = f"; it then declines {counts[UNAVAILABLE]}" if counts[UNAVAILABLE] else ""
    yield from _wrapped(f"Tried: like that it is equal in {equal}{wrong}{declined}.", width)


def _told(group: list[Outcome], found: Checkup, width: int) -> Iterator[Line]:
    """One distinct outcome: in how many cases, in which, and why."""
    first, cases = group[0], [outcome.case for outcome in group]
    everywhere = [outcome.case for outcome in found.outcomes]
    tried = [outcome.case for outcome in found.outcomes if outcome.status != UNAVAILABLE]
    where = apart(cases, everywhere) or apart(cases, tried)
    head = f"{_HEADS[first.status]} in {_cases(len(group))}{f' ({where})' if where else ''}"
    if first.status == EQUAL:
        worst = max(outcome.error or 0.0 for outcome in group)
        yield from _wrapped(f"{head}: largest error {worst:.1e}", width, _STYLES[EQUAL])
        return
    differ, everything = len({outcome.reason for outcome in group}) > 1, len(group) in (len(everywhere), len(tried))
    example = ""
    if differ or not (where or everything):
        example = f"; {'first ' if len(group) > 1 else ''}at {in_words(first.case)}"
    yield from _wrapped(f"{head}:", width, _STYLES[first.status])
    yield from _wrapped(f"{first.reason}{example}", width, indent="    ")


def _told_apart(found: Checkup) -> list[str]:
    return varying(outcome.case for outcome in found.outcomes)


def _cases(count: int) -> str:
    return f"{count} case{'' if count == 1 else 's'}"


def _wrapped(text: str, width: int, style: str = "", indent: str = "") -> Iterator[Line]:
    """Broken between words alone; what goes on is indented."""
    further = indent + "  "
    broken = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from (Line(line, style) for line in broken)

"""The scaling laws of a run in sentences: how well they hold, and where ways or devices cross."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report.context import Finding
from bench.report.laws.pairs import devices, ways
from bench.report.laws.table import share
from bench.report.laws.words import Words
from bench.report.names import axis_value, listed
from bench.report.units import missing, percent
from bench.scaling import Fit, Laws, Unfitted

TRUSTED = 0.15
"""The median error on held-out cells beyond which a law is shown, but no crossover drawn from it."""

MOST = 4
"""Longer lists are cut short."""

LAW = "time = fixed + steps × (per step + per product × products of a step)"


def findings(found: Laws) -> list[Finding]:
    """How well the laws hold; where two ways, or two devices, cross; which laws are missing or not used, and why."""
    words = Words(found)
    fits = words.sort(found.fits)
    usable = [fit for fit in fits if fit.held_out_error <= TRUSTED and len(fit.passes) > 1]
    return [
        *_quality(words, fits), *ways(words, usable), *devices(words, usable), *_unused(words, fits),
        *_unfitted(words, found.unfitted),
    ]  # fmt: skip


def _quality(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """How far the laws miss cells that they have not seen: within the grid, at the worst, and beyond it."""
    if not fits:
        return []
    worst = max(fits, key=lambda fit: abs(fit.worst[1]))
    point, error = worst.worst
    at = f"{axis_value('hidden_size', point.hidden_size)}, {axis_value('seq_len', point.steps)}"
    text = f"The law {LAW} predicts cells held out of its fit with a median error of "
    text += f"{_span([fit.held_out_error for fit in fits])}; at worst it is {share(abs(error))} too "
    text += f"{'high' if error > 0 else 'low'}, for {words.whole(worst)}, at {at}."
    sizes = _span([fit.beyond(lambda point: point.products) for fit in fits])
    lengths = _span([fit.beyond(lambda point: point.steps) for fit in fits])
    if sizes and lengths:
        text += " Beyond what it was fitted to it can be worse: predicted from the smaller sizes alone, the largest "
        text += f"size is missed by {sizes}; from the shorter sequences alone, the longest one by {lengths}."
    return [Finding("law", text)]


def _span(errors: Sequence[float]) -> str:
    """The least and the largest of some errors: `0.6 to 7.6 %`; empty if there are none."""
    known = [error for error in errors if not missing(error)]
    ends = list(dict.fromkeys(share(end(known)) for end in (min, max))) if known else []
    return " to ".join([*(text.removesuffix(" %") for text in ends[:-1]), *ends[-1:]])


def _unused(words: Words, fits: Sequence[Fit]) -> list[Finding]:
    """The laws that no crossover is drawn from."""
    found = []
    if alone := [fit for fit in fits if len(fit.passes) < 2]:
        text = "one pass" if len(alone) == len(fits) else f"one pass of {listed([words.whole(fit) for fit in alone])}"
        found.append(f"No crossover is drawn from {text}: it gives the numbers of a law, but no interval.")
    if poor := sorted((fit for fit in fits if fit.held_out_error > TRUSTED), key=lambda fit: -fit.held_out_error):
        each = [f"{words.whole(fit)} ({percent(fit.held_out_error)})" for fit in poor]
        text = f"No crossover is drawn from a law that misses held-out cells by more than {percent(TRUSTED)}"
        found.append(f"{text} in the median: {listed(_few(each, 'others'))}.")
    return [Finding("law:unused", " ".join(found))] if found else []


def _unfitted(words: Words, unfitted: Sequence[Unfitted]) -> list[Finding]:
    """What has no law, by reason; ways that lack it in the same settings together."""
    lacks: dict[str, dict[str, list[str]]] = {}
    for each in sorted(unfitted, key=lambda each: words.names.index(each.implementation)):
        where = f"{words.where(each)} ({each.cells} cell{'' if each.cells == 1 else 's'})"
        lacks.setdefault(each.reason, {}).setdefault(words.way(each), []).append(where)
    found = []
    for reason, by_way in lacks.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for way, settings in by_way.items():
            alike.setdefault(tuple(settings), []).append(way)
        who = [f"{listed(names)} {listed(_few(list(where), 'other settings'))}" for where, names in alike.items()]
        found.append(Finding("law:unfitted", f"No law for {'; nor for '.join(who)}: {reason}."))
    return found


def _few(parts: list[str], others: str) -> list[str]:
    """The parts, or the first of them and how many others there are."""
    return parts if len(parts) <= MOST else [*parts[: MOST - 1], f"{len(parts) - MOST + 1} {others}"]

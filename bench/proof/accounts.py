"""What the two proofs found, for a terminal: the answer, the tables, what they rest on."""

from __future__ import annotations

from typing import Any

from bench.proof.peers import CHECKS
from bench.proof.rates import Row, upper
from bench.report.terminal import columns
from bench.report.units import rough_percent, whole_percent

METHODS = {
    "ours": "this suite",
    "blocked_autorange": "torch.utils.benchmark blocked_autorange",
    "pytest_median": "pytest-benchmark, medians",
    "pytest_mean": "pytest-benchmark, means",
    "pytest_min": "pytest-benchmark, minima",
}


def accurate(found: dict[str, Any]) -> list[str]:
    """Are the numbers right? Sentences."""
    scatter = found["coefficient_of_variation"]
    best = min((name for name in METHODS if name != "ours"), key=scatter.__getitem__)
    held, of = found["intervals_hold_known_truth"]
    missed, worst = found["median_error_of_known_truth"], found["largest_error_of_known_truth"]
    return [
        f"This suite's repeats scatter by {rough_percent(scatter['ours'])}, those of the best other method "
        f"({METHODS[best]}) by {rough_percent(scatter[best])}.",
        f"Its 95 % intervals held a known truth in {held} of {of} measurements.",
        f"It missed that truth by {rough_percent(missed)} in the median, by {rough_percent(worst)} at most.",
    ]


def accuracy_account(found: dict[str, Any]) -> str:
    """All of it for a terminal of 80 columns."""
    scatter, still = found["coefficient_of_variation"], found["variation_at_one_speed"]
    rows = []
    for name, label in METHODS.items():
        wall = found["median_wall_seconds"]["pytest_benchmark" if name.startswith("pytest") else name]
        factor = "" if name == "ours" else f"{scatter[name] / scatter['ours']:.1f}×"
        shown = (rough_percent(scatter[name]), factor, rough_percent(still[name]), f"{wall:.1f} s")
        rows.append((label.rpartition("benchmark ")[2], *shown))
    headings = ("method", "scatter", "over ours", "at one speed", "a repeat takes")
    held, of = found["intervals_hold_median"]
    simulated = [(each["rule"], f"{each['share']:.1%}".replace("%", " %")) for each in found["simulated_coverage"]]
    coverage = columns(("intervals that hold the truth", ""), [("simulated runs", ""), *_indented(simulated)])
    machine = found["machine"]
    parts = [
        "\n".join(accurate(found)),
        "\n".join(columns(headings, rows)),
        "\n".join([*coverage, f"the median of all repeats, by each one's own: {held} of {of}"]),
        "Scatter is the coefficient of variation of the speed-up of `whole` over `manual` at hidden 128, 64 steps, "
        "inference.\n"
        f"Each method measured it {found['repeats']} times in turn, on {machine['cpu']}, one thread, torch "
        f"{machine['torch']}{beside(found)}.\n"
        f"At one speed leaves out how the machine itself changed: by {whole_percent(found['machine_slower_by'])}.",
    ]
    if len(found["sittings"]) > 1:
        parts.insert(2, "\n".join(_sittings(found["sittings"])))
    return "\n\n".join(parts)


def _indented(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(f"  {first}", second) for first, second in rows]


def _sittings(sittings: list[dict[str, Any]]) -> list[str]:
    """A row for each sitting."""
    rows = []
    for number, each in enumerate(sittings, start=1):
        held, of = each["intervals_hold_known_truth"]
        scatter = each["coefficient_of_variation"]
        others = [rough_percent(scatter[name]) for name in METHODS if name != "ours"]
        rows.append((str(number), rough_percent(scatter["ours"]), *others, f"{held} of {of}"))
    return columns(("sitting", "ours", "autorange", "medians", "means", "minima", "truths held"), rows, left=())


def beside(found: dict[str, Any]) -> str:
    """The neighbours, in words."""
    each = found.get("sittings", [found])
    told = [f"{one['neighbour_share']:.2f}" for one in each if one.get("neighbour_share") is not None]
    return f", beside a neighbour that took {' and '.join(told)} of a core" if told else ""


def trusted(found: Row) -> list[str]:
    """Is the gate right? Sentences."""
    unchanged = found["unchanged"]
    failed, runs = unchanged["failed"], unchanged["runs"]
    bound = whole_percent(upper(failed, runs))
    told = [f"{failed} of {runs} gates of an unchanged tree failed: with 95 % certainty at most {bound} do."]
    slow = [kind for kind in found["kinds"] if kind["delay"]]
    if slow:
        caught, planted = (sum(kind[name] for kind in slow) for name in ("failed", "runs"))
        told.append(f"{caught} of {planted} gates of a slower tree failed, as they should.")
    wrong = len(found["wrong"])
    return [*told, f"{wrong} verdicts were wrong." if wrong > 1 else f"{'One' if wrong else 'No'} verdict was wrong."]


def trust_account(found: Row) -> str:
    """All of it for a terminal of 80 columns."""
    headings = ("slowed by", "--min-effect", "--budget", "gates failed", "cells found", "time of one")
    rows = [
        (
            planted(kind["delay"]),
            whole_percent(kind["min_effect"]),
            f"{kind['budget']:.0f} s",
            share(kind["failed"], kind["runs"]),
            share(kind["found_cells"], kind["slowed_cells"]) if kind["delay"] else "",
            f"{kind['median_seconds']:.0f} s",
        )
        for kind in found["kinds"]
    ]
    machine = found["machine"]
    parts = ["\n".join(trusted(found)), "\n".join(columns(headings, rows))]
    if found["peer"]:
        parts.append("\n".join(["What plain pytest-benchmark makes of the same cells, run by run:", *_peer(found)]))
    parts.append(
        f"Measured on {machine['cpu']}, {machine['cores']} cores, torch {machine['torch']}{beside(found)}: "
        f"{found['cells']} cells ({' and '.join(found['modes'])}).\n"
        "A slowdown is planted in one of three implementations."
    )
    if found["wrong"]:
        parts.append("\n".join(["Wrong verdicts:", *(f"  {told}" for told in found["wrong"])]))
    return "\n\n".join(parts)


def _peer(found: Row) -> list[str]:
    delays = peer_delays(found)
    rows = []
    for check in CHECKS:
        own = [row for row in found["peer"] if row["check"] == check]
        rows.append((check, *(share(row["failed"], row["runs"]) for row in own)))
    return columns(("--benchmark-compare-fail", *(planted(delay) for delay in delays)), rows)


def peer_delays(found: Row) -> list[float]:
    """The slowdowns that are planted for pytest-benchmark."""
    return list(dict.fromkeys(row["delay"] for row in found["peer"]))


def planted(delay: float) -> str:
    """A slowdown in a table."""
    return f"+{delay:.0%}" if delay else "nothing"


def share(count: int, of: int) -> str:
    """`3 of 30`."""
    return f"{count} of {of}"

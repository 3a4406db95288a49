"""What pytest-benchmark's --benchmark-compare-fail would pass in silence, as clear errors.

By itself it looks only at benchmarks that both runs have: one that the saved run lacks, a selection that is empty or
skipped, and a saved run of another machine are all green. `conftest.py` asks here before and after measuring.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.host.identity import differences
from bench.store.passes import test_name

OPTION = "--benchmark-compare-fail"


def wrong_options(arguments: Sequence[str], compares: bool) -> str:
    """What is wrong with the command line, or nothing: thresholds without a run, or some that would be forgotten."""
    given = [argument for argument in arguments if argument.partition("=")[0] == OPTION]
    if given and not compares:
        return f"{OPTION} has nothing to compare with; add --benchmark-compare"
    if len(given) > 1:
        return f"{OPTION} is given {len(given)} times and only the last would count; write {OPTION} mean:5% min:10%"
    return ""


def different_machine(now: Mapping[str, Any], saved: Mapping[str, Any], name: str) -> str:
    """How the saved run's machine and software differ from those of now, or nothing."""
    ours, theirs = now.get("rnn_bench", {}), saved.get("machine_info", {}).get("rnn_bench")
    if theirs is None:
        return f"{name}: not a run of this suite, {OPTION} cannot tell whether it is of this machine"
    told = ", ".join(f"{key} {then} then, {now} now" for key, (then, now) in differences(theirs, ours).items())
    return f"{name}: of another machine or software, {OPTION} would compare what can't be ({told})" if told else ""


def rename(saved: dict[str, Any]) -> dict[str, Any]:
    """The saved run with each benchmark of this suite under the name that its test has today: what it is of, it says
    itself. Runs of earlier versions, whose tests had longer names, can be compared with like this."""
    for benchmark in saved["benchmarks"]:
        info = benchmark.get("extra_info", {})
        if {"case", "implementation"} <= set(info):
            test = benchmark["fullname"].partition("[")[0]
            benchmark["fullname"] = f"{test}[{test_name(info['case'], info['implementation'])}]"
    return saved


def not_in_baseline(selected: Sequence[str], saved: Iterable[Mapping[str, Any]]) -> str:
    """Which of the selected benchmarks no saved run has, or that nothing is selected at all; else nothing."""
    if not selected:
        return f"no benchmark is selected, {OPTION} would pass by comparing nothing"
    known = {benchmark["fullname"] for content in saved for benchmark in content["benchmarks"]}
    missing = [name for name in selected if name not in known]
    return f"{_some(missing)} not in the saved run, {OPTION} would pass them unseen" if missing else ""


def not_measured(selected: Sequence[str], measured: Iterable[str]) -> str:
    """Which of the selected benchmarks were not measured in the end, or nothing."""
    done = set(measured)
    missing = [name for name in selected if name not in done]
    return f"{_some(missing)} not measured, and so not compared: {OPTION} cannot pass" if missing else ""


def _some(names: Sequence[str]) -> str:
    """`3 benchmarks (the first: x) are`."""
    if len(names) == 1:
        return f"{names[0]} is"
    return f"{len(names)} benchmarks (the first: {names[0]}) are"

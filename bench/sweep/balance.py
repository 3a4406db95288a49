"""Cases into shards of about the same cost.

    call  = max(operations / RATES, links x LINK_SECONDS)
    Case  = passes x max(case_seconds, MIN_ROUNDS x implementations x call) + LOOKS x implementations x call
    shard = the sum over its Cases

Only the balance rests on it: the costliest Case goes first, each to the shard that has least so far (Graham, SIAM
Journal on Applied Mathematics 17(2), 1969, 416-429: never more than 4/3 of the best). All implementations are taken
to cost the same, since a Case is never divided: its ratios need them side by side.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Mapping

from bench.cases.case import Case
from bench.cases.settings import Settings
from bench.run.plan import MIN_ROUNDS
from bench.why.work import work
from rnn_impls import networks

RATES = {"cpu": 2e10, "cuda": 5e12, "mps": 1e12}
"""Operations a second, of a thread on the CPU: the order of magnitude."""
LINK_SECONDS = {"cpu": 1e-5, "cuda": 3e-5, "mps": 1e-4}
"""What a step costs at least where Python makes it, as half of the implementations do."""
LOOKS = 5
"""Calls of a survey: parity, its length, its memory."""


def estimated_seconds(case: Case, implementations: int, settings: Settings) -> float:
    """About how long a Case takes in all passes of a run. A call beyond `max_call` is made once, and left out."""
    known = dataclasses.replace(case, network=networks.DEFAULT) if networks.is_own(case.network) else case
    asked = work(known)
    threads = case.threads if case.device == "cpu" else 1
    call = max(asked.operations / (RATES[case.device] * threads), asked.links * LINK_SECONDS[case.device])
    if call > settings.max_call:
        return call * implementations
    block = max(settings.case_seconds, MIN_ROUNDS * implementations * call)
    return settings.passes * block + LOOKS * implementations * call


def case_costs(settings: Settings) -> dict[str, float]:
    """The id of each Case that is asked for -> its estimated seconds, in the preset's order. Raises ValueError."""
    names: dict[Case, int] = {}
    for case, _ in settings.cells():
        names[case] = names.get(case, 0) + 1
    return {case.id: estimated_seconds(case, count, settings) for case, count in names.items()}


def balanced(costs: Mapping[str, float], shards: int) -> list[list[str]]:
    """The ids of the Cases of each shard, in the order given; none is empty, so that there are fewer shards where there
    are fewer Cases. Equal costs in equal order give equal shards."""
    loads = [(0.0, number) for number in range(min(shards, len(costs)))]
    taken: dict[str, int] = {}
    for name in sorted(costs, key=lambda name: (-costs[name], name)):
        load, number = heapq.heappop(loads)
        taken[name] = number
        # a Case that costs nothing still counts as one, so that no shard stays empty
        heapq.heappush(loads, (load + max(costs[name], 1e-9), number))
    found: list[list[str]] = [[] for _ in loads]
    for name in costs:
        found[taken[name]].append(name)
    return found

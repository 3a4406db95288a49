"""Implementations that installed packages offer.

A package names its own under the entry-point group `rnn_bench.implementations`, in its pyproject.toml:

    [project.entry-points."rnn_bench.implementations"]
    their-rnn = "their_package.module:TheirClass"

Listing them reads the metadata of what is installed and imports nothing.
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

GROUP = "rnn_bench.implementations"


@dataclass(frozen=True)
class Offer:
    """What a package offers under a name: a module, an attribute of it, and whose they are.

    `wrong` says why it cannot be taken up; its `name` then carries the package's, so that it is nobody else's.
    """

    name: str
    module: str
    attribute: str
    package: str
    wrong: str = ""


def offers(reserved: Iterable[str]) -> dict[str, Offer]:
    """Every offer by the name it is selected by, in alphabetical order; `reserved` names are not theirs to take."""
    return _offers(frozenset(reserved), tuple(sys.path))


@functools.cache
def _offers(reserved: frozenset[str], _path: tuple[str, ...]) -> dict[str, Offer]:
    """The same, read once for what is reserved and where packages are looked for."""
    found = sorted((entry.name, _package(entry), entry) for entry in importlib.metadata.entry_points(group=GROUP))
    times = Counter(name for name, *_ in found)
    taken: dict[str, Offer] = {}
    for _, package, entry in found:
        wrong = ""
        if entry.name in reserved:
            wrong = f"the package {package} offers {entry.name!r}, a name that this suite has itself"
        elif times[entry.name] > 1:
            wrong = f"the package {package} offers {entry.name!r}, and so does another package"
        elif not re.fullmatch(r"[\w.-]+", entry.name):
            wrong = f"the package {package} offers {entry.name!r}; a name is made of letters, digits, '-', '_' and '.'"
        # An offer that cannot be taken up is still a row that says why.
        own = f"{entry.name}@{package.replace(' ', '-')}"
        name = re.sub(r"[^\w.@-]", "_", own) if wrong else entry.name
        taken[name] = Offer(name, entry.module, entry.attr or "", package, wrong)
    return taken


def _package(entry: importlib.metadata.EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"

"""Does one implementation compute the network, case by case; and which lines would mend a bare module that does not.

What a class could say of how it is called (`rnn_impls.adapter`) is tried, not guessed: a class derived from it with the
lines in it is held against the reference, and only what makes it right is told.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, permutations, product
from typing import Any

from bench.cases.case import Case
from bench.measure import spotcheck, state
from bench.measure.fault import Fault, line_of
from bench.measure.parity import ParityError
from bench.measure.parity import check as compare
from bench.measure.problem import network_shape
from bench.measure.reference import Reference
from bench.store.manifest import DIFFERS, EQUAL, FAILED, UNAVAILABLE
from bench.worker.surveyor import failure
from rnn_impls import networks
from rnn_impls.adapter import Adapter, adapted
from rnn_impls.arguments import SIZES, USUAL, unclaimed
from rnn_impls.interface import Implementation

MOST_TRIED = 24
"""Ways in which a constructor's parameters are taken for sizes."""

LONGEST = 70
"""Columns of a line that is told."""

Lines = dict[str, Any]
"""Attribute of a class -> its value."""


def examine(case: Case, implementation: type[Implementation], name: str = "") -> tuple[str, str, float | None]:
    """The status of a case, the reason where it is not EQUAL, and the largest error where it is; a line of the file of
    `name` is told with what was raised there."""
    try:
        with state.kept("when it is built or called"):
            largest = compare(Reference.of(case), implementation)
            spotcheck.check_forgets(case, implementation)
    except ParityError as error:
        return DIFFERS, str(error), None
    except Fault as error:  # where it shows is no line of the file
        return FAILED, str(error), None
    except Exception as error:  # a user's implementation may raise anything; it is still asked for the next case
        status, reason = failure(error)
        return status, reason + (line_of(error, name) if status == FAILED else ""), None
    return EQUAL, "", largest


@dataclass(frozen=True)
class Mend:
    """Lines for a class, and how many cases then have which status."""

    lines: Lines
    counts: Counter[str]

    def text(self, function: str = "") -> dict[str, str]:
        """Each as it is written in a class, or below a function of this name, by attribute."""
        of = f"{function}." if function else ""
        return {name: f"{of}{name} = {_written(name, value)}" for name, value in self.lines.items()}

    @property
    def wrong(self) -> int:
        """In how many it is not what it should be."""
        return self.counts[DIFFERS] + self.counts[FAILED]


def mend(implementation: type[Adapter], cases: Sequence[Case], statuses: Sequence[str]) -> Mend | None:
    """What would make a bare module right in more of these cases than it is now, by their statuses; None where nothing
    that was tried does."""
    build = implementation.build
    now = best = Mend({}, Counter(statuses))

    def better(lines: Lines) -> bool:
        nonlocal best
        found = Mend(lines, Counter(examine(case, _adapted(build, lines))[0] for case in cases))
        gains = (-found.wrong, found.counts[EQUAL]) > (-best.wrong, best.counts[EQUAL])
        best = found if gains and found.counts[EQUAL] else best
        return best is found

    if now.wrong:
        for lines in _calls(build):
            if (whole := _right(build, lines, cases)) and better(whole) and not best.wrong:
                break
    if best.wrong:
        any(better(best.lines | {"networks": (name,)}) for name in dict.fromkeys(case.network for case in cases))
    for size in (*USUAL, "output_size"):
        for other in unclaimed(_with(build, best.lines)) if best.counts[UNAVAILABLE] or best.wrong else ():
            if better(best.lines | {"sizes": _sizes(build, best.lines) | {size: other}}):
                break
    return best if best is not now else None


def _right(build: Callable[..., object], lines: Lines, cases: Sequence[Case]) -> Lines | None:
    """The lines, with a map of the weights where that is missing and follows from their shapes, if they make it right
    where batch, steps and sizes differ from one another; None for lines that don't."""
    first = cases[0]
    for network in sorted({case.network for case in cases}, key=lambda name: name != networks.DEFAULT):
        probe = dataclasses.replace(first, mode="inference", network=network, num_layers=1, output_size=0)
        probe = dataclasses.replace(probe, batch_size=3, seq_len=7, input_size=first.hidden_size + 5)
        for said in (lines, lines | {"networks": (network,)}):
            try:
                found = said | _weights(_adapted(build, said), probe)
            except Exception:  # whatever a constructor raises that is given what it does not expect
                continue
            if examine(probe, _adapted(build, found))[0] == EQUAL:
                return found
    return None


def _calls(build: Callable[..., object]) -> Iterator[Lines]:
    """Ways of calling a class and its module, those with the fewest lines first."""
    missing = [size for size in SIZES if _sizes(build).get(size, size) not in inspect.signature(build).parameters]
    taken = islice(permutations(unclaimed(build), len(missing)), MOST_TRIED)
    names = [_sizes(build) | dict(zip(missing, each, strict=True)) for each in taken] if missing else [_sizes(build)]
    flags = {"batch_first": False, "takes_hidden": True}
    said = {name: bool(getattr(build, name, usual)) for name, usual in flags.items()}
    found: list[Lines] = []
    for sizes, *values in product(names, *((said[name], not said[name]) for name in flags)):
        lines: Lines = {name: value for name, value in zip(flags, values, strict=True) if value != said[name]}
        found.append({"sizes": sizes} | lines if sizes != _sizes(build) else lines)
    return iter(sorted(found, key=len))


def _weights(implementation: type[Adapter], probe: Case) -> Lines:
    """A `weight_map` for a module of one layer that declares none and whose parameters have names of their own: each
    weight that has its shape alone, and the biases in their order. Nothing where none is needed, or none follows."""
    shape = network_shape(probe)
    module = implementation(shape)
    if getattr(implementation.build, "weight_map", None) is not None or _has_map(module):
        return {}
    own = {path: tuple(parameter.shape) for path, parameter in module.module.named_parameters()}
    wanted = shape.weight_shapes()
    biases, vectors = ([name for name, size in each.items() if len(size) == 1] for each in (wanted, own))
    sums = {f"{name}_l0": pair for name in shape.network.sums if (pair := shape.summed(f"{name}_l0"))}
    found = dict(zip(biases if len(vectors) == len(biases) else sums, vectors, strict=False))
    for name in (name for name in wanted if name not in biases):
        fitting = [path for path, size in own.items() if size == wanted[name]]
        found |= {name: fitting[0]} if len(fitting) == 1 else {}
    return {"weight_map": {name: found[name] for name in (*wanted, *sums) if name in found}}


def _written(name: str, value: Any) -> str:
    """A value as people write it in Python, in several lines where it would be a long one."""
    if isinstance(value, tuple):
        return f"({', '.join(map(json.dumps, value))},)"
    if not isinstance(value, dict):
        return str(value)
    line = json.dumps(value)
    return line if len(name) + len(line) < LONGEST else json.dumps(value, indent=4).replace('"\n}', '",\n}')


def _has_map(module: Adapter) -> bool:
    try:
        module.weight_map()
    except ValueError:
        return False
    return True


def _sizes(build: Callable[..., object], lines: Lines | None = None) -> dict[str, str]:
    """What it says that its constructor calls a size."""
    found: dict[str, str] = (lines or {}).get("sizes") or getattr(build, "sizes", {})
    return dict(found)


def _with(build: Any, lines: Lines) -> Callable[..., object]:
    """A class with lines in it, or a function with them set."""
    if not lines:
        return build  # type: ignore[no-any-return] # what is built is what it was given
    if isinstance(build, type):
        return type(build.__name__, (build,), {"__doc__": build.__doc__, "__module__": build.__module__} | lines)

    @functools.wraps(build)
    def built(**given: Any) -> object:
        return build(**given)

    vars(built).update(lines)
    return built


def _adapted(build: Any, lines: Lines) -> type[Adapter]:
    found = adapted(_with(build, lines))
    assert issubclass(found, Adapter)  # a bare module's class stays one
    return found

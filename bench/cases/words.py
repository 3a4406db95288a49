"""A Case as people say it: `hidden 8, 7 steps, batch 3, training`; and what sets some cases apart among others."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import Any

from bench.cases import lengths
from bench.cases.case import FIELDS, Case

NAMES = {"cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (MPS)"}
_FORMS = {
    "input_size": "input {}", "hidden_size": "hidden {}", "batch_size": "batch {}", "threads": "{} thread",
    "num_layers": "{} layer", "output_size": "output {}", "seq_len": "{} step",
}  # fmt: skip
_SAID: dict[str, dict[Any, str]] = {
    "bidirectional": {True: "bidirectional", False: "one direction"},
    "lengths": {lengths.FIXED: "one length"},
    "loss": {"all": "loss on all steps", "last": "loss on the last step"},
    "flush_denormal": {True: "denormals flushed", False: "denormals kept"},
    "tf32": {True: "TF32 allowed", False: "no TF32"},
}
_ALWAYS = ("hidden_size", "seq_len", "mode")
_MOST_SAID = 3
"""Fields that a description of several cases may name, beyond which nobody follows."""


def device(name: str) -> str:
    """A device type in a heading."""
    return NAMES.get(name, name)


def steps(count: int) -> str:
    """A sequence length."""
    return f"{count} step{'' if count == 1 else 's'}"


def axis_value(axis: str, value: Any) -> str:
    """A value of one field of Case, in words: `batch 16`, `2 layers`, `float16`."""
    if axis == "device":
        return device(str(value))
    if axis == "output_size" and value == 0:
        return "no output head"
    if axis in _SAID:
        return _SAID[axis].get(value) or f"{axis} {value}"
    text = _FORMS.get(axis, "{}").format(value)
    return text + "s" if axis in ("threads", "num_layers", "seq_len") and value != 1 else text


def in_words(case: Case) -> str:
    """`hidden 8, 7 steps, batch 3, training`: its sizes, and whatever else is not as it usually is, the mode last."""
    usual = Case(hidden_size=case.hidden_size, input_size=case.hidden_size).as_dict()
    told = [axis for axis in FIELDS if axis not in _ALWAYS and getattr(case, axis) != usual[axis]]
    return ", ".join(axis_value(axis, getattr(case, axis)) for axis in ("hidden_size", "seq_len", *told, "mode"))


def apart(part: Collection[Case], whole: Collection[Case]) -> str:
    """What these of all cases have that no other has, in as few fields as say it exactly, or as the others' exception:
    `rnn-relu`, `batch 3, 7 steps`, `all but 2 layers`; empty where they are all, or where few fields do not say it."""
    wanted, everything = set(part), set(whole)
    if not wanted or wanted == everything:
        return ""
    others = _exactly(everything - wanted, everything)
    return _exactly(wanted, everything) or (f"all but {others}" if others else "")


def _exactly(wanted: set[Case], everything: set[Case]) -> str:
    axes = [axis for axis in FIELDS if len({getattr(case, axis) for case in everything}) > 1]
    for count in range(1, _MOST_SAID + 1):
        for told in combinations(axes, count):
            values = {axis: {getattr(case, axis) for case in wanted} for axis in told}
            if all(case in wanted or any(getattr(case, a) not in values[a] for a in told) for case in everything):
                return ", ".join(_either(axis, values[axis]) for axis in told)
    return ""


def _either(axis: str, values: Collection[Any]) -> str:
    """`hidden 8`, `batch 3 or 5`, `1 or 7 steps`."""
    *others, last = sorted(values)
    if axis == "bidirectional" and others:
        return "either direction"
    before = "".join(f"{value} or " for value in others)
    return axis_value(axis, last).replace(str(last), f"{before}{last}", 1)

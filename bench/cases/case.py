"""A Case: what is run, apart from how."""

from __future__ import annotations

import dataclasses
import functools
import re
from dataclasses import dataclass
from typing import Any

from bench.cases import lengths
from rnn_impls import networks

DEVICES = ("cpu", "cuda", "mps")
DTYPES = ("float32", "float64", "bfloat16", "float16")
INFERENCE, TRAINING, STREAMING = MODES = ("inference", "training", "streaming")
LOSSES = ("all", "last")
QUANTILES = {"median": 0.5, "p95": 0.95, "p99": 0.99}
"""Of how long the steps of a streaming Case take: name -> the share of them that take no longer."""

Cell = tuple[str, str]
"""Of a table: the id of a Case, and an implementation."""


@dataclass(frozen=True, order=True)
class Case:
    """One network, its input and what is done with it; sizes are counts, never bytes.

    `bidirectional` runs each layer a second time, from the last step to the first (`rnn_impls.shape`).
    Modes: `inference` is the forward pass without a graph, `training` is forward, loss and backward with the
    gradients cleared first, `streaming` is inference one step at a time, each call given the state that the one before
    left. `network` is a name of `rnn_impls.networks`, or the file and class of one's own. `lengths` makes batches
    ragged (`bench.cases.lengths`). `loss` counts in training alone, at all steps or at the last of each sequence;
    elsewhere it is `all`. `flush_denormal` has the processor take numbers below 1.2e-38 for zeros
    (`torch.set_flush_denormal`). `tf32` lets CUDA make products of float32 in TF32; elsewhere it is False.
    Raises ValueError naming the field when a value is not possible.
    """

    device: str = "cpu"
    dtype: str = "float32"
    mode: str = "inference"
    network: str = networks.DEFAULT
    input_size: int = 128
    hidden_size: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    batch_size: int = 1
    seq_len: int = 64
    output_size: int = 0
    threads: int = 1
    lengths: str = lengths.FIXED
    loss: str = "all"
    flush_denormal: bool = False
    tf32: bool = False

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; known are {', '.join(map(str, known))}")
        object.__setattr__(self, "network", networks.spelled(self.network))
        for name in SIZES:
            value = getattr(self, name)
            least = 0 if name == "output_size" else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")
        object.__setattr__(self, "lengths", lengths.spelled(self.lengths))
        if self.mode != TRAINING:
            object.__setattr__(self, "loss", "all")
        if (self.device, self.dtype) != ("cuda", "float32"):
            object.__setattr__(self, "tf32", False)
        for one, other, why in IMPOSSIBLE:
            if getattr(self, one[0]) == one[1] and getattr(self, other[0]) != other[1]:
                raise ValueError(why)

    @property
    def ragged(self) -> bool:
        """Whether its sequences have lengths of their own."""
        return self.lengths != lengths.FIXED

    @property
    def arithmetic(self) -> str:
        """What products are rounded to, by which rates and tolerances go: its dtype, or `float32-tf32`."""
        return f"{self.dtype}-tf32" if self.tf32 else self.dtype

    @property
    def id(self) -> str:
        """A name that people can read and that `parse` turns back.

        Sorts as text as the Case does, up to 99 layers and threads and 9999 of everything else. The Elman networks go
        by their nonlinearity there, as they always did; one of your own, and lengths in a file, may stand elsewhere
        among them.
        """
        return "-".join(self._parts().values())

    @property
    def short(self) -> str:
        """Its id without what is as it usually is: `inference-H0128-T0064`, where the input is as wide as the hidden
        state. Sorts as the id does among cases that have the same of all that is left out."""
        usual = Case(hidden_size=self.hidden_size, input_size=self.hidden_size).as_dict()
        always = ("mode", "hidden_size", "seq_len")
        parts = self._parts().items()
        if self.bidirectional:
            usual["num_layers"] = 0  # it stands there
        return "-".join(part for name, part in parts if name in always or getattr(self, name) != usual[name])

    def _parts(self) -> dict[str, str]:
        network = _IN_IDS.get(self.network, self.network)
        words = {"device": self.device, "dtype": self.dtype, "mode": self.mode, "network": network}
        sizes = {name: f"{letter}{getattr(self, name):0{width}}" for name, (letter, width) in _LETTERS.items()}
        if self.bidirectional:
            sizes["num_layers"] += f"-{_BOTH_WAYS}"
        unusual = {"lengths": self.lengths, "loss": self.loss, "flush_denormal": _FLUSHED, "tf32": _TF32}
        return words | sizes | {name: said for name, said in unusual.items() if getattr(self, name) != LATER[name]}

    @classmethod
    @functools.lru_cache(maxsize=2**17)
    def parse(cls, text: str) -> Case:
        """The Case behind an `id` or a `short`. Raises ValueError for any other text."""
        match = _ID.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not the id of a case")
        found: dict[str, Any] = {name: int(v) if name in SIZES else v for name, v in match.groupdict().items() if v}
        found |= {flag: flag in found for flag in ("bidirectional", "flush_denormal", "tf32")}
        usual = dataclasses.asdict(cls(input_size=found["hidden_size"]))
        case = cls.from_dict(usual | found)
        if text not in (case.id, case.short):  # other padding: two names of one case would not be found equal
            raise ValueError(f"{text!r} is not the id of a case, but means {case.id!r}")
        return case

    def as_dict(self) -> dict[str, Any]:
        """Its fields, in order."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Case:
        """The Case with these fields; files of earlier versions have `nonlinearity` where `network` is now, and none of
        `LATER`. Raises ValueError naming a field that is missing or too many."""
        fields = LATER | {ALIASES.get(name, name): value for name, value in fields.items()}
        if wrong := set(FIELDS) ^ set(fields):
            raise ValueError(f"a case has exactly the fields {', '.join(FIELDS)}; wrong: {', '.join(sorted(wrong))}")
        return cls(**fields)


FIELDS = tuple(field.name for field in dataclasses.fields(Case))
ALIASES = {"nonlinearity": "network"}
"""What a field was called before, and may be still."""
CHOICES: dict[str, tuple[Any, ...]] = {
    "device": DEVICES, "dtype": DTYPES, "mode": MODES, "bidirectional": (False, True), "loss": LOSSES,
    "flush_denormal": (False, True), "tf32": (False, True),
}  # fmt: skip
SIZES = tuple(name for name in FIELDS if name not in (*CHOICES, "network", "lengths"))
IMPOSSIBLE: tuple[tuple[tuple[str, Any], tuple[str, Any], str], ...] = (
    (("mode", STREAMING), ("bidirectional", False), "streaming can't be bidirectional: backward begins at the end"),
    (("mode", STREAMING), ("lengths", lengths.FIXED), "lengths are for whole sequences, not for streaming"),
    (
        ("bidirectional", True),
        ("lengths", lengths.FIXED),
        "lengths are for one direction: backward, padding comes first",
    ),
    (("flush_denormal", True), ("threads", 1), "flush_denormal is for one thread: torch sets it for the calling one"),
)
"""A field with a value, another that then must have a value, and why."""

LATER: dict[str, Any] = {
    "bidirectional": False,
    "lengths": lengths.FIXED,
    "loss": "all",
    "flush_denormal": False,
    "tf32": False,
}
"""Fields that came later, each with what was meant before."""

_BOTH_WAYS, _FLUSHED, _TF32 = "both", "flushed", "TF32"
"""What follows the layers in the id of a bidirectional case, and what ends that of one with denormals flushed, and that
of one with TF32 allowed."""

_LETTERS = {
    "input_size": ("I", 4), "hidden_size": ("H", 4), "num_layers": ("L", 2), "batch_size": ("B", 4),
    "seq_len": ("T", 4), "output_size": ("O", 4), "threads": ("t", 2),
}  # fmt: skip
"""Sizes -> the letter in an id, and the digits it is padded to."""

_ID = re.compile(
    rf"(?:(?P<device>{'|'.join(DEVICES)})-)?(?:(?P<dtype>{'|'.join(DTYPES)})-)?(?P<mode>{'|'.join(MODES)})-"
    r"(?:(?P<network>[a-z][\w-]*?|.+?\.py:\w+)-)?(?:I(?P<input_size>\d+)-)?H(?P<hidden_size>\d+)"
    rf"(?:-L(?P<num_layers>\d+)(?:-(?P<bidirectional>{_BOTH_WAYS}))?)?(?:-B(?P<batch_size>\d+))?-T(?P<seq_len>\d+)(?:-O(?P<output_size>\d+))?"
    r"(?:-t(?P<threads>\d+))?(?:-(?P<lengths>uniform:[\d.e-]+|zipf:[\d.e-]+|.+?\.txt))?(?:-(?P<loss>last))?"
    rf"(?:-(?P<flush_denormal>{_FLUSHED}))?(?:-(?P<tf32>{_TF32}))?"
)

_IN_IDS = {name: alias for alias, name in networks.ALIASES.items()}

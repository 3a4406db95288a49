"""Results that others published, read from the tables beside this file."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.cases.case import Case
from bench.store.files import BrokenFile

FOLDER = Path(__file__).parent
SIZES = ("input_size", "hidden_size", "batch_size", "seq_len")
TEXTS = ("device", "hardware", "software", "unit", "source", "link")
COLUMNS = ("network", "mode", *SIZES, "dtype", "device", "hardware", "software", "value", "unit", "source", "link",
           "year")  # fmt: skip

RATE, TIME = "samples/s", "ms"
"""Units: sequences a second, and milliseconds of a call."""

DEEPBENCH = "https://github.com/baidu-research/DeepBench/tree/master/results/train"
TIMES = ("forward_ms", "backward_inputs_ms", "backward_weights_ms")
DEEPBENCH_COLUMNS = ("source", "gpu", "precision", "hidden_size", "batch_size", "seq_len", *TIMES)
GPU_COLUMNS = ("gpu", "hardware", "software", "year")
PRECISIONS = {"FP32": "float32", "pseudo FP16": "float16", "FP16 in mixed math": "float16"}
"""DeepBench's words -> the dtype of inputs and weights."""

Row = dict[str, str]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Result:
    """A figure that somebody published: of which Case, measured where and with what, and who says so.

    The Case has the published network, mode, sizes and dtype; its device and threads are the usual ones and mean
    nothing. `device` is CPU or GPU, `value` stands as published, in `unit`: RATE or TIME. Raises ValueError naming what
    is not possible.
    """

    case: Case
    device: str
    hardware: str
    software: str
    value: float
    unit: str
    source: str
    link: str
    year: int

    def __post_init__(self) -> None:
        if empty := [name for name in TEXTS if not getattr(self, name).strip()]:
            raise ValueError(f"{empty[0]} is empty")
        if not self.link.startswith("https://"):
            raise ValueError(f"link is {self.link!r}, not an https address")
        if self.device not in ("CPU", "GPU"):
            raise ValueError(f"device is {self.device!r}, not CPU or GPU")
        if self.unit not in (RATE, TIME):
            raise ValueError(f"unit is {self.unit!r}, not {RATE} or {TIME}")
        if not (math.isfinite(self.value) and self.value > 0):
            raise ValueError(f"value is {self.value}, not above 0")

    @property
    def seconds(self) -> float:
        """Seconds of a call."""
        return self.value / 1e3 if self.unit == TIME else self.case.batch_size / self.value


def results(folder: Path = FOLDER) -> list[Result]:
    """All of them, in the order of the tables. Raises BrokenFile naming file, line and field."""
    gpus = dict(_read(folder / "deepbench_gpus.csv", GPU_COLUMNS, _gpu))
    timed = _read(folder / "deepbench_vanilla_rnn.csv", DEEPBENCH_COLUMNS, lambda row: _deepbench(row, gpus))
    return [*_read(folder / "issues.csv", COLUMNS, _result), *itertools.chain.from_iterable(timed)]


def _result(row: Row) -> Result:
    case = Case(network=row["network"], mode=row["mode"], dtype=row["dtype"], **_whole(row, *SIZES))
    texts: dict[str, Any] = {name: row[name] for name in TEXTS}
    return Result(case, value=_number(row, "value"), **texts, **_whole(row, "year"))


def _gpu(row: Row) -> tuple[str, Row]:
    _whole(row, "year")
    return row["gpu"], row


def _deepbench(row: Row, gpus: dict[str, Row]) -> list[Result]:
    """Its forward pass is inference; with both backward passes, each timed by itself, it is training, where all three
    are given. The network is a relu RNN, its input as wide as its hidden state; the product with the input is skipped
    (`CUDNN_SKIP_INPUT` in its code/nvidia/rnn_bench.cu)."""
    for name, known in (("gpu", gpus), ("precision", PRECISIONS)):
        if row[name] not in known:
            raise ValueError(f"{name} is {row[name]!r}; known are {', '.join(known)}")
    gpu = gpus[row["gpu"]]
    words = [gpu["software"], *([] if row["precision"] == "FP32" else [row["precision"]]), "without the input product"]
    common = gpu | row | {"network": "rnn-relu", "dtype": PRECISIONS[row["precision"]], "device": "GPU", "unit": TIME}
    common |= {"input_size": row["hidden_size"], "software": ", ".join(words), "link": DEEPBENCH}
    parts = {"inference": TIMES[:1], "training": TIMES if all(row[name] for name in TIMES) else ()}
    totals = {mode: sum(_number(row, name) for name in names) for mode, names in parts.items() if names}
    return [_result(common | {"mode": mode, "value": repr(total)}) for mode, total in totals.items()]


def _read(path: Path, columns: tuple[str, ...], make: Callable[[Row], Made]) -> list[Made]:
    """What is made of each line of a table with these columns. Raises BrokenFile."""
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.reader(stream, strict=True)
        if (found := tuple(next(reader, ()))) != columns:
            raise BrokenFile(f"{path}: its columns are {', '.join(found)}, not {', '.join(columns)}")
        try:
            return [make(_row(columns, fields)) for fields in reader]
        except (ValueError, csv.Error) as error:
            raise BrokenFile(f"{path}, line {reader.line_num}: {error}") from None


def _row(columns: tuple[str, ...], fields: list[str]) -> Row:
    if len(fields) != len(columns):
        raise ValueError(f"{len(fields)} fields, not {len(columns)}")
    return dict(zip(columns, fields, strict=True))


def _whole(row: Row, *names: str) -> dict[str, Any]:
    """These fields as whole numbers."""
    if wrong := [name for name in names if not row[name].isdecimal()]:
        raise ValueError(f"{wrong[0]} is {row[wrong[0]]!r}, not a whole number")
    return {name: int(row[name]) for name in names}


def _number(row: Row, name: str) -> float:
    try:
        return float(row[name])
    except ValueError:
        raise ValueError(f"{name} is {row[name]!r}, not a number") from None

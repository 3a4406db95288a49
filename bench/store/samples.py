"""The samples of passes as one table of columns, and the Parquet file that holds it.

A row is a block: `run` and `source` say which run, and which of its passes, it is of (`bench.store.compact.Source`),
`pass` is the number of the pass among those of its Case. Times are seconds per call, null where they are not known.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.cases.case import Case
from bench.store.files import BrokenFile, write_atomically
from bench.store.passes import EVIDENCE, Blocks

_TEXT = pa.dictionary(pa.int32(), pa.string())
TIMES = ("seconds", "event_seconds", "control_seconds", *EVIDENCE)
SCHEMA = pa.schema(
    [("run", _TEXT), ("source", pa.int32()), ("pass", pa.int32()), ("case", _TEXT), ("implementation", _TEXT),
     ("round", pa.int32()), ("calls", pa.int64()), *((name, pa.float64()) for name in TIMES)]
)  # fmt: skip


def table_of(found: Sequence[tuple[str, int, int, Sequence[Blocks]]]) -> pa.Table:
    """The samples of passes that were read: of each its run, its source, its number, and what it holds of each cell."""
    counts = [len(each.times["seconds"]) for *_, own in found for each in own]

    def spread(values: list[Any]) -> Any:
        return np.repeat(np.arange(len(values)), counts), values

    columns: dict[str, Any] = {}
    for name, values in (
        ("run", [run for run, _, _, own in found for _ in own]),
        ("case", [each.case for *_, own in found for each in own]),
        ("implementation", [each.implementation for *_, own in found for each in own]),
    ):
        known = {text: k for k, text in enumerate(dict.fromkeys(values))}
        codes = np.repeat(np.array([known[text] for text in values], np.int32), counts)
        columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(list(known), pa.string()))
    for name, numbers in (
        ("source", [source for _, source, _, own in found for _ in own]),
        ("pass", [number for *_, number, own in found for _ in own]),
        ("calls", [each.calls for *_, own in found for each in own]),
    ):
        columns[name] = np.repeat(np.array(numbers, np.int64), counts)
    columns["round"] = np.concatenate([np.arange(count) for count in counts]) if counts else np.zeros(0, int)
    for name in TIMES:
        parts = [each.times[name] for *_, own in found for each in own]
        columns[name] = pa.array(np.concatenate(parts) if parts else np.zeros(0), pa.float64(), from_pandas=True)
    return pa.table([pa.array(columns[name]).cast(SCHEMA.field(name).type) for name in SCHEMA.names], SCHEMA)


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Several tables as one, whose texts have one numbering."""
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks() if tables else SCHEMA.empty_table()


def write_samples(path: Path, samples: pa.Table) -> None:
    """Write them, whole or not at all. Raises OSError."""
    stream = io.BytesIO()
    pq.write_table(samples, stream, compression="zstd")
    write_atomically(path, stream.getvalue())


def read_samples(path: Path) -> pa.Table:
    """Read them. Raises BrokenFile naming the file, and the column, for one that is missing, cut off, or not ours."""
    texts = [field.name for field in SCHEMA if field.type == _TEXT]
    try:
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            found = file.read(columns=SCHEMA.names, use_threads=False)
    except FileNotFoundError:
        raise BrokenFile(f"{path}: there is no such file") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BrokenFile(f"{path}: not Parquet, or cut off: {str(error).splitlines()[0]}") from None
    for name in SCHEMA.names:
        if name not in found.column_names:
            raise BrokenFile(f"{path}: the column {name} is missing; this is not a file of this suite")
    try:
        found = found.select(SCHEMA.names).cast(SCHEMA).combine_chunks()
    except (pa.ArrowException, ValueError) as error:
        raise BrokenFile(f"{path}: its columns are not as expected: {str(error).splitlines()[0]}") from None
    _check(found, path)
    return found


def _check(samples: pa.Table, path: Path) -> None:
    """Raise BrokenFile for values that cannot be."""
    for name in SCHEMA.names:
        column = samples[name]
        if column.null_count and (name not in TIMES or name in ("seconds", "control_seconds")):
            raise BrokenFile(f"{path}: the column {name} has a row without a value")
        if name in TIMES:
            values = column.to_numpy()
            proper = np.isfinite(values) & ((values >= 0) if name in EVIDENCE else (values > 0))
            if wrong := len(values) - int(proper.sum()) - column.null_count:
                raise BrokenFile(f"{path}: the column {name} holds what is no time, in {wrong} rows")
    for chunk in samples["case"].chunks:
        for text in chunk.dictionary.to_pylist():
            try:
                Case.parse(text)
            except ValueError as error:
                raise BrokenFile(f"{path}: the column case: {error}") from None

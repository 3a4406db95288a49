"""The table of cells as a Parquet file, for whoever wants to go on with it: one row a cell, one type a column."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.store.files import write_atomically

KEY = "machine"
"""What tells the cells of machines apart: the fingerprint."""


def write_cells(path: Path, table: pd.DataFrame) -> None:
    """Write a table of `bench.table.cells.cells`, unrounded; a warning is its kind and value. Raises OSError."""
    stream = io.BytesIO()
    told = [[warning.as_dict() for warning in warnings] for warnings in table["warnings"]]
    table.assign(warnings=told).to_parquet(stream, index=False, compression="zstd")
    write_atomically(path, stream.getvalue())


def of_machines(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The cells of several machines, by fingerprint, as one table whose first column is KEY."""
    keyed = [table.assign(**{KEY: digits})[[KEY, *table.columns]] for digits, table in tables.items()]
    return pd.concat(keyed, ignore_index=True)

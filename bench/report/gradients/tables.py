"""What was measured of the gradients as Markdown tables: horizons, rates, losses, first inputs, theory."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

from bench.gradients import DEFAULT
from bench.gradients.file import Row, counted_seeds, end, setups, span
from bench.gradients.horizon import EXPLODES, NEITHER, VANISHES
from bench.report.names import steps
from bench.report.units import NOTHING, percent

_FIRST_INPUT = (4, 16, 64, 256, 1024)
"""The lengths at which the table shows the first input's gradient, where they were measured."""

_ENDS = {VANISHES: "fell", EXPLODES: "grew"}


def tables(found: dict[str, Any]) -> list[str]:
    """The lines of four tables, each below the sentence that says what it holds."""
    seeds, longest = len(found["seeds"]), found["lengths"][-1]
    lengths = [length for length in _FIRST_INPUT if length in found["lengths"]]
    return [
        f"Steps back until the norm of the gradient is {found['factor']:g} times smaller or larger than at the last "
        f"step, and in brackets its factor per step; medians of {counted_seeds(found)}, {steps(longest)}, hidden "
        f"{found['hidden_size']}, torch {found['torch']}:",
        "",
        *_by_kind(found, _reach),
        "",
        f"Norms that were lost, of all {seeds} × {longest + 1}: underflowed below the smallest normal number, and "
        "overflowed to infinity or to no number at all. float32 and bfloat16 have the same range:",
        "",
        *_by_kind(found, _lost),
        "",
        "The gradient with respect to the first input, over that of a sequence of one step; float32, medians:",
        "",
        *_first_input(found, lengths),
        "",
        "Against theory: without a nonlinearity, the factor per step must be the spectral radius (float64):",
        "",
        *_theory(found["theory"]),
    ]


def _by_kind(found: dict[str, Any], field: Callable[[Row], str]) -> list[str]:
    """A row for each beginning, a column for each nonlinearity and dtype."""
    kinds = list(dict.fromkeys((row["nonlinearity"], row["dtype"]) for row in found["setups"]))
    columns = [setups(found, *kind) for kind in kinds]
    starts = {start: row for rows in columns for start, row in rows.items()}
    lines = _head("spectral radius", [", ".join(kind) for kind in kinds])
    for start, row in starts.items():
        lines.append(_line(_begun(row), [field(rows[start]) if start in rows else NOTHING for rows in columns]))
    return lines


def _first_input(found: dict[str, Any], lengths: Sequence[int]) -> list[str]:
    """A row for each nonlinearity and beginning, a column for each length."""
    lines = _head("network", [f"{length} steps" for length in lengths])
    for nonlinearity in dict.fromkeys(row["nonlinearity"] for row in found["setups"]):
        for row in setups(found, nonlinearity, "float32").values():
            norms = dict(zip(found["lengths"], row["first_input"]["median"], strict=True))
            ratios = [_ratio(norms[length], norms[found["lengths"][0]]) for length in lengths]
            lines.append(_line(f"{nonlinearity}, {_begun(row)}", ratios))
    return lines


def _theory(rows: Sequence[dict[str, Any]]) -> list[str]:
    lines = _head("begun with", ["spectral radius", "measured factor per step", "largest difference of a seed"])
    for row in rows:
        error = NOTHING if row["largest_error"] is None else percent(row["largest_error"])
        lines.append(_line(str(row["beginning"]), [f"{row['radius']:.4f}", _digits(row["rate"], "{:.4f}"), error]))
    return lines


def _reach(row: Row) -> str:
    """`fell: 9 (×0.455)`, with the share of seeds where they differ."""
    rates = [rate for rate in row["rates"] if rate is not None]
    factor = f" (×{statistics.median(rates):.3f})" if rates else ""
    if end(row) == NEITHER:
        return f"neither{factor}"
    count, seeds = row["ends"].count(end(row)), len(row["ends"])
    share = "" if count == seeds else f" in {count} of {seeds}"
    return f"{_ENDS[end(row)]}{share}: {span(row)[1]}{factor}"


def _lost(row: Row) -> str:
    """`12000 under, 3 over`, or nothing."""
    counts = {"under": row["underflows"], "over": row["overflows"]}
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or NOTHING


def _ratio(value: float | None, base: float | None) -> str:
    """Two digits; what overflowed has none."""
    if value is None:
        return "overflow"
    return f"{value / base:.1e}" if base and value else "0" if base else NOTHING


def _begun(row: Row) -> str:
    return f"{row['radius']:.2f} (torch's own)" if row["beginning"] == DEFAULT else str(row["beginning"])


def _digits(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _head(first: str, others: Sequence[str]) -> list[str]:
    return [_line(first, others), f"|---|{'---:|' * len(others)}"]


def _line(first: str, others: Sequence[str]) -> str:
    return f"| {' | '.join([first, *others])} |"

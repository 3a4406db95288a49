"""Do gradients vanish or explode? Two sentences, tables in Markdown, and the files of `python -m bench gradients`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.report.names import steps
from bench.report.pictures.curves import label, panels
from bench.report.pictures.render import png_bytes, sheet, style, svg_bytes
from bench.report.units import NOTHING, percent
from bench.store.files import write_atomically
from bench.why.gradients.file import DEFAULT, EXPLODES, NEITHER, VANISHES, Row, counted_seeds, end, setups, span

TITLE = "How far back the gradient reaches"

_LESSONS = {
    VANISHES: "what lies further back hardly counts",
    EXPLODES: "clip gradients",
    NEITHER: "it can learn from them",
}

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
        lines.append(_line(label(row), [field(rows[start]) if start in rows else NOTHING for rows in columns]))
    return lines


def _first_input(found: dict[str, Any], lengths: Sequence[int]) -> list[str]:
    """A row for each nonlinearity and beginning, a column for each length."""
    lines = _head("network", [f"{length} steps" for length in lengths])
    for nonlinearity in dict.fromkeys(row["nonlinearity"] for row in found["setups"]):
        for row in setups(found, nonlinearity, "float32").values():
            norms = dict(zip(found["lengths"], row["first_input"]["median"], strict=True))
            ratios = [_ratio(norms[length], norms[found["lengths"][0]]) for length in lengths]
            lines.append(_line(f"{nonlinearity}, {label(row)}", ratios))
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


def _digits(value: float | None, form: str) -> str:
    return NOTHING if value is None else form.format(value)


def _head(first: str, others: Sequence[str]) -> list[str]:
    return [_line(first, others), f"|---|{'---:|' * len(others)}"]


def _line(first: str, others: Sequence[str]) -> str:
    return f"| {' | '.join([first, *others])} |"


def write(found: dict[str, Any], folder: Path) -> None:
    """Write gradients.md, gradients.png and gradients.svg; the same table gives the same bytes. Raises OSError."""
    write_atomically(folder / "gradients.md", markdown(found).encode())
    with style(text_as_paths=True):
        figure = sheet(panels(found), 2, TITLE, [])
        write_atomically(folder / "gradients.svg", svg_bytes(figure))
        write_atomically(folder / "gradients.png", png_bytes(figure))


def markdown(found: dict[str, Any]) -> str:
    """Sentences and tables, as Markdown."""
    return "\n".join([*(f"- {text}" for text in sentences(found)), "", *tables(found), ""])


def sentences(found: dict[str, Any]) -> list[str]:
    """What torch's initialisation does, and what scaling the recurrent weights changes, where that was measured; both
    in float32."""
    tanh, relu = (setups(found, name, "float32") for name in ("tanh", "relu"))
    torchs, scaled = tanh[DEFAULT], [row for start, row in tanh.items() if start != DEFAULT]
    whose = f"a tanh network's gradient at hidden {found['hidden_size']}"
    said = [f"With torch's initialisation, {whose} {_fate(found, torchs)}: {_LESSONS[end(torchs)]}."]
    if scaled:
        best = max(scaled, key=_carried)
        other = relu.get(best["beginning"])
        tail = f"; with relu, it {_end(found, other)}" if other else ""
        said.append(
            f"With recurrent weights scaled to a spectral radius of {best['beginning']}, it {_fate(found, best)}{tail}."
        )
    return said


def _carried(row: Row) -> tuple[int, int, float]:
    """Ranks setups by how far back the gradient stays of use: one that lasts first, of several the least radius."""
    steps_back = 0 if end(row) == NEITHER else span(row)[1]
    return int(end(row) == NEITHER), steps_back if end(row) == VANISHES else -1, -row["radius"]


def _fate(found: dict[str, Any], row: Row) -> str:
    """How the gradient of a setup ends, as what is said of it."""
    if end(row) == NEITHER:
        return f"stays within a factor of {found['factor']:g} over {_whole(found)}"
    verb = "is down to a thousandth" if end(row) == VANISHES else "is up a thousandfold"
    return f"{verb} {steps(span(row)[1])} back"


def _end(found: dict[str, Any], row: Row) -> str:
    """The same in a word or two, beside another."""
    return {VANISHES: "vanishes", EXPLODES: "explodes", NEITHER: f"lasts {_whole(found)}"}[end(row)]


def _whole(found: dict[str, Any]) -> str:
    longest = found["lengths"][-1]
    return f"all {steps(longest)}" if longest > 1 else "the one step"

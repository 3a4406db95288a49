"""The picture of the gradients: their norm k steps back over k, one panel for each nonlinearity."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.report.pictures.drawing import FONT, dress, thinned
from bench.report.pictures.palette import COLOURS, INK, MUTED
from bench.report.pictures.render import Panel
from bench.why.gradients.file import DEFAULT, EXPLODES, FACTOR, NEITHER, VANISHES, Row, counted_seeds, end, setups, span

HEIGHT = 4.6
LIMITS = 1e-6, 1e6
TICKS = {1e-6: "10⁻⁶", 1e-3: "1/1000", 1.0: "1", 1e3: "1000", 1e6: "10⁶"}

_ROLES = {DEFAULT: "series-5", "0.5": "series-2", "0.9": "series-3", "1.0": "series-4", "1.1": "series-1",
          "1.5": "series-0"}  # fmt: skip
_OTHER = "series-7"


def panels(found: dict[str, Any]) -> list[Panel]:
    """A panel for tanh and one for relu: medians over the seeds relative to k = 0, with the band of the quantiles."""
    drawn = []
    for nonlinearity in dict.fromkeys(row["nonlinearity"] for row in found["setups"]):
        rows, rounded = (list(setups(found, nonlinearity, dtype).values()) for dtype in ("float32", "bfloat16"))
        band = "{:.0f} to {:.0f} % of seeds".format(*(100 * share for share in found["quantiles"]))
        draw = partial(_draw, steps=found["steps"], rows=rows, rounded=rounded, band=band)
        told = "; ".join(f"{label(row)}: {_reach(row)}" for row in rows)
        about = "Norm of the loss's gradient k steps back, relative to that at the last step, over k, log-log."
        title = f"{nonlinearity}, hidden {found['hidden_size']}, {counted_seeds(found)}"
        title += "; rings: bfloat16" if rounded else ""
        drawn.append(Panel(title, f"{about} {title}. {told}.", draw, HEIGHT))
    return drawn


def label(row: Row) -> str:
    """A beginning in a legend: its spectral radius, and whether that is torch's own."""
    return f"{row['radius']:.2f} (torch's own)" if row["beginning"] == DEFAULT else str(row["beginning"])


def _reach(row: Row) -> str:
    """Steps until it ends, as short as can be."""
    ends = {NEITHER: "never", VANISHES: "{}", EXPLODES: "{} to a thousandfold"}
    return ends[end(row)].format("" if end(row) == NEITHER else span(row)[1])


def _draw(ax: Axes, steps: Sequence[int], rows: Sequence[Row], rounded: Sequence[Row], band: str) -> None:
    """Lines for float32 and, at powers of two, rings for bfloat16, which mostly lie on them."""
    xs = list(steps[1:])
    for row in rows:
        colour, width = _colour(row), _width(row)
        ax.fill_between(xs, _points(row, "low"), _points(row, "high"), color=colour, alpha=0.18, lw=0, zorder=2)
        ax.plot(xs, _points(row, "median"), color=colour, linewidth=width, zorder=4)
    kept = [k & (k - 1) == 0 for k in xs]
    for row in rounded:
        ax.plot(
            list(compress(xs, kept)),
            list(compress(_points(row, "median"), kept)),
            "o",
            markersize=4.2,
            markerfacecolor="none",
            color=_colour(row),
            markeredgewidth=1,
            zorder=5,
        )
    _axes(ax, steps[-1])
    _legend(ax, rows, band)


def _points(row: Row, name: str) -> list[float]:
    """Values for every k but 0, which has no place on a logarithmic axis. Zeros, which have none either, are put far
    below the picture and what overflowed far above it, so that lines and bands leave it where they should."""
    low, high = LIMITS[0] * 1e-6, LIMITS[1] * 1e6
    return [high if value is None else min(max(value, low), high) for value in row["steps_back"][name][1:]]


def _colour(row: Row) -> str:
    return COLOURS[_ROLES.get(row["beginning"], _OTHER)][0]


def _width(row: Row) -> float:
    """Points; what everybody begins with stands out."""
    return 2.6 if row["beginning"] == DEFAULT else 1.9


def _axes(ax: Axes, longest: int) -> None:
    """The plane, with the horizon's two limits marked."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.minorticks_off()
    ticks = thinned([2**k for k in range(longest.bit_length())])
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_xlim(0.9, max(longest, 2) * 1.1)
    ax.set_ylim(*LIMITS)
    ax.set_yticks(list(TICKS), list(TICKS.values()))
    dress(ax, "k, steps back", "gradient k steps back, over that at the last step")
    for limit, begin in ((1 / FACTOR, 0), (FACTOR, 0.68)):  # the upper one beside the legend
        ax.axhline(limit, xmin=begin, color=MUTED, linewidth=0.9, dashes=(4, 3), zorder=1)


def _legend(ax: Axes, rows: Sequence[Row], band: str) -> None:
    """In the upper left, where no gradient comes so soon; in the order of the lines, the farthest reaching first."""
    ordered = sorted(rows, key=lambda row: -row["radius"])
    handles: list[Artist] = [Line2D([], [], color=_colour(row), linewidth=_width(row)) for row in ordered]
    texts = [f"{label(row)}: {_reach(row)}" for row in ordered]
    legend = ax.legend(
        [*handles, Patch(color=MUTED, alpha=0.18, lw=0)],
        [*texts, band],
        title="spectral radius: steps to a thousandth",
        loc="upper left",
        bbox_to_anchor=(0, 1),
        frameon=False,
        fontsize=FONT,
        labelcolor=INK,
        handlelength=1.4,
        labelspacing=0.2,
        borderaxespad=0.1,
        alignment="left",
    )
    legend.get_title().set(color=MUTED, fontsize=FONT)
    legend.set_zorder(6)

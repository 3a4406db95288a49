"""Panels -> inline SVG; pictures -> PNG and SVG files. The same input gives the same bytes.

Figures are made without pyplot, so that nothing global is touched, and positions are given in inches, which is much
cheaper than any automatic layout.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.pictures.drawing import BAND, FONT, MARKS, POINT, TEXT, TILE
from bench.report.pictures.palette import INK, MUTED, PAPER, Look, to_variables

WIDTH = 4.5
LEFT, RIGHT, TOP, BOTTOM = 0.78, 0.16, 0.32, 0.5
NAMED = (MARKS, BAND, TILE, TEXT, POINT)
_SVG_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class Panel:
    """One small plot: `title` states its fixed axes, `alt` describes it, `draw` draws; inches high in all.

    `of` names the one implementation that it shows, if it shows one; what is for the `page_only` is in no file. A
    `width` other than the usual one is for the page alone: sheets have columns."""

    title: str
    alt: str
    draw: Callable[[Axes], None]
    height: float = 3.0
    left: float = LEFT
    of: str = ""
    page_only: bool = False
    width: float = WIDTH


@dataclass(frozen=True)
class Entry:
    """A line of a legend."""

    name: str
    look: Look
    about: str = ""


@contextmanager
def style(text_as_paths: bool) -> Iterator[None]:
    """matplotlib's own defaults whatever the user's matplotlibrc says, and ids that repeat."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["svg.hashsalt"] = "rnn"
        matplotlib.rcParams["svg.fonttype"] = "path" if text_as_paths else "none"
        yield


def inline_svg(panel: Panel, key: str) -> str:
    """A panel as SVG for a page: colours are the page's variables, and every id starts with `key`."""
    figure = Figure(figsize=(panel.width, panel.height))
    figure.patch.set_visible(False)
    _draw(figure, panel, 0, 0, panel.width, panel.height)
    svg = _svg(figure)
    svg = re.sub(rf'\bid="({"|".join(NAMED)})-([\d-]+)"', _as_data, svg[svg.index("<svg") :])
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{key}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', _opening(panel.alt), svg, count=1)
    return to_variables(re.sub(r"\n\s*", "\n", svg)).strip()


def _as_data(found: re.Match[str]) -> str:
    """`id="marks-3-4"` of an artist -> `data-marks="3 4"`, which may come twice on a page."""
    return f'data-{found[1]}="{found[2].replace("-", " ")}"'


def _opening(alt: str) -> Callable[[re.Match[str]], str]:
    from markupsafe import escape

    return lambda found: (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{found[1]}" role="img" aria-label="{escape(alt)}">'
    )


def marker_svg(look: Look, key: str) -> str:
    """The sample of line and marker that a legend on the page shows; every id starts with `key` and the role."""
    figure = Figure(figsize=(0.5, 0.22))
    figure.patch.set_visible(False)
    figure.add_artist(_sample(look, [0.02, 0.5, 0.98], [0.5] * 3))
    svg = _svg(figure)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{key}-{look.role}-", svg[svg.index("<svg") :])
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    return to_variables(svg).strip()


def sheet(panels: Sequence[Panel], columns: int, title: str, legend: Sequence[Entry]) -> Figure:
    """All panels of a picture on one sheet with a title and a legend, for files."""
    columns = min(columns, len(panels))
    rows = [panels[k : k + columns] for k in range(0, len(panels), columns)]
    strip, wide = _legend_rows(legend, columns * WIDTH), columns * WIDTH
    head = 0.62 + 0.3 * len(strip)
    heights = [max(panel.height for panel in row) + 0.3 for row in rows]
    high = head + sum(heights) + 0.1
    figure = Figure(figsize=(wide, high), facecolor=PAPER)
    figure.text(0.2 / wide, 1 - 0.38 / high, title, fontsize=FONT + 4, color=INK, fontweight="bold", va="center")
    for number, entries in enumerate(strip):
        _legend(figure, entries, max(len(entry.name) for entry in legend), high - 0.78 - 0.3 * number)
    y = high - head
    for row, height in zip(rows, heights, strict=True):
        for k, panel in enumerate(row):
            at = (k * WIDTH + 0.2) / wide, (y - 0.22) / high
            figure.text(*at, panel.title, fontsize=FONT + 0.5, color=INK, fontweight="bold")
            _draw(figure, panel, k * WIDTH, y - 0.3 - panel.height, wide, high)
        y -= height
    return figure


def _legend_rows(legend: Sequence[Entry], wide: float) -> list[list[Entry]]:
    """The entries in as many rows as their texts need."""
    rows: list[list[Entry]] = []
    used = math.inf
    for entry in legend:
        length = _entry_width(entry) + 0.1
        if used + length > wide - 0.2:
            rows.append([])
            used = 0.2
        rows[-1].append(entry)
        used += length
    return rows


def _entry_width(entry: Entry) -> float:
    """Inches, from the mean width of DejaVu Sans."""
    return 0.85 + 0.084 * len(f"{entry.name}  {entry.about}")


def _legend(figure: Figure, entries: Sequence[Entry], longest: int, y: float) -> None:
    """One row of samples, names (the longest of the legend has so many letters) and descriptions; y in inches."""
    wide, high = figure.get_size_inches()
    x, offset = 0.2, 0.62 + 0.108 * longest
    for entry in entries:
        ends = [x / wide, (x + 0.2) / wide, (x + 0.4) / wide]
        figure.add_artist(_sample(entry.look, ends, [y / high] * 3))
        figure.text((x + 0.5) / wide, y / high, entry.name, fontsize=FONT, color=INK, va="center", fontweight="bold")
        figure.text((x + offset) / wide, y / high, entry.about, fontsize=FONT, color=MUTED, va="center")
        x += _entry_width(entry) + 0.1


def _sample(look: Look, xs: list[float], ys: list[float]) -> Line2D:
    line = Line2D(xs, ys, markevery=[1], markersize=6.5 * look.scale, linewidth=1.9, **look.mark)
    if look.dashes:
        line.set_dashes(look.dashes)
    return line


def _draw(figure: Figure, panel: Panel, x: float, y: float, wide: float, high: float) -> None:
    """Put a panel with its lower left corner at x, y of a figure `wide` and `high`; all in inches."""
    box = (
        (x + panel.left) / wide,
        (y + BOTTOM) / high,
        (panel.width - panel.left - RIGHT) / wide,
        (panel.height - TOP - BOTTOM) / high,
    )
    panel.draw(figure.add_axes(box))


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    FigureCanvasSVG(figure).print_svg(stream, metadata=_SVG_METADATA)
    return stream.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """A figure as an SVG file."""
    return _svg(figure).encode()


def png_bytes(figure: Figure, dpi: int = 144) -> bytes:
    """A figure as a PNG file; dpi 144 is sharp on dense screens at the size it is drawn for."""
    stream = io.BytesIO()
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()

"""Do gradients vanish or explode? Two sentences, and the files of `python -m bench gradients`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.files import write_atomically
from bench.gradients import DEFAULT
from bench.gradients.file import Row, counted_seeds, end, setups, span
from bench.gradients.horizon import EXPLODES, NEITHER, VANISHES
from bench.report.gradients.curves import panels
from bench.report.gradients.tables import tables
from bench.report.names import listed, steps
from bench.report.render import png_bytes, sheet, style, svg_bytes

TITLE = "How far back the gradient reaches"

_GONE = "is down to a thousandth"

_LESSONS = {
    VANISHES: "what lies further back hardly moves the weights at first, so that the network learns well from short "
    "sequences and not from long ones",
    EXPLODES: "on longer sequences the earliest steps drown the latest, and training diverges unless gradients are "
    "clipped",
    NEITHER: "it can learn from sequences of that length",
}


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
    """Two: what torch's initialisation does, and what scaling the recurrent weights changes; both in float32."""
    return [_with_default(found), _with_scaled(found)]


def _with_default(found: dict[str, Any]) -> str:
    row = setups(found, "tanh", "float32")[DEFAULT]
    other = setups(found, "relu", "float32").get(DEFAULT)
    asides = []
    if end(row) != NEITHER:
        low, _, high = span(row)
        asides.append(
            f"{low} to {high} over {counted_seeds(found)}" if low < high else f"the same for {counted_seeds(found)}"
        )
    if other and end(other) == end(row) != NEITHER:
        asides.append(f"{span(other)[1]} with relu")
    told = f" ({'; '.join(asides)})" if asides else ""
    return (
        f"With torch's initialisation the gradient of the loss in a tanh network of hidden size {found['hidden_size']} "
        f"{_fate(found, row)}{told}: {_LESSONS[end(row)]}."
    )


def _with_scaled(found: dict[str, Any]) -> str:
    own = setups(found, "tanh", "float32")[DEFAULT]["radius"]
    scaled = {
        name: {start: row for start, row in setups(found, name, "float32").items() if start != DEFAULT}
        for name in ("tanh", "relu")
    }
    at_one = [f"{_fate(found, rows['1.0'])} with {name}" for name, rows in scaled.items() if "1.0" in rows]
    if all(text.startswith(_GONE) for text in at_one):
        at_one[1:] = [text.removeprefix(f"{_GONE} ") for text in at_one[1:]]
    told = [f"at 1.0, which would keep the gradient of a linear network, it {listed(at_one)}"] if at_one else []
    told += [f"with {name} it {_outlook(found, rows)}" for name, rows in scaled.items() if rows]
    return (
        f"Scaling the recurrent weights to another spectral radius, the size of their largest eigenvalue (torch's own: "
        f"{own:.2f}), moves that horizon: {'; '.join(told)}."
    )


def _fate(found: dict[str, Any], row: Row) -> str:
    """How the gradient of a setup ends, as what is said of it."""
    if end(row) == NEITHER:
        return f"stays within a factor of {found['factor']:g} over {_whole(found)}"
    verb = _GONE if end(row) == VANISHES else "is up a thousandfold"
    return f"{verb} {steps(span(row)[1])} back"


def _outlook(found: dict[str, Any], rows: Mapping[str, Row]) -> str:
    """Up to which radius the gradients of a nonlinearity vanish, which ones keep them, and where they explode."""
    by_end = {name: [start for start in rows if end(rows[start]) == name] for name in (VANISHES, NEITHER, EXPLODES)}
    gone, kept, burst = by_end.values()
    parts = []
    if gone:
        verb = "vanishes even at" if len(gone) == len(rows) else "still vanishes at"
        parts.append(f"{verb} {gone[-1]} ({steps(span(rows[gone[-1]])[1])})")
    if kept:
        parts.append(f"lasts {_whole(found)} at {listed(kept)}")
    if burst:
        row = rows[burst[0]]
        count = row["ends"].count(EXPLODES)
        seeds = "" if count == len(row["ends"]) else f"in {count} of {counted_seeds(found)}, "
        parts.append(f"explodes at {burst[0]} ({seeds}a thousandfold {steps(span(row)[1])} back)")
    return listed(parts)


def _whole(found: dict[str, Any]) -> str:
    longest = found["lengths"][-1]
    return f"all {steps(longest)}" if longest > 1 else "the one step"

"""Numbers as people read them. Only here are units scaled and figures rounded."""

from __future__ import annotations

import math
import re

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"), (1e-12, "ps"))
_SIZES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))
_SPANS = 10
"""Intervals whose ends are further apart than this have no decimals, or unit, in common."""

NOTHING = "–"
"""Shown where there is no value."""


NO_BREAK = "\u00a0"
"""A space at which no line is broken."""


def kept_together(text: str) -> str:
    """The text with NO_BREAK inside every figure with its unit, interval or name: `hidden 32`, `4.1× [4.0, 4.2]`."""
    text = re.sub(r"× \[([^,\]]*), ", rf"×{NO_BREAK}[\1,{NO_BREAK}", text)
    text = re.sub(r"(\d) (ns|µs|ms|s|[KMGT]?i?B|steps?|cases?|cells?|%)\b", rf"\1{NO_BREAK}\2", text)
    return re.sub(r"\b(hidden|batch|input|output|in) (\d)", rf"\1{NO_BREAK}\2", text)


def missing(value: object) -> bool:
    """Whether a table's value is absent: None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def duration(seconds: float) -> str:
    """Seconds with three significant digits and a unit that fits: `12.3 µs`."""
    if missing(seconds):
        return NOTHING
    return _scaled(seconds, _TIMES, 3) if seconds else "0 s"


def duration_in(seconds: float, low: float, high: float) -> str:
    """A time with its interval in the same unit, where there is one: `12.3 µs [12.1, 12.6]`."""
    text = duration(seconds)
    if missing(low) or missing(high) or not high:
        return text
    if high > _SPANS * low:
        return f"{text} {durations(low, high)}"
    factor = next(factor for factor, unit in _TIMES if unit == text.rpartition(" ")[2])
    places = max(0, 2 - math.floor(math.log10(high / factor)))
    return f"{text} [{low / factor:.{places}f}, {high / factor:.{places}f}]"


def rate(per_second: float) -> str:
    """Something a second, whole from 100 on and in three digits below: `8,842`, `46.2`."""
    if missing(per_second):
        return NOTHING
    whole_digits = math.floor(math.log10(float(f"{per_second:.3g}"))) + 1
    return f"{per_second:,.{max(0, 3 - whole_digits)}f}"


def durations(low: float, high: float) -> str:
    """An interval of seconds in the unit of its upper end, `[12.1, 12.6] µs`, or in one each: `[31 µs, 1.2 ms]`."""
    if missing(low) or missing(high):
        return NOTHING
    if high > _SPANS * low:
        return f"[{duration(low)}, {duration(high)}]"
    factor, unit = next((pair for pair in _TIMES if high >= pair[0] * 0.9995), _TIMES[-1])
    places = max(0, 2 - math.floor(math.log10(high / factor)))
    return f"[{low / factor:.{places}f}, {high / factor:.{places}f}] {unit}"


def size(count: float) -> str:
    """Bytes with a binary unit: `3.0 MiB`."""
    if missing(count):
        return NOTHING
    return _scaled(float(count), _SIZES, 3)


def times(value: float, low: float = math.nan, high: float = math.nan, most: int = 3) -> str:
    """A ratio, with its interval where there is one: `4.2× [4.1, 4.3]`, in as many digits as the interval deserves, and
    at `most` so many decimals."""
    if missing(value):
        return NOTHING
    if missing(low) or missing(high):
        return f"{value:.{_places(math.inf, value)}f}×"
    if high > _SPANS * low:
        return f"{value:.{_places(math.inf, value)}f}× [{_two_digits(low)}, {_two_digits(high)}]"
    places = min(most, _places(high - low, value))
    while places <= most and any(end != 1 and f"{end:.{places}f}" == f"{1:.{places}f}" for end in (low, high)):
        places += 1  # an end that only rounds to 1 must show on which side of it it lies
    return f"{value:.{places}f}× [{low:.{places}f}, {high:.{places}f}]"


def short_times(ratio: float) -> str:
    """A ratio as short as a tile needs it: `0.55×`, `4.1×`, `120×`."""
    return f"{ratio:.2f}×" if ratio < 2 else f"{ratio:.1f}×" if ratio < 100 else f"{ratio:.0f}×"


def percent(share: float) -> str:
    """A share as a percentage without needless digits: 0.03 is `3 %`."""
    return f"{100 * share:.3g} %"


def rough_percent(share: float) -> str:
    """A share in two digits: `7.6 %`."""
    return percent(float(f"{share:.2g}"))


def whole_percent(share: float) -> str:
    """A share without decimals: `85 %`."""
    return f"{100 * share:.0f} %"


def per_step(count: float) -> str:
    """A count per step, which is a whole number but for what a call does once: `4.1`."""
    return NOTHING if missing(count) else f"{count:.1f}" if count < 100 else f"{count:.0f}"


def gap(value: float) -> str:
    """How many times its floor a cell takes, in two or three digits: `3.9×`, `412×`."""
    return NOTHING if missing(value) else f"{value:.1f}×" if value < 10 else f"{value:.0f}×"


def tick_time(seconds: float) -> str:
    """A time on an axis, as short as it can be: `10 µs`."""
    return _scaled(seconds, _TIMES, 0)


def tick_size(count: float) -> str:
    """Bytes on an axis: `64 KiB`."""
    return _scaled(count, _SIZES, 0)


def _scaled(value: float, units: tuple[tuple[float, str], ...], digits: int) -> str:
    """The value in the largest unit that keeps it at 1 or above; no digits means as few as the value has."""
    factor, unit = next((pair for pair in units if abs(value) >= pair[0] * 0.9995), units[-1])
    scaled = value / factor
    if not digits or (unit == "B" and scaled == int(scaled)):
        return f"{scaled:.4g} {unit}"
    whole_digits = len(str(int(abs(scaled))))
    return f"{scaled:.{max(0, digits - whole_digits)}f} {unit}"


def _two_digits(value: float) -> str:
    """Two significant digits, never as a power of ten."""
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}" if value < 10 else f"{float(f'{value:.2g}'):.0f}"


def _places(width: float, value: float) -> int:
    """Decimals that show two digits of the value, one more from 1 to 2 where ratios crowd or where its interval is
    narrow, but never over three."""
    shown = 1 - math.floor(math.log10(abs(value))) + (1 <= abs(value) < 2) if value else 1
    narrow = math.ceil(-math.log10(width / 1.5)) if 0 < width < math.inf else shown
    return min(3, max(0, shown, narrow))

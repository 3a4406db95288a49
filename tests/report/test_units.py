"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from bench.report.names import short_names
from bench.report.units import duration, duration_in, durations, rate, size, times
from rnn_impls.registry import ordered


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.234e-5, "12.3 µs"),
        (9.999e-4, "1.00 ms"),
        (2.5, "2.50 s"),
        (120.0, "120 s"),
        (3e-9, "3.00 ns"),
        (5.87e-11, "58.7 ps"),
        (0.0, "0 s"),
        (math.nan, "–"),
    ],
)
def test_durations_have_three_digits_and_a_unit(seconds: float, text: str) -> None:
    """The unit fits, also just below the next one."""
    assert duration(seconds) == text


def test_rates_are_whole_where_they_are_large() -> None:
    """Three digits below 100, every digit of the whole number above."""
    found = [rate(each) for each in (12306.829, 518.64, 99.99, 99.94, 14.0, 8.326, 0.52, math.nan)]
    assert found == ["12,307", "519", "100", "99.9", "14.0", "8.33", "0.520", "–"]


def test_intervals_share_a_unit() -> None:
    """Both ends stand in the unit of the upper one, or of the value beside them."""
    assert durations(9.5e-4, 1.2e-3) == "[0.95, 1.20] ms"
    assert duration_in(1e-3, 9.5e-4, 1.2e-3) == "1.00 ms [0.95, 1.20]"


def test_an_interval_may_begin_or_be_at_zero() -> None:
    """Nothing has no unit to share."""
    assert duration_in(1e-6, 0.0, 3e-6) == "1.00 µs [0 s, 3.00 µs]"
    assert duration_in(0.0, 0.0, 0.0) == "0 s"


def test_intervals_over_decades_have_a_unit_for_each_end() -> None:
    """After two passes an interval may reach far; its lower end must not show as zero."""
    assert durations(3.2e-6, 1.58e-2) == "[3.20 µs, 15.8 ms]"


def test_sizes_are_binary() -> None:
    """Bytes in powers of 1024; small counts without decimals."""
    assert (size(512), size(3 * 2**20)) == ("512 B", "3.00 MiB")


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        ((4.2, 4.1, 4.3), "4.2× [4.1, 4.3]"),
        ((4.2, 4.18, 4.22), "4.20× [4.18, 4.22]"),
        ((12.3, 11.0, 13.7), "12× [11, 14]"),
        ((1.04, 1.002, 1.08), "1.040× [1.002, 1.080]"),
        ((1.0, 0.00109, 918.7), "1.00× [0.0011, 920]"),
        ((0.5, math.nan, math.nan), "0.50×"),
    ],
)
def test_a_ratio_has_the_digits_its_interval_deserves(ratio: tuple[float, float, float], text: str) -> None:
    """Narrow intervals show more digits, and an end near 1 shows on which side of it it lies."""
    assert times(*ratio) == text


def test_short_names_stay_different() -> None:
    """Of two classes with one name, each keeps as much of its path as tells it apart."""
    names = ["a/x.py:Mine", "b/x.py:Mine", "c/y.py:Mine", "z.py:Other", "whole"]
    assert list(short_names(names).values()) == ["a/x.py:Mine", "b/x.py:Mine", "y.py:Mine", "Other", "whole"]


def test_known_names_come_first_and_in_order() -> None:
    """The order does not depend on how a run lists them."""
    assert ordered(["z.py:Z", "whole", "a.py:A", "manual", "whole"]) == ["manual", "whole", "z.py:Z", "a.py:A"]

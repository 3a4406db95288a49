"""Both sides of a crossover, and tables of them: planted ones are found, open ones are left open."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from bench.table.crossover import Crossover
from bench.table.law import Law, Point
from bench.table.lead import (
    ALWAYS,
    CONTRADICTED,
    FROM,
    NEVER,
    UNTOLD,
    UP_TO,
    Lead,
    hidden_at,
    leads,
    matrix,
    over_sizes,
    over_steps,
    size_of,
)
from tests.planted import fitted, grid

MANUAL = Law(4e-6, 9.5e-6, 60e-12)
LOOPED = Law(6e-6, 18e-6, 60e-12)
WHOLE = Law(25e-6, 2.5e-6, 40e-12)
SIZES = sorted({size_of(point) for point in fitted(MANUAL).points})


@pytest.mark.parametrize(
    ("found", "one", "other"),
    [
        (Crossover(-1, 1, 2.5, 3.4), Lead(UP_TO, 2), Lead(FROM, 4)),
        (Crossover(1, -1, 3.0, 7.5), Lead(FROM, 8), Lead(UP_TO, 2)),
        (Crossover(-1, 1, 2.0, 8.0), Lead(UP_TO, 2), Lead(FROM, 8)),
        (Crossover(-1, 0, 4.5), Lead(UP_TO, 4), Lead(UNTOLD)),
        (Crossover(0, 1, since=4.5), Lead(UNTOLD), Lead(FROM, 5)),
        (Crossover(0, 0), Lead(UNTOLD), Lead(UNTOLD)),
        (Crossover(1, 1), Lead(NEVER), Lead(ALWAYS)),
        (Crossover(-1, -1, 10.2, 12.3), Lead(ALWAYS), Lead(FROM, 13, measured=False)),
        (Crossover(-1, -1, 1.5, 1.9), Lead(ALWAYS), Lead(UP_TO, 1, measured=False)),
        (Crossover(-1, -1, 0.5, 0.9), Lead(ALWAYS), Lead(NEVER)),
        (Crossover(-1, -1, 300.0, 400.0), Lead(ALWAYS), Lead(NEVER)),
    ],
)
def test_every_outcome_has_two_sides(found: Crossover, one: Lead, other: Lead) -> None:
    """Whole values only, of which the answer is sure, within the range; what is far outside it is no lead."""
    assert leads(found, [2, 4, 8]) == (one, other)


def test_what_the_times_contradict_is_no_lead() -> None:
    """Of neither side, whatever the laws say."""
    assert leads(Crossover(-1, -1), [2, 4], refuted=True) == (Lead(CONTRADICTED), Lead(CONTRADICTED))


def test_where_it_is_ahead() -> None:
    """Somewhere in what was measured; not beyond it, and not where nothing is known."""
    assert all(Lead(kind, 3).ahead for kind in (ALWAYS, FROM, UP_TO))
    assert not any(each.ahead for each in (Lead(NEVER), Lead(UNTOLD), Lead(CONTRADICTED), Lead(FROM, 9, False)))


def test_two_that_cross() -> None:
    """About three steps at each size, a little fewer the larger it is: the one is sure before, the other after."""
    one, other = fitted(MANUAL, seed=1), fitted(WHOLE, "whole", seed=2)
    assert [over_steps(one, other, size) for size in SIZES] == [
        (Lead(UP_TO, 2), Lead(FROM, 4)),
        (Lead(UP_TO, 2), Lead(FROM, 3)),
        (Lead(UP_TO, 1), Lead(FROM, 2)),
    ]
    turned = [over_steps(other, one, size) for size in SIZES]
    assert turned[0] == (Lead(FROM, 4), Lead(UP_TO, 2))


def test_sizes_that_one_lacks_have_no_leads() -> None:
    """Only what both measured is compared."""
    other = fitted(WHOLE, "whole", cases=grid(hidden=(128, 512)))
    assert over_steps(fitted(MANUAL), other, SIZES[0]) is None
    assert over_steps(fitted(MANUAL), other, SIZES[1]) is not None


def test_measured_times_are_believed_before_the_laws() -> None:
    """A cell that says the opposite takes the leads of its size, and no others."""
    odd = Point(128, 128, 8, 2 * 128**2)
    cases = grid(lengths=(1, 2, 4, 8, 16, 32, 64))
    one = fitted(lambda point: MANUAL.seconds(point) / (2 if point == odd else 1), cases=cases)
    found = [over_steps(one, fitted(WHOLE, "whole", cases), size) for size in SIZES]
    assert [both and both[0].kind == CONTRADICTED for both in found] == [False, True, False]


def test_two_devices_that_cross() -> None:
    """At 64 steps the second is ahead from hidden 330 on; at one step only beyond what was measured."""
    one = fitted(Law(5e-6, 5e-6, 50e-12), "whole", seed=1)
    other = fitted(Law(30e-6, 15e-6, 2e-12), "whole", grid(device="cuda"), seed=2)
    assert over_sizes(one, other, 1) == (Lead(ALWAYS), Lead(FROM, 606, measured=False))
    assert over_sizes(one, other, 64) == (Lead(UP_TO, 328), Lead(FROM, 330))
    assert over_sizes(one, other, 7) is None


def names_of(laws: Sequence[tuple[Law, str]]) -> list[str]:
    """The order of a matrix."""
    return matrix([fitted(law, name, seed=len(name)) for law, name in laws], SIZES).names


def test_a_matrix_has_those_ahead_first() -> None:
    """Whichever order they come in; its fields are the leads of row over column at every size."""
    laws = [(LOOPED, "looped"), (MANUAL, "manual"), (WHOLE, "whole")]
    assert names_of(laws) == names_of(laws[::-1]) == ["whole", "manual", "looped"]
    _, found = matrix([fitted(law, name, seed=len(name)) for law, name in laws], SIZES)
    assert found["looped", "manual"] == dict.fromkeys(SIZES, Lead(NEVER))
    assert found["manual", "looped"] == dict.fromkeys(SIZES, Lead(ALWAYS))
    assert found["manual", "manual"] == {}


def test_two_that_are_alike_stay_in_their_order() -> None:
    """The same truth twice is never sold as a difference."""
    fits = [fitted(MANUAL, name, spread=0.03, seed=len(name)) for name in ("manual", "mine")]
    found = matrix(fits, SIZES)
    assert found.names == ["manual", "mine"]
    assert found.leads["manual", "mine"] == dict.fromkeys(SIZES, Lead(UNTOLD))


@pytest.mark.parametrize("fields", [{}, {"input_size": 700}, {"num_layers": 3, "batch_size": 4, "output_size": 2}])
def test_the_hidden_size_behind_products(fields: dict[str, int]) -> None:
    """The inverse of counting them, also between the sizes, and with an input of its own, layers and a head."""
    points = fitted(MANUAL, cases=grid(**fields)).points  # type: ignore[arg-type]
    ends = [point for point in points if point.steps == 1 and point.hidden_size != 128]
    middle = next(point for point in points if point.hidden_size == 128)
    assert hidden_at(middle.products, ends) == pytest.approx(128)
    assert math.isnan(hidden_at(-1.0, ends)) and math.isnan(hidden_at(math.nan, ends))

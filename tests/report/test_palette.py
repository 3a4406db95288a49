"""Looks: every implementation that is known has its own, in both schemes, and letters that can be read on its tile."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from bench.report.names import codes
from bench.report.pictures.palette import COLOURS, chip, contrast, ink_on, looks
from rnn_impls.registry import BUILTIN

OWN = [f"path/to/my_{k}.py:My{k}" for k in range(4)]
SCHEMES = {"light": 0, "dark": 1}


def lab(colour: str) -> tuple[float, ...]:
    """Oklab (B. Ottosson, 2020): distances in it are about those that eyes see."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    r, g, b = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red, green, blue))
    cones = [
        0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
        0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
        0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
    ]
    x, y, z = (cone ** (1 / 3) for cone in cones)
    return (
        0.2104542553 * x + 0.7936177850 * y - 0.0040720468 * z,
        1.9779984951 * x - 2.4285922050 * y + 0.4505937099 * z,
        0.0259040371 * x + 0.7827717662 * y - 0.8086757660 * z,
    )


def distance(one: str, other: str) -> float:
    """How far two colours lie apart; black and white are 1."""
    return math.dist(lab(one), lab(other))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_that_are_known_and_four_of_ones_own_differ(scheme: str) -> None:
    """Any two in colour, and no marker twice, so that nothing rests on colour alone."""
    found = looks([*BUILTIN, *OWN])
    assert len({look.marker for look in found.values()}) == len(found) == 31
    colours = {name: COLOURS[look.role][SCHEMES[scheme]] for name, look in found.items()}
    near = [(one, other) for one, other in combinations(colours, 2) if distance(colours[one], colours[other]) < 0.07]
    assert not near


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_stand_out_and_letters_can_be_read(scheme: str) -> None:
    """Three to one against the paper for graphics, four and a half to one for letters on a tile: WCAG 2.1."""
    k = SCHEMES[scheme]
    for name, look in looks([*BUILTIN, *OWN]).items():
        colour = COLOURS[look.role][k]
        (ink,) = (pair[k] for pair in COLOURS.values() if pair[0] == ink_on(look))
        assert contrast(colour, COLOURS["paper"][k]) >= 3, name
        assert contrast(colour, ink) >= 4.3, name
        assert f"var(--{look.role})" in chip(look)


def test_a_look_does_not_depend_on_the_others() -> None:
    """A known one looks the same in a run of three and in a run of sixteen."""
    every = looks(BUILTIN)
    for name in BUILTIN:
        assert looks([name])[name] == looks(["whole", name, OWN[0]])[name] == every[name]


def test_every_light_colour_stands_for_one_role() -> None:
    """The page tells roles by their light colours; one must not be found in another."""
    light = [pair[0] for pair in COLOURS.values()]
    assert len(set(light)) == len(light)


def test_all_that_are_known_have_letters() -> None:
    """One to three letters that nobody else has."""
    letters = codes({name: name for name in BUILTIN})
    assert len(set(letters.values())) == len(BUILTIN) and max(map(len, letters.values())) <= 2


def test_others_take_letters_that_are_free() -> None:
    """Beside all that are known, several of one name, and one without a letter."""
    short = {name: name for name in BUILTIN} | {f"{k}.py:MyRNN": "MyRNN" for k in range(12)} | {"x.py:_": "x.py:_"}
    letters = codes(short)
    assert len(set(letters.values())) == len(short)
    assert letters["0.py:MyRNN"] == "My" and max(map(len, letters.values())) <= 3

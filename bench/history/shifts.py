"""Where the level of a series changed, and how sure that is. Pure functions of arrays, of logarithms of times.

    calm the series: a run far off its neighbours counts as a little off
    while a stretch has MIN_POINTS or more:
        the best partition into two levels, and into three, by ruptures (kernel "linear": least squares)
        the same of the series in random order, DRAWS times: how often is chance as good?
        rarely enough: the stretch is cut there, and each part is looked at by itself
    put so many changes where they fit the whole series best

Three levels are tried beside two since a change that was soon undone hardly moves the mean of what follows. A random
order is a fair comparison for runs that know nothing of each other, whatever their distribution. Runs of a shared
machine do: the machine has moods that last. So what is put in random order is what each run adds to the one before it,
and the series is made up again from that. How much runs resemble the one before is estimated over all cells of a
machine together (`likeness`), from the differences between runs, which a change of level hardly touches.

Binary segmentation: A. J. Scott and M. Knott, Biometrics 30, 1974, 507-512; three levels: A. B. Olshen and others,
Biostatistics 5, 2004, 557-572; random orders that give up early: J. Besag and P. Clifford, Biometrika 78, 1991,
301-304; calming: F. R. Hampel's identifier. How often it is wrong is measured by `bench.proof.alarms`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.table.stats import t_half_width

Values = NDArray[np.float64]

MIN_POINTS = 12
"""Runs below which hardly any order of them is rare enough: of 12 there are 924 halves, of 10 only 252."""

LEAST = 2
"""Runs of a level: one alone is an outlier as well."""

LEVEL = 0.015
"""Chance that a series without any change is given one, at most; since half of it is spent on either kind of cut, and
likeness is taken a little high, `bench.proof.alarms` finds about 1 %."""

DRAWS = 999

FAR = 4.0
"""Standard deviations from its neighbours beyond which a run counts as so far off."""

MOST_ALIKE = 0.95


def missing() -> str:
    """A line that says what to install where ruptures is not there; nothing where it is."""
    if importlib.util.find_spec("ruptures"):
        return ""
    return "changes are found by the package ruptures, which is not installed: pip install ruptures"


@dataclass(frozen=True)
class Shift:
    """A change of level in a series: `at` is the first point of the new level; it may as well have been any from
    `first` to `last`. The levels and the `error` of their difference are logarithms, with its degrees of freedom."""

    at: int
    first: int
    last: int
    before: float
    after: float
    error: float
    freedom: int

    def ends(self, level: float = 0.025) -> tuple[float, float]:
        """The interval of the difference, by Student's t; one-sided level of each end."""
        half = t_half_width(self.error, self.freedom, level)
        return self.after - self.before - half, self.after - self.before + half


def shifts(logs: ArrayLike, alike: float = 0.0, level: float = LEVEL) -> list[Shift]:
    """The changes of level in a series of logarithms, in order; `alike` is how much of a deviation the next run keeps
    (`likeness`). The same values give the same answer. Raises ModuleNotFoundError without ruptures."""
    calmed = calm(logs)
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(calmed.tobytes()).digest()[:8]))
    found: list[int] = []
    waiting = [(0, len(calmed))]
    while waiting:
        begin, end = waiting.pop()
        cuts = [begin + cut for cut in _cuts(calmed[begin:end], alike, level, rng)]
        found += cuts
        edges = [begin, *cuts, end]
        waiting += list(pairwise(edges)) if cuts else []
    return [_shift(calmed, place, alike) for place in _places(_settled(calmed, len(found)), len(calmed))]


def calm(logs: ArrayLike) -> Values:
    """The series with what lies far from the median of five neighbours moved to FAR standard deviations from it. Steps
    that last for two runs stay as they are; so do series of fewer than five."""
    values = np.asarray(logs, float)
    if len(values) < 5:
        return values
    spread = 1.4826 * float(np.median(np.abs(np.diff(values)))) / math.sqrt(2)
    if spread == 0:
        return values
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, 2, mode="reflect"), 5)
    middle = np.median(around, axis=1)
    return np.asarray(np.clip(values, middle - FAR * spread, middle + FAR * spread))


def likeness(series: Sequence[ArrayLike]) -> float:
    """How much of a deviation the next run keeps, from 0 to MOST_ALIKE, over all series of a machine: the median of
    their estimates, and a standard error on top since too low a figure makes false alarms.

    Of each series: mean squared difference two runs apart over that one run apart, less 1, which is the autocorrelation
    of an AR(1) process; squares are capped so that a change of level counts little.
    """
    found = [(len(calmed), _likeness(calmed)) for each in series if len(calmed := calm(each)) >= MIN_POINTS]
    if not found:
        return 0.0
    points = sum(count for count, _ in found)
    middle = float(np.median([alike for _, alike in found]))
    return min(max(middle + 1 / math.sqrt(points), 0.0), MOST_ALIKE)


def _likeness(values: Values) -> float:
    one, two = _mean_square(np.diff(values)), _mean_square(values[2:] - values[:-2])
    return two / one - 1 if one > 0 else 0.0


def _mean_square(differences: Values) -> float:
    """Squares above nine times what they are for a standard deviation count as so much: the median of a squared normal
    variable is 0.455 of its variance."""
    squares = differences**2
    typical = float(np.median(squares)) / 0.455
    return float(np.minimum(squares, 9 * typical).mean()) if typical > 0 else 0.0


def _cuts(values: Values, alike: float, level: float, rng: np.random.Generator) -> list[int]:
    """Where to cut a stretch: once or twice, or not at all. Half of the level is spent on each."""
    if len(values) < MIN_POINTS or not np.ptp(values) > 0:
        return []
    alike = alike if np.median(np.abs(np.diff(values))) > 0 else 0.0
    best = _partitions(values)
    own = values - values.mean()
    added = own[1:] - alike * own[:-1] if alike else own
    kept = _kept(len(values), alike)
    allowed = math.floor(level / 2 * (DRAWS + 1) + 1e-9) - 1
    as_good = [0, 0]
    for _ in range(DRAWS):
        drawn = _partitions(_made_up(added, kept, rng))
        as_good = [
            count + (chance.explained >= seen.explained - 1e-12)
            for count, chance, seen in zip(as_good, drawn, best, strict=True)
        ]
        if min(as_good) > allowed:
            return []
    return next(each.cuts for each, count in zip(best, as_good, strict=True) if count <= allowed)


def _kept(length: int, alike: float) -> Values | None:
    """How much of what each run added, twice as many of them, is left in each of the last ones; None: nothing is of
    others."""
    if not alike:
        return None
    ago = np.arange(length, 2 * length)[:, None] - np.arange(2 * length)[None, :]
    return np.where(ago >= 0, alike ** np.maximum(ago, 0), 0.0)


def _made_up(added: Values, kept: Values | None, rng: np.random.Generator) -> Values:
    """A series without a change, of what each run adds, in random order; the first follow others that are drawn."""
    if kept is None:
        return np.asarray(rng.permutation(added))
    before = rng.choice(added, kept.shape[1] - len(added))
    return np.asarray(kept @ np.concatenate([before, rng.permutation(added)]))


@dataclass(frozen=True)
class _Partition:
    """A partition into levels: its cuts, and the share of the variation that it explains."""

    cuts: list[int]
    explained: float


def _partitions(values: Values) -> tuple[_Partition, _Partition]:
    """The best ones into two and into three levels."""
    search = _search(values)
    total = float(((values - values.mean()) ** 2).sum())
    found = []
    for count in (1, 2):
        edges = search.predict(n_bkps=count)
        left = sum(_squares(part) for part in np.split(values, edges[:-1]))
        found.append(_Partition([int(edge) for edge in edges[:-1]], 1 - left / total))
    return found[0], found[1]


def _search(values: Values) -> Any:
    import ruptures

    return ruptures.KernelCPD(kernel="linear", min_size=LEAST).fit(values)


def _settled(values: Values, count: int) -> list[int]:
    """Where so many changes fit the whole series best."""
    return [int(edge) for edge in _search(values).predict(n_bkps=count)[:-1]] if count else []


def _places(cuts: Sequence[int], length: int) -> list[tuple[int, int, int]]:
    """Each cut between those around it."""
    edges = [0, *cuts, length]
    return list(zip(edges[:-2], edges[1:-1], edges[2:], strict=True))


def _shift(values: Values, place: tuple[int, int, int], alike: float) -> Shift:
    """What there is to say of a cut between two others: the levels on both sides, and where else it may have been: all
    places that are not much less likely, by 3.84 of twice the log likelihood (chi-squared, 95 %)."""
    begin, at, end = place
    part = values[begin:end]
    before, after = values[begin:at], values[at:end]
    worse = (1 + alike) / (1 - alike)
    squares = {cut: _squares(part[:cut]) + _squares(part[cut:]) for cut in range(1, len(part))}
    least = squares[at - begin]
    near = sorted(
        begin + cut
        for cut, own in squares.items()
        if least == own or (least > 0 and len(part) * math.log(own / least) <= 3.84 * worse)
    )
    freedom = len(part) - 2
    spread = math.sqrt(least / freedom) if freedom > 0 else math.nan
    error = spread * math.sqrt((1 / len(before) + 1 / len(after)) * worse)
    first, last = _run_around(near, at)
    return Shift(at, first, last, float(before.mean()), float(after.mean()), error, max(freedom, 1))


def _run_around(places: Sequence[int], at: int) -> tuple[int, int]:
    """The ends of the unbroken run of places that holds this one."""
    there, first, last = set(places), at, at
    while first - 1 in there:
        first -= 1
    while last + 1 in there:
        last += 1
    return first, last


def _squares(values: Values) -> float:
    return float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0

"""Series whose changes are known: those that the package `otava-test-data` makes (Apache 2.0, J. Drumgoole), with the
sizes it has by default, noise added, and seeds that are fixed.

Its labels of outliers and of changes of scatter alone are no changes of a level, and count as nothing here; neither
does its `phase_change`, a wave that never rests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.history.shifts import Values, likeness, shifts

Row = dict[str, Any]

LENGTHS, SEEDS, SIGMAS = (50, 200), range(10), (2.0, 5.0)
"""Runs, and standard deviations of the noise: 2 and 5 of 100, as the package's own tests have it."""

LEVELS = ("step", "regression_start", "regression_end")
"""Kinds of labels that are changes of level."""


def series() -> Iterator[tuple[str, Values, list[int]]]:
    """(name, logarithms, places of the changes). Raises ModuleNotFoundError without the package."""
    import otava_test_data as made
    from otava_test_data.generators.advanced import multiple_outliers

    steady = {
        "constant, normal noise": lambda n, s, seed: made.noise_normal(length=n, sigma=s, seed=seed),
        "constant, uniform noise": lambda n, s, seed: made.noise_uniform(
            length=n, min_val=100 - 2 * s, max_val=100 + 2 * s, seed=seed
        ),
        "an outlier": lambda n, s, seed: made.generators.basic.outlier(length=n, sigma=s, seed=seed),
        "three outliers": lambda n, s, seed: multiple_outliers(length=n, sigma=s, seed=seed),
        "banding": lambda n, s, seed: made.banding(length=n, sigma=s, seed=seed),
        "scatter changes": lambda n, s, seed: made.variance_change(
            length=n, sigma_before=s, sigma_after=3 * s, seed=seed
        ),
        "a step, 20 %": lambda n, s, seed: made.step_function(length=n, sigma=s, seed=seed),
        "ten runs of 30 %, then fixed": lambda n, s, seed: made.regression_fix(length=n, sigma=s, seed=seed),
        "three steps of 10 %": lambda n, s, seed: made.multiple_changes(length=n, sigma=s, seed=seed),
    }
    for name, make in steady.items():
        for length in LENGTHS:
            for sigma in SIGMAS:
                for seed in SEEDS:
                    one = make(length, sigma, seed)
                    places = [int(each.index) for each in one.change_points if each.change_type in LEVELS]
                    yield f"{name}, noise {sigma:g} %", np.log(np.asarray(one.data, float)), places


def table(near: int) -> list[Row]:
    """By kind: how many series, their changes, how many of these are found to within so many runs, and how many
    changes are found where there is none. Each series stands alone."""
    rows: dict[str, Row] = {}
    for name, logs, places in series():
        row = rows.setdefault(name, {"name": name, "series": 0, "changes": 0, "found": 0, "false": 0})
        told = [shift.at for shift in shifts(logs, likeness([logs]))]
        row["series"] += 1
        row["changes"] += len(places)
        row["found"] += sum(any(abs(at - place) <= near for at in told) for place in places)
        row["false"] += sum(all(abs(at - place) > near for place in places) for at in told)
    return list(rows.values())

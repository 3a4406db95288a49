"""Every point and every change of a history as rows. Nothing is rounded."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from typing import Any

from bench.history.changes import Change, Found, Level
from bench.history.series import History
from bench.history.summary import METERS, Summary
from bench.report.over_time import told

COLUMNS = ("case", "implementation", "run", "started", "commit", "branch", "dirty", "commit_time", "machine",
           "control_ratio", "control_ratio_low", "control_ratio_high", "level", *METERS)  # fmt: skip


def as_csv(history: History, found: Found) -> str:
    """A line for each run of each cell, in order: time over the control's with its 95 % interval, the level between
    changes that it belongs to, and the exact meters of a call, empty where they are not known. `machine` is a
    fingerprint (`bench.host.identity`)."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_rows(history, found))
    return stream.getvalue()


def _rows(history: History, found: Found) -> Iterator[dict[str, Any]]:
    for series in history.series:
        levels = found.levels[series.cell, series.fingerprint]
        columns = zip(series.runs, series.ratios, series.lows, series.highs, series.meters, strict=True)
        for number, ratio, low, high, meters in columns:
            run = history.runs[number]
            yield {
                "case": series.cell[0],
                "implementation": series.cell[1],
                "run": run.run,
                "started": run.started,
                "commit": run.commit_id,
                "branch": run.commit.get("branch") or "",
                "dirty": bool(run.commit.get("dirty")),
                "commit_time": run.commit.get("time") or "",
                "machine": series.fingerprint,
                "control_ratio": ratio,
                "control_ratio_low": "" if math.isnan(low) else low,
                "control_ratio_high": "" if math.isnan(high) else high,
                "level": _level(levels, number),
                **meters,
            }


def _level(levels: tuple[Level, ...], number: int) -> float:
    return next(each.value for each in levels if each.first <= number <= each.last)


def as_json(history: History, found: Found) -> dict[str, Any]:
    """The answer and every change, the last first; what machine or software caused has its differences."""
    return {
        "answer": told.answer(history, found),
        "notes": told.notes(history, found),
        "runs": len(history.runs),
        "commits": history.commits,
        "alike": found.alike,
        "changes": [_change(history, change) for change in found.changes],
    }


def _change(history: History, change: Change) -> dict[str, Any]:
    ratio, runs, place = change.ratio, history.runs, change.place
    return {
        "id": change.id,
        "case": change.cell[0],
        "implementation": change.cell[1],
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "ratio": _finite(ratio.value),
        "low": _finite(ratio.low),
        "high": _finite(ratio.high),
        "most_likely": [_run(runs[place.earlier]), _run(runs[place.at])],
        "between": [_run(runs[place.first]), _run(runs[place.last])],
        "causes": {name: list(pair) for name, pair in change.causes.items()},
    }


def _run(run: Summary) -> dict[str, str]:
    return {"run": run.run, "commit": run.commit_id}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

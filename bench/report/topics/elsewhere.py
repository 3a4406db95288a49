"""What others published of the run's cases, beside its own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from bench.cases.case import Case
from bench.cases.words import axis_value, in_words
from bench.published.results import results
from bench.report.comparisons import won_by
from bench.report.pictures.scene import Scene
from bench.report.tables import Column, entries, plain
from bench.report.topics.topic import Topic
from bench.report.units import duration, missing, rate
from bench.table.beside import Beside, beside
from bench.table.cells import REFERENCE
from bench.table.reading import Run
from rnn_impls import networks

TITLE = "What others published"
NOTE = (
    "Others ran these cases on machines of their own, so no ratio to this run is formed. "
    "Figures are samples/s, sequences a second, with the time of a call in brackets."
)


def topic(run: Run, scene: Scene) -> Topic | None:
    """All of it, one row for each published figure. Raises `bench.store.files.BrokenFile`."""
    found = beside(scene.cells, results())
    if not found:
        return None
    short = {name: f"`{text}`" for name, text in scene.short.items()}
    frame = pd.DataFrame([_row(each, short) for each in found])
    columns = [column for column in _COLUMNS if not frame[column.field].map(missing).all()]
    rows = entries(frame, columns)
    at = [column.field for column in columns].index("source")
    for row, each in zip(rows, found, strict=True):
        row[at] = replace(row[at], hint=each.result.link)
    return Topic("published", "Published", TITLE, [NOTE], columns, rows)


_COLUMNS = (
    Column("Case", plain("case"), "case", False),
    Column("Published by", plain("source"), "source", False),
    Column("Hardware", plain("hardware"), "hardware", False),
    Column("Software", plain("software"), "software", False, wide=True),
    Column("Their samples/s", plain("their_figure"), "their_rate"),
    Column(f"{REFERENCE} here", plain("reference_figure"), "reference_rate"),
    Column("Fastest here", plain("fastest"), "fastest", False),
)


def _row(each: Beside, short: Mapping[str, str]) -> dict[str, object]:
    result, case = each.result, each.case
    return {
        "case": _words(case),
        "source": f"{result.source}, {result.year}",
        "hardware": f"{result.device}: {result.hardware}",
        "software": f"{result.software}, {result.case.dtype}",
        "their_rate": case.batch_size / result.seconds,
        "their_figure": _figure(case, result.seconds),
        "reference_rate": case.batch_size / each.reference_seconds,
        "reference_figure": _figure(case, each.reference_seconds),
        "fastest": _fastest(each, short),
    }


def _figure(case: Case, seconds: float) -> str:
    """`8,842 (7.24 ms)`: samples/s, and the time of a call."""
    return f"{rate(case.batch_size / seconds)} ({duration(seconds)})"


def _fastest(each: Beside, short: Mapping[str, str]) -> str | None:
    """The winner with the figure of it, or of the first of a tie; names alone where it is undecided."""
    if each.winner is None:
        return None
    names = won_by(each.winner, short)
    return f"{names}: {_figure(each.case, each.winner.rows.iloc[0]['seconds'])}" if each.winner.decided else names


def _words(case: Case) -> str:
    """`lstm, hidden 500, 50 steps, batch 64, inference, float32, 1 thread`: with what others' may differ in, always."""
    told = in_words(replace(case, network=networks.DEFAULT, dtype=Case.dtype, threads=Case.threads))
    threads = [axis_value("threads", case.threads)] if case.device == "cpu" else []
    return ", ".join([case.network, told, case.dtype, *threads])

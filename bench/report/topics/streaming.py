"""How long one step takes while the input comes in, how long the slow ones do, and what a step of the whole takes."""

from __future__ import annotations

import pandas as pd

from bench.cases.case import FIELDS, INFERENCE, STREAMING
from bench.report.comparisons import Context
from bench.report.facets import usual_case
from bench.report.pictures.scene import Scene
from bench.report.pictures.steps import picture
from bench.report.tables import Column, entries
from bench.report.topics.topic import Topic
from bench.report.units import duration, duration_in, missing, rough_percent
from bench.table.cells import REFERENCE
from bench.table.latency import KEYS, latencies
from bench.table.reading import Run
from bench.table.winners import winners

TITLE = "One step at a time"
NOTHING_COUNTS = "Every step ran in a block that was disturbed, so nothing is known of its latency."
_SAME = [*(field for field in FIELDS if field != "mode"), "implementation"]


def topic(run: Run, scene: Scene) -> Topic | None:
    """All of it, a row for each measured cell whose steps were looked at; None where there is none."""
    rows = _rows(run, scene)
    if rows.empty:
        return None
    shown = [column for column in _columns(scene, rows) if not rows[column.field].map(missing).all()]
    said = [*_sentences(Context(scene.cells, scene.baseline), rows), _counts(rows)]
    return Topic("streaming", "Streaming", TITLE, said, shown, entries(rows, shown), picture(scene, rows))


def _rows(run: Run, scene: Scene) -> pd.DataFrame:
    """The measured cells with their latency, by case and median; their `step_seconds` are those of the same sequence in
    one call of inference, NaN where the run has none."""
    cells = scene.cells.drop(columns=[name for name in scene.cells if name.startswith("latency_")])
    rows = cells[cells["mode"] == STREAMING].merge(latencies(run), on=KEYS, validate="one_to_one")
    whole = cells.loc[cells["mode"] == INFERENCE, [*_SAME, "step_seconds"]]
    rows = rows.drop(columns="step_seconds").merge(whole, how="left", on=_SAME)
    return rows.sort_values(["case", "latency_median"], kind="stable", ignore_index=True)


def _columns(scene: Scene, rows: pd.DataFrame) -> list[Column]:
    context = Context(rows, scene.baseline)
    return [
        Column("Case", lambda row: context.place(row, without=["mode"]), "case", False),
        Column("Implementation", lambda row: context.phrase(row["implementation"]), "implementation", False),
        Column("Median", lambda row: _time(row, "median"), "latency_median", hint="with its 95 % interval over passes"),
        Column("95 of 100 within", lambda row: _time(row, "p95"), "latency_p95"),
        Column("99 of 100 within", lambda row: _time(row, "p99"), "latency_p99"),
        Column("Step of one call", lambda row: duration(row["step_seconds"]), "step_seconds",
               hint="of the same sequence, given as a whole: time per call over its steps"),
        Column("Steps", lambda row: f"{row['latency_steps']:,}", "latency_steps", hint="that count, over all passes"),
        Column("Disturbed", lambda row: f"{row['latency_disturbed']:,}", "latency_disturbed",
               hint="steps of blocks in which something else had the core; they don't count"),
    ]  # fmt: skip


def _time(row: pd.Series, quantile: str) -> str:
    return duration_in(*(row[f"latency_{quantile}{end}"] for end in ("", "_low", "_high")))


def _sentences(context: Context, rows: pd.DataFrame) -> list[str]:
    """The usual case: the winner's step, or where there is none the shortest; REFERENCE's; and a step of one call."""
    known = rows.dropna(subset="latency_median")
    if known.empty:
        return [NOTHING_COUNTS]
    here = known[known["case"] == usual_case(known)].set_index("implementation", drop=False)
    winner = winners(context.cells).get(str(here["case"].iloc[0]))
    best = winner.names[0] if winner and winner.decided and winner.names[0] in here.index else here.index[0]
    row = here.loc[best]
    where = context.place(row, without=["mode", "seq_len"])
    name = context.phrase(best)
    said = [
        f"{name} answers a step in {_time(row, 'median')}, 99 of 100 within {duration(row['latency_p99'])}, at {where}."
    ]
    told = row
    if best != REFERENCE and REFERENCE in here.index:
        told = here.loc[REFERENCE]
        said.append(f"{context.phrase(REFERENCE)}, called step by step, takes {_time(told, 'median')}.")
    if not missing(told["step_seconds"]):
        once = f"Given the whole sequence, one call of {context.phrase(told['implementation'])}"
        said.append(f"{once} takes {duration(told['step_seconds'])} a step.")
    return said


def _counts(rows: pd.DataFrame) -> str:
    """What was left out, and what is in each step beside it."""
    steps, disturbed = int(rows["latency_steps"].sum()), int(rows["latency_disturbed"].sum())
    share = rough_percent(disturbed / (steps + disturbed)) if disturbed else ""
    left = f"{share} of all steps ran in a disturbed block, and don't count." if share else "No block was disturbed."
    return f"{left} About 0.1 µs of a step is the loop and the clock."

"""The report of a run: one tidy table, a summary, pictures, and a page, all made from the raw files alone.

    folder/samples.parquet, samples.csv   every sample: see `bench.table.reading.Run`
    folder/cells.json                     every estimate with its interval and warnings: see `bench.table.cells.cells`;
                                          of a large run, cells.parquet instead
    folder/summary.md                     findings and a compact table
    folder/figures/*.png, *.svg           the pictures; `main` is the one for a README
    folder/index.html                     the page, self-contained

The same raw files give the same bytes. Nothing here imports torch.
"""

from __future__ import annotations

import io
import math
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.host.machine import cores
from bench.report import several
from bench.report.comparisons import Finding
from bench.report.excerpt import Excerpt, excerpt
from bench.report.findings import MOST, findings
from bench.report.hover import answers
from bench.report.markdown import summary
from bench.report.operators import with_reasons
from bench.report.page import page
from bench.report.pictures.figures import pictures
from bench.report.pictures.render import png_bytes, sheet, style, svg_bytes
from bench.report.pictures.scene import Picture, Scene
from bench.report.topics import elsewhere, last_step, ragged, runtimes, streaming
from bench.report.topics.topic import Topic
from bench.report.use import use, with_winners
from bench.report.why import why
from bench.store.compact import SAMPLES, compact
from bench.store.files import write_atomically, write_json
from bench.store.manifest import Manifest
from bench.store.merged import Machine, is_merged, read_merged
from bench.table.cells import cells
from bench.table.latency import with_latency
from bench.table.reading import Run, read_run
from bench.table.tidy import write_cells

MAIN_DPI = 192

TOPICS: tuple[Callable[[Run, Scene], Topic | None], ...] = (
    runtimes.topic,
    last_step.topic,
    ragged.topic,
    streaming.topic,
    elsewhere.topic,
)
"""What makes the sections for questions that only some runs ask, in the order of the page."""


def build(folder: Path) -> Path:
    """Write the report of a run folder, or of a merged run, into it -> the path of its index.html.

    Raises `bench.store.files.BrokenFile` naming file and field for a folder that can't be read, OSError for one that
    can't be written.
    """
    return write_merged_pages(folder) if is_merged(folder) else write(read_run(folder), folder)


def write_merged_pages(folder: Path) -> Path:
    """Write the report of each machine of a merged run -> the page of the only machine, or else the index.html that
    puts them side by side, in the folder. Raises BrokenFile, OSError."""
    machines = read_merged(folder)
    named = several.labels(machines)
    if len(machines) == 1:
        return build(machines[0].folder)
    pages = _in_processes(_of_machine, [(machine, named[machine.fingerprint]) for machine in machines])
    digits = [machine.fingerprint for machine in machines]
    panels, tables, manifests = zip(*pages, strict=True)
    shown = several.page(
        folder.resolve().name, panels, dict(zip(digits, tables, strict=True)), dict(zip(digits, manifests, strict=True))
    )
    write_atomically(folder / "index.html", shown.encode())
    return folder / "index.html"


LARGE_BYTES = 4 << 20
"""Samples of a machine from which its page is worth a process of its own."""


def _in_processes(make: Callable[..., Any], given: list[tuple[Machine, str]]) -> list[Any]:
    """What `make` gives for each, by several processes where these machines have many samples."""
    large = sum((machine.folder / SAMPLES).stat().st_size > LARGE_BYTES for machine, _ in given)
    if large < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return [make(*each) for each in given]
    # A fork has what is imported by now; Arrow's and the library of products' threads begin anew in it.
    with ProcessPoolExecutor(min(cores(), len(given)), multiprocessing.get_context("fork")) as pool:
        return list(pool.map(make, *zip(*given, strict=True)))


def _of_machine(machine: Machine, label: str) -> tuple[several.Panel, pd.DataFrame, Manifest]:
    """Write the report of a machine; what the page of all machines has of it."""
    made = Made.of(read_run(machine.folder))
    _write(made, machine.folder)
    panel = several.panel(machine, label, made.table, made.scene, made.pictures, made.run.manifest)
    return panel, made.table, made.run.manifest


@dataclass(frozen=True, eq=False)
class Made:
    """What a report is made of: a run, its cells with all that is said of them, the excerpt that a large one's page
    shows, and what is drawn of it."""

    run: Run
    table: pd.DataFrame
    part: Excerpt | None
    scene: Scene
    pictures: list[Picture]

    @classmethod
    def of(cls, run: Run) -> Made:
        """Of a run, however it was read."""
        table = with_winners(with_reasons(with_latency(cells(run), run), run.profile))
        part = excerpt(table, run.manifest.settings.get("precision"))
        scene = Scene(part.cells if part else table, run.manifest)
        return cls(run, table, part, scene, pictures(scene))


def write(run: Run, folder: Path) -> Path:
    """Write the report of a run, however it was read, into a folder -> the path of its index.html. Raises OSError."""
    return _write(Made.of(run), folder)


def _write(made: Made, folder: Path) -> Path:
    run, table, part, scene = made.run, made.table, made.part, made.scene
    found = findings(table, run.manifest.baseline)
    explained, advised = why(run, scene), use(part.cells if part else table, scene)
    topics = [topic for of in TOPICS if (topic := of(run, scene))]
    told = [Finding(topic.name, topic.said[0]) for topic in topics if topic.finding]
    found = [*found[: MOST - len(told)], *told]
    drawn = [*made.pictures, *filter(None, [advised.picture]), *explained.pictures]
    drawn += [topic.picture for topic in topics if topic.picture]
    folder.mkdir(parents=True, exist_ok=True)
    beside = _write_samples(run, folder, csv=part is None)
    if part:
        write_cells(folder / "cells.parquet", table)
    else:
        write_json(folder / "cells.json", {"run": run.manifest.id, "cells": as_records(table)})
    _write_figures(scene, [picture for picture in drawn if not part or picture.name == "main"], folder / "figures")
    text = summary(table, run.manifest, found, explained, advised, topics, part)
    write_atomically(folder / "summary.md", text.encode())
    path = folder / "index.html"
    shown = [picture for picture in drawn if picture.name != "main"]
    asked = answers(run, scene)
    write_atomically(
        path, page(table, run.manifest, found, shown, explained, advised, asked, topics, part, beside).encode()
    )
    return path


def _write_samples(run: Run, folder: Path, csv: bool) -> list[str]:
    """Every sample, unrounded; a run in its compact form has them. The names of the files that hold them."""
    if compact(folder):
        return [SAMPLES]
    stream = io.BytesIO()
    run.samples.to_parquet(stream, index=False)
    write_atomically(folder / "samples.parquet", stream.getvalue())
    if not csv:
        return [SAMPLES]
    write_atomically(folder / "samples.csv", run.samples.to_csv(index=False, lineterminator="\n").encode())
    return ["samples.csv", SAMPLES]


def as_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table of cells for JSON: what is not known is null, a warning its kind and value."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [warning.as_dict() for warning in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _write_figures(scene: Scene, drawn: list[Picture], folder: Path) -> None:
    """Each picture as one PNG and one SVG; those of an earlier build that are no more are removed."""
    folder.mkdir(exist_ok=True)
    kept = {f"{picture.name}.{ending}" for picture in drawn for ending in ("png", "svg")}
    for old in [path for path in folder.iterdir() if path.suffix in (".png", ".svg") and path.name not in kept]:
        old.unlink()
    with style(text_as_paths=True):
        for picture in drawn:
            legend = scene.legend if picture.legend is None else picture.legend
            figure = sheet(picture.panels, picture.columns, picture.title, legend)
            dpi = MAIN_DPI if picture.name == "main" else 144
            write_atomically(folder / f"{picture.name}.svg", svg_bytes(figure))
            write_atomically(folder / f"{picture.name}.png", png_bytes(figure, dpi))

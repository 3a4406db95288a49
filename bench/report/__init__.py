"""The report of a run: one tidy table, a summary, pictures, and a page, all made from the raw files alone.

    folder/samples.parquet, samples.csv   every sample: see `bench.results.Run`
    folder/summary.md                     findings and a compact table
    folder/figures/*.png, *.svg           the pictures; `main` is the one for a README
    folder/index.html                     the page, self-contained

The same raw files give the same bytes. Nothing here imports torch.
"""

from __future__ import annotations

import io
from pathlib import Path

from bench.files import write_atomically
from bench.report.figures import pictures
from bench.report.findings import findings, headlines
from bench.report.markdown import summary
from bench.report.page import page
from bench.report.render import png_bytes, sheet, style, svg_bytes
from bench.report.scene import Picture, Scene
from bench.report.use import use, with_winners
from bench.report.why import why
from bench.report.why.reasons import with_reasons
from bench.results import Run, read_run
from bench.summary import cells

__all__ = ["build", "findings", "headlines", "write"]

MAIN_DPI = 192


def build(folder: Path) -> Path:
    """Write the report of a run folder into it -> the path of its index.html.

    Raises `bench.files.BrokenFile` naming file and field for a folder that can't be read, OSError for one that can't
    be written.
    """
    return write(read_run(folder), folder)


def write(run: Run, folder: Path) -> Path:
    """Write the report of a run, however it was read, into a folder -> the path of its index.html. Raises OSError."""
    table = with_winners(with_reasons(cells(run), run.profile))
    found = findings(table, run.manifest.baseline)
    scene = Scene(table, run.manifest)
    explained, advised = why(run, table, scene), use(table, scene)
    drawn = [*pictures(scene), *filter(None, [advised.picture]), *explained.pictures]
    folder.mkdir(parents=True, exist_ok=True)
    _write_samples(run, folder)
    _write_figures(scene, drawn, folder / "figures")
    write_atomically(folder / "summary.md", summary(table, run.manifest, found, explained, advised).encode())
    path = folder / "index.html"
    shown = [picture for picture in drawn if picture.name != "main"]
    write_atomically(path, page(table, run.manifest, found, shown, explained, advised).encode())
    return path


def _write_samples(run: Run, folder: Path) -> None:
    """Every sample, unrounded."""
    stream = io.BytesIO()
    run.samples.to_parquet(stream, index=False)
    write_atomically(folder / "samples.parquet", stream.getvalue())
    write_atomically(folder / "samples.csv", run.samples.to_csv(index=False, lineterminator="\n").encode())


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

"""index.html: the whole report in one file that needs no network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.measure.alternate import BLOCK_SECONDS
from bench.report import tables
from bench.report.answer import answers
from bench.report.comparisons import WITHIN, Finding
from bench.report.excerpt import Excerpt
from bench.report.facets import constants, notices, skipped
from bench.report.hover import as_json
from bench.report.pictures import palette
from bench.report.pictures.render import inline_svg, marker_svg, style
from bench.report.pictures.scene import Picture, Scene
from bench.report.topics.topic import Topic, linked
from bench.report.units import NO_BREAK, duration, kept_together, percent, tick_time
from bench.report.use import Use
from bench.report.warned import sentences
from bench.report.why import Why
from bench.store.manifest import MEASURED, Manifest
from bench.table.cells import REFERENCE, reached
from rnn_impls.registry import ordered

WEB = Path(__file__).parent / "web"


@dataclass(frozen=True)
class Plot:
    """A panel as the page shows it; the implementation that it is `of`, if of one; whether it is `hidden` at first."""

    title: str
    svg: Markup
    of: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class PlotGroup:
    """Panels of one setting; `folded` ones are opened on demand."""

    title: str
    plots: list[Plot]
    columns: int
    folded: bool


def page(
    cells: pd.DataFrame,
    manifest: Manifest,
    found: Sequence[Finding],
    drawn: Sequence[Picture],
    explained: Why,
    advised: Use,
    asked: Mapping[str, Any],
    topics: Sequence[Topic] = (),
    part: Excerpt | None = None,
    beside: Sequence[str] = (),
) -> str:
    """The page as text; a pure function of its arguments and the files of web/. `part` is what it shows in detail,
    where that isn't all; `beside` names the files of samples."""
    scene = Scene(part.cells if part else cells, manifest)
    precision = manifest.settings.get("precision")
    shown = [] if part else tables.columns(cells, precision)
    rows = tables.rows(cells, shown, precision) if shown else []
    titles = {scene.short[name]: scene.about[name].replace("`", "") for name in scene.names}
    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "code": partial(code, titles=titles),
        "together": together,
        "duration": duration,
        "percent": percent,
    }
    environment.tests["linked"] = linked
    with style(text_as_paths=False):
        plots = {picture.name: groups(picture) for picture in drawn}
        legends = {
            picture.name: [(entry.name, Markup(marker_svg(entry.look, picture.name))) for entry in picture.legend]
            for picture in drawn
            if picture.legend
        }
        measured = set(scene.cells["implementation"])
        legend = [
            {
                "name": scene.short[name],
                "full": name,
                "about": scene.about[name],
                "sample": Markup(marker_svg(look, "legend")),
                "again": Markup(marker_svg(look, "strip")),
                "measured": name in measured,
            }
            for name, look in scene.looks.items()
        ]
    return environment.get_template("page.html.j2").render(
        manifest=manifest,
        answers=answers(cells, manifest),
        findings=found,
        notices=notices(cells, manifest),
        warned=sentences(cells),
        plots=plots,
        legend=legend,
        legends=legends,
        why=explained,
        use=advised,
        topics=topics,
        reference=REFERENCE,
        within=WITHIN,
        measured_names=measured,
        constants=constants(cells[cells["status"] == MEASURED]),
        baseline=scene.short.get(manifest.baseline, ""),
        columns=shown,
        excerpt=part,
        lookup=Markup(as_json(part.data)) if part else "",
        beside=beside,
        rows=rows,
        filters=_filters(shown, rows),
        precision=precision,
        wide=_wide(cells, precision),
        several=scene.cells["speedup"].notna().any() and len(ordered(scene.cells["implementation"])) > 1,
        passes=scene.cells["passes"],
        skipped=skipped(cells),
        short=scene.short,
        machine=tables.facts(manifest.machine),
        settings=tables.facts(manifest.settings),
        commit=tables.facts(manifest.commit),
        ledger=tables.ledger(manifest),
        block=tick_time(BLOCK_SECONDS),
        css=Markup(palette.css() + "\n" + _asset("style.css")),
        datatables=Markup(_asset("vendor/dataTables.min.js")),
        script=Markup((_asset("lookup.js") if part else "") + _asset("table.js") + _asset("pictures.js")),
        asked=Markup(as_json(dict(asked))),
        choices=asked.get("baselines", []),
    )


def groups(picture: Picture) -> list[PlotGroup]:
    """A picture's panels as inline SVG."""
    return [
        PlotGroup(
            group.title,
            [
                Plot(panel.title, Markup(inline_svg(panel, f"{picture.name}-{number}-{k}")), panel.of, panel.page_only)
                for k, panel in enumerate(group.panels)
            ],
            group.columns,
            group.folded,
        )
        for number, group in enumerate(picture.groups)
    ]


def code(text: str, titles: Mapping[str, str]) -> Markup:
    """Text as HTML: code between backticks as code, an implementation's name with what it is on hover, and no line
    break inside a figure with its unit or interval."""

    def element(found: re.Match[str]) -> str:
        title = f' title="{escape(titles[name])}"' if (name := unescape(found[1])) in titles else ""
        return f"<code{title}>{found[1]}</code>"

    return Markup(re.sub(r"`([^`]*)`", element, kept_together(str(escape(text)))))


def together(text: str) -> str:
    """A figure on one line, its interval on the same or the next."""
    return text.replace(" ", NO_BREAK).replace(f"{NO_BREAK}[", " [") if text[:1].isdigit() else text


def _filters(
    shown: Sequence[tables.Column], rows: Sequence[Sequence[tables.Entry]]
) -> list[tuple[int, str, list[str]]]:
    """Number, title and choices of each column that can be filtered and has something to choose between."""
    choices = {
        k: list(dict.fromkeys(row[k].choice for row in rows)) for k, column in enumerate(shown) if column.filtered
    }
    return [(k, shown[k].title, texts) for k, texts in choices.items() if len(texts) > 1]


def _wide(cells: pd.DataFrame, precision: float | None) -> int:
    """How many cells have an interval wider than was asked for."""
    return 0 if precision is None else int((~reached(cells, precision)).sum())


def _asset(name: str) -> str:
    """A file of web/."""
    return (WEB / name).read_text(encoding="utf-8")

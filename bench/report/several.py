"""The page of a merged run of several machines: a panel for each, and what they have in common side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report.answer import Answer, answers
from bench.report.comparisons import Context, speedup, won_by
from bench.report.facets import notices, usual_case
from bench.report.findings import findings
from bench.report.names import short_names
from bench.report.page import WEB, PlotGroup, code, groups, together
from bench.report.pictures import palette
from bench.report.pictures.beside_machines import picture
from bench.report.pictures.render import marker_svg, style
from bench.report.pictures.scene import Picture, Scene
from bench.report.tables import facts
from bench.report.units import missing
from bench.report.warned import sentences
from bench.store.manifest import Manifest
from bench.store.merged import Machine
from bench.table.shared import Shared, shared

MOST_LINES = 60
"""Of the table across machines; cells.parquet has the rest."""

_TOLD = ("gpu", "cpu", "cores", "torch", "cuda", "os")
"""Facts that say which machine it is, in one line."""


@dataclass(frozen=True)
class Panel:
    """A machine on the page: what it is called, where its page is, what it is and what was run on it; its answer, its
    first finding, and its main picture."""

    label: str
    link: str
    facts: list[tuple[str, str]]
    told: list[str]
    answers: list[Answer]
    base: str
    finding: str
    plots: list[PlotGroup]
    legend: list[tuple[str, Markup]]


def labels(machines: Sequence[Machine]) -> dict[str, str]:
    """Fingerprint -> what a machine is called: its GPU or CPU, with what sets it apart from another of that name."""
    names = {each.fingerprint: str(each.facts.get("gpu") or each.facts.get("cpu") or "machine") for each in machines}
    found = {}
    for each in machines:
        alike = [other for other in machines if names[other.fingerprint] == names[each.fingerprint]]
        keys = [key for key in each.facts if len({str(other.facts.get(key)) for other in alike}) > 1]
        apart = [f"{key.replace('_', ' ')} {each.facts[key]}" for key in keys[:2]]
        found[each.fingerprint] = ", ".join([names[each.fingerprint], *apart])
    if len(set(found.values())) < len(found):
        return {digits: f"{label} ({digits})" for digits, label in found.items()}
    return found


def panel(
    machine: Machine, label: str, cells: pd.DataFrame, scene: Scene, drawn: Sequence[Picture], manifest: Manifest
) -> Panel:
    """The panel of a machine by its table of cells, and what is drawn of them."""
    main = [each for each in drawn if each.name == "main"]
    own = facts({key: machine.facts[key] for key in _TOLD if machine.facts.get(key)})
    passes = sum(run["passes"] for run in machine.runs)
    runs = f"{len(machine.runs)} run{'' if len(machine.runs) == 1 else 's'}"
    told = [f"{len(cells):,} cells, by {passes:,} passes of {runs}.", *machine.notes]
    with style(text_as_paths=False):
        plots = [group for each in main for group in groups(replace(each, name=f"main-{machine.fingerprint}"))]
        legend = [(entry.name, Markup(marker_svg(entry.look, machine.fingerprint))) for entry in scene.legend]
    return Panel(
        label,
        f"machines/{machine.fingerprint}/index.html",
        own,
        [*told, *notices(cells, manifest), *sentences(cells)],
        answers(cells, manifest),
        scene.short.get(manifest.baseline, ""),
        findings(cells, manifest.baseline)[0].text,
        plots,
        legend,
    )


@dataclass(frozen=True)
class Line:
    """A line of the table across machines: the case, the implementation, and on each machine its speed-up over the
    baseline, and whether it won there."""

    case: str
    implementation: str
    fields: list[tuple[str, bool]]


def lines(found: Shared, baselines: Mapping[str, str]) -> list[Line]:
    """The table across machines: the cases whose winners differ first, then the usual one, then the others in order."""
    if not found.cases:
        return []
    every = pd.concat(found.cells.values(), ignore_index=True)
    usual, short = usual_case(every), short_names(found.implementations)
    context = Context(every, next(iter(baselines.values())))
    first = every.drop_duplicates("case").set_index("case", drop=False)
    told: list[Line] = []
    for case in dict.fromkeys([*found.differing, usual, *found.cases]):
        if len(told) >= MOST_LINES:
            break
        where = context.place(first.loc[case])
        for name in found.implementations:
            fields = [_field(cells, found, digits, case, name) for digits, cells in found.cells.items()]
            if any(won or text not in ("–", "1×") for text, won in fields):  # the baseline says nothing but that
                told.append(Line(where, short[name], fields))
    return told


def _field(cells: pd.DataFrame, found: Shared, digits: str, case: str, name: str) -> tuple[str, bool]:
    if (case, name) not in cells.index:
        return "–", False
    row = cells.loc[(case, name)]
    winner = found.won[digits].get(case)
    text = "–" if missing(row["speedup"]) else "1×" if row["speedup"] == 1 else speedup(row)
    return text, winner is not None and winner.decided and name in winner.names


def said(found: Shared, named: Mapping[str, str]) -> list[str]:
    """What the machines have in common and where they differ, most important first."""
    if not found.cases:
        return ["No Case was measured on two of these machines: there is nothing to put side by side."]
    cases = f"{len(found.cases):,} shared case{'' if len(found.cases) == 1 else 's'}"
    if not found.differing:
        return [f"In {cases}, no two machines have different winners for certain."]
    short = short_names(found.implementations)
    every = pd.concat(found.cells.values(), ignore_index=True)
    differing = every[every["case"].isin(found.differing)]
    case = usual_case(differing)
    context = Context(every, "")
    place = context.place(differing[differing["case"] == case].iloc[0])
    who = [
        f"on {named[digits]} {_names(won_by(winner, short))}"
        for digits, known in found.won.items()
        if (winner := known.get(case)) and winner.decided
    ]
    return [
        f"In {len(found.differing):,} of {cases}, two machines have different winners.",
        f"At {place}, the fastest is {'; '.join(who)}.",
    ]


def _names(text: str) -> str:
    lead, _, names = text.rpartition(": ")
    return f"{lead}{': ' if lead else ''}{', '.join(f'`{name}`' for name in names.split(', '))}"


def page(
    name: str, panels: Sequence[Panel], tables: Mapping[str, pd.DataFrame], manifests: Mapping[str, Manifest]
) -> str:
    """The page as text; a pure function of its arguments and the files of web/. Tables of cells and manifests are by
    fingerprint, in the order of the panels."""
    found = shared(tables)
    named = {digits: each.label for digits, each in zip(tables, panels, strict=True)}
    baselines = {digits: manifest.baseline for digits, manifest in manifests.items()}
    told = lines(found, baselines)
    drawn = picture(found, named)
    environment = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"code": partial(code, titles={}), "together": together}
    with style(text_as_paths=False):
        plots = {drawn.name: groups(drawn)} if drawn else {}
        strip = [(entry.name, Markup(marker_svg(entry.look, "strip"))) for entry in drawn.legend or []] if drawn else []
    cases = len({line.case for line in told})
    return environment.get_template("machines.html.j2").render(
        name=name,
        panels=panels,
        said=said(found, named),
        plots=plots,
        strip=strip,
        machines=list(named.values()),
        lines=told,
        left=len(found.cases) - cases,
        bases=list(dict.fromkeys(baselines.values())),
        css=Markup(palette.css() + "\n" + (WEB / "style.css").read_text(encoding="utf-8")),
    )

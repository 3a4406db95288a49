"""What the report says of why: planted floors, profiles and gradients, word by word and column by column."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.cases.case import Case
from bench.report import tables
from bench.report.build import build
from bench.report.markdown import summary
from bench.report.operators import parts, reason, with_reasons
from bench.report.operators import table as operators_table
from bench.report.pictures import bars, roofline
from bench.report.pictures.palette import looks
from bench.report.pictures.render import Panel, inline_svg, style
from bench.report.pictures.scene import Picture, Scene
from bench.report.published import Published
from bench.report.units import gap
from bench.report.use import Use
from bench.report.why import IDLE, PARTS, Why, why
from bench.table.cells import cells
from bench.table.reading import Run, read_run
from bench.why.floor import floor
from bench.why.limits.limits import Limits, write_limits
from bench.why.profile.breakdown import CATEGORIES, COPIES, DISPATCH, ELEMENTS, GRADIENTS, OVERHEAD, PRODUCTS
from bench.why.profile.record import FAILED, Profile, ProfileRecord, read_profile, write_profile
from tests import synthetic
from tests.command import bench
from tests.report.test_build import ROOT, Page, contents
from tests.synthetic import LIMITS, write_run

ALL = ("limits", "profile", "gradients")
ADDED = ["Floor", "Gap", "Bound", "Operators a step", "Why"]
USUAL = Case(hidden_size=128, input_size=128, seq_len=64).id


class Explained:
    """A run folder, its table and what explains it."""

    def __init__(self, folder: Path) -> None:
        self.run: Run = read_run(folder)
        self.table: pd.DataFrame = with_reasons(cells(self.run), self.run.profile)
        self.scene = Scene(self.table, self.run.manifest)
        self.why: Why = why(self.run, self.scene)

    def told(self, about: str) -> list[str]:
        """The sentences about this."""
        return [finding.text for finding in self.why.findings if finding.about == about]

    def row(self, case: str, implementation: str) -> pd.Series:
        """One cell."""
        here = (self.table["case"] == case) & (self.table["implementation"] == implementation)
        return self.table[here].iloc[0]

    def picture(self, name: str) -> Picture:
        """One picture."""
        (found,) = (picture for picture in self.why.pictures if picture.name == name)
        return found


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> Explained:
    """A run of the default preset with everything that explains it."""
    return Explained(write_run(tmp_path_factory.mktemp("why") / "run", spread=0.002, explained=ALL))


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Explained:
    """The same with a GPU's cells beside the CPU's."""
    devices = ("cpu", "cuda")
    return Explained(write_run(tmp_path_factory.mktemp("why") / "run", devices=devices, spread=0.002, explained=ALL))


def test_what_takes_most_of_a_step_and_what_helps(cpu: Explained) -> None:
    """Of the baseline's, mode by mode; with who does better, and the same advice once."""
    assert cpu.told("why:inference") == [
        "In inference at hidden 128, 64 steps, Python and dispatch take 65 % of a step of `manual`. Call fewer "
        "operators, as `whole` does."
    ]
    assert cpu.told("why:training") == [
        "In training at hidden 128, 64 steps, Python and dispatch take 52 % of a step of `manual`."
    ]


def test_how_near_the_floor_the_nearest_comes(cpu: Explained) -> None:
    """The smallest gap of all, whose and where."""
    nearest = cpu.table.loc[cpu.table["gap"].idxmin()]
    assert cpu.told("floor") == [
        f"`{nearest['implementation']}` comes nearest to the floor: {nearest['gap']:.1f}×, at hidden 512, 1 step, "
        "inference."
    ]


def test_a_gpu_is_told_of_by_what_it_waits_for(both: Explained) -> None:
    """Python and dispatch are hidden behind the device there; what is not hidden is time in which it does nothing."""
    on_cpu, on_gpu = both.told("why:inference")
    assert on_cpu.startswith("In inference on this CPU at hidden 128, 64 steps, Python and dispatch take 65 % of")
    assert on_gpu == (
        "In inference on this GPU (CUDA) at hidden 128, 64 steps, waiting for the host takes 100 % of a step of "
        "`manual`. Launch fewer kernels, as `whole` does."
    )
    assert len(both.told("floor")) == 2 and "on this GPU (CUDA)" in both.told("floor")[1]


def test_sentences_are_short(both: Explained) -> None:
    """At most 25 words each."""
    texts = [sentence for finding in both.why.findings for sentence in finding.text.split(". ")]
    assert len(texts) > 4 and all(len(text.split()) <= 25 for text in texts)


def planted_shares(folder: Path, share: Callable[[Case, str], float]) -> Explained:
    """A run whose products have these shares of the time, and calling the rest."""
    write_run(folder, explained=ALL, spread=0.002)
    profile = read_profile(folder / "profile.json")
    for record in profile.records:
        products = share(Case.parse(record.case), record.implementation)
        record.categories |= dict.fromkeys(CATEGORIES, 0.0)
        record.categories |= {PRODUCTS: products * record.seconds, DISPATCH: (1 - products) * record.seconds}
    write_profile(folder / "profile.json", profile)
    return Explained(folder)


def test_products_are_told_where_they_take_most(tmp_path: Path) -> None:
    """Then fewer calls are no advice, and nobody is an example of it."""
    explained = planted_shares(tmp_path / "run", lambda case, _: 0.7 if case.mode == "training" else 0.2)
    assert explained.told("why:inference")[0].endswith("Call fewer operators, as `whole` does.")
    assert explained.told("why:training") == [
        "In training at hidden 128, 64 steps, matrix products take 70 % of a step of `manual`. Only smaller or faster "
        "ones help."
    ]


def test_without_the_baseline_the_slowest_is_told_of(tmp_path: Path) -> None:
    """By the profile of those that have one; only the baseline's speed-ups make an example."""
    found = Explained(write_run(tmp_path / "run", passes=2, explained=ALL, unprofiled={"manual": "no twin"}))
    assert found.told("why:inference") == [
        "In inference at hidden 128, 64 steps, Python and dispatch take 85 % of a step of `looped`. Call fewer "
        "operators."
    ]


def test_every_part_has_its_words() -> None:
    """Each category of a profile can be the largest."""
    assert set(CATEGORIES) - set(OVERHEAD) <= set(PARTS)
    assert {DISPATCH, GRADIENTS, IDLE} <= set(PARTS)


def test_floor_gap_bound_and_why_of_every_cell(cpu: Explained) -> None:
    """The floor is the case's, the gap the time over it; label and line follow from the planted profile."""
    for _, row in cpu.table.iterrows():
        assert row["floor_seconds"] == floor(Case.parse(row["case"]), LIMITS).seconds
        assert row["gap"] == row["seconds"] / row["floor_seconds"] > 1
        assert row["label"] == ("compute-bound" if row["hidden_size"] == 512 else row["label"])
    assert cpu.row(USUAL, "manual")["why"] == (
        "overhead-bound: 65 % Python and dispatch, 35 % matrix products; 4.1 operators a step"
    )
    large = Case(hidden_size=512, input_size=512, seq_len=512)
    assert cpu.row(large.id, "looped")["why"] == (
        "compute-bound: 74 % matrix products, 26 % Python and dispatch; 4.3 operators a step"
    )
    assert cpu.row(replace(large, mode="training").id, "looped")["why"] == (
        "compute-bound: 74 % matrix products, 21 % Python and dispatch, 5 % autograd; 4.3 operators a step"
    )


def test_on_a_gpu_gaps_between_kernels_are_launch_bound(both: Explained) -> None:
    """By the same rule, from the other device's profile."""
    row = both.row(replace(Case.parse(USUAL), device="cuda").id, "whole")
    assert row["why"] == "launch-bound: 99 % kernel launch gaps, 1 % matrix products; 3.1 operators a step"


def test_the_table_has_a_column_for_each(cpu: Explained) -> None:
    """Their fields are the row's, shown as people read them and sorted by value."""
    shown = tables.columns(cpu.table, None)
    titles = [column.title for column in shown]
    assert [title for title in titles if title in ADDED] == ADDED
    rows = tables.rows(cpu.table, shown, None)
    k = next(n for n, row in enumerate(cpu.table.itertuples()) if (row.case, row.implementation) == (USUAL, "manual"))
    row, entry = cpu.row(USUAL, "manual"), dict(zip(titles, rows[k], strict=True))
    assert entry["Floor"].text == "36.5 µs" and float(entry["Floor"].order) == row["floor_seconds"]
    assert entry["Gap"].text == f"{row['gap']:.0f}×" and float(entry["Gap"].order) == row["gap"]
    assert (entry["Bound"].text, entry["Operators a step"].text) == ("overhead-bound", "4.1")
    assert entry["Why"].text == row["why"]


@pytest.mark.parametrize(
    ("explained", "kept"),
    [((), []), (("limits",), ["Floor", "Gap"]), (("profile",), ["Bound", "Operators a step", "Why"]), (ALL, ADDED)],
)
def test_columns_without_content_are_left_away(tmp_path: Path, explained: tuple[str, ...], kept: list[str]) -> None:
    """A run that was not explained has none of them; the label of overhead needs no limits."""
    found = Explained(write_run(tmp_path / "run", presets=("smoke",), passes=2, explained=explained))
    assert [column.title for column in tables.columns(found.table, None) if column.title in ADDED] == kept


MISSING = {
    "limits": "No floors: this run was not asked what the machine allows.",
    "profile": "No profile: this run was not asked where its time goes.",
    "gradients": "No gradients: how far back they reach was not measured for this run.",
}


@pytest.mark.parametrize("explained", [(), ("limits",), ("profile", "gradients"), ALL])
def test_what_is_missing_is_said_in_words(tmp_path: Path, explained: tuple[str, ...]) -> None:
    """One sentence for each, which page and summary show; none where nothing is missing."""
    found = Explained(write_run(tmp_path / "run", presets=("smoke",), passes=2, explained=explained))
    assert found.why.notes == [sentence for name, sentence in MISSING.items() if name not in explained]


def test_what_could_not_be_measured_is_said_with_its_reason(tmp_path: Path) -> None:
    """Limits of which all or a part failed, and a profile without a worker; parts of absent devices are not missed."""
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=2, explained=ALL)
    write_limits(folder / "limits.json", Limits({}, "", missing={"all": "the process was killed by SIGILL"}))
    write_profile(folder / "profile.json", Profile([], "no worker can be had: exit code 3"))
    found = Explained(folder)
    assert found.why.notes == [
        "No floors: what this machine allows could not be measured: the process was killed by SIGILL.",
        "No profile: no worker can be had: exit code 3.",
    ]
    assert set(found.table["why"]) == {"not profiled: no worker can be had: exit code 3"}
    parts_missing = {"cpu, 1 threads": "RuntimeError: no", "cpu.cache": "not told", "cuda": "no CUDA device here"}
    write_limits(folder / "limits.json", replace(LIMITS, missing=parts_missing))
    assert Explained(folder).why.notes[:-1] == [
        "Limits of cpu, 1 threads could not be measured: RuntimeError: no.",
        "Limits of cpu.cache could not be measured: not told.",
    ]


def test_a_cell_that_was_not_profiled_says_why(tmp_path: Path) -> None:
    """In its row; the sentences tell of the others."""
    reasons = {"looped": "ZeroDivisionError: divided by the weather"}
    found = Explained(write_run(tmp_path / "run", passes=2, explained=ALL, unprofiled=reasons))
    assert found.row(USUAL, "looped")["why"] == "not profiled: ZeroDivisionError: divided by the weather"
    assert "`manual`" in found.told("why:inference")[0]


def record(**categories: float) -> ProfileRecord:
    """A record of one call of 1 s; `copies` and so on."""
    names = {"dispatch": DISPATCH, "products": PRODUCTS, "copies": COPIES, "elements": ELEMENTS}
    shares = dict.fromkeys(CATEGORIES, 0.0) | {names[name]: part for name, part in categories.items()}
    return ProfileRecord(USUAL, "manual", profiled=USUAL, seconds=1.0, traced_seconds=1.0, categories=shares)


def test_a_line_names_the_parts_that_matter() -> None:
    """Those of 5 % and more, at most three, at least two where there are two; none that would round to nothing."""
    assert parts(record(dispatch=0.85, products=0.11, copies=0.04)) == "85 % Python and dispatch, 11 % matrix products"
    assert parts(record(dispatch=0.4, products=0.3, copies=0.2, elements=0.1)) == (
        "40 % Python and dispatch, 30 % matrix products, 20 % copies and allocation"
    )
    assert parts(record(products=0.97, dispatch=0.03)) == "97 % matrix products, 3 % Python and dispatch"
    assert parts(record(products=0.999, dispatch=0.001)) == "100 % matrix products"


def test_a_line_without_a_label_begins_with_its_parts() -> None:
    """A missing limit takes the first word away, not the rest."""
    row = pd.Series({"label": float("nan"), "operators": 4.0625})
    assert reason(row, record(products=1.0)) == "100 % matrix products; 4.1 operators a step"
    off = replace(record(products=1.0), traced_seconds=1.2)
    assert reason(row, off).endswith("; 4.1 operators a step (the parts were 20 % off the time measured)")
    failed = replace(record(), status=FAILED, reason="no twin")
    assert reason(row, failed) == "not profiled: no twin"


def test_cells_that_were_not_measured_have_no_line(tmp_path: Path) -> None:
    """Their reason stands in a column of its own."""
    broken = {"whole": (synthetic.FAILED, "out of memory")}
    found = Explained(write_run(tmp_path / "run", presets=("smoke",), passes=2, explained=ALL, broken=broken))
    whole = found.table["implementation"] == "whole"
    assert set(found.table[whole]["why"]) == {""} and "" not in set(found.table[~whole]["why"])


def test_operators_a_step_by_name(cpu: Explained) -> None:
    """4 operators a step and 2 a call are 4.1 a step of 32; those that are no operators stand below."""
    (title, lines), (training, below) = cpu.why.operators
    assert (title, training) == ("Inference, hidden 128, 32 steps", "Training, hidden 128, 32 steps")
    assert lines == [
        ["Operators a step", "manual", "looped", "whole"],
        ["all", "4.1", "4.3", "3.1"],
        ["cat", "2.1", "2.3", "1.1"],
        ["addmm", "1.0", "1.0", "1.0"],
        ["tanh", "1.0", "1.0", "1.0"],
        ["besides: views", "3.0", "3.0", "3.0"],
    ]
    assert below[-1] == ["besides: autograd nodes", "1.0", "1.0", "1.0"]


def test_an_operator_that_one_does_not_call_is_a_dash(cpu: Explained) -> None:
    """And a rare one, below a twentieth a step in each, has no row."""
    assert cpu.run.profile is not None
    records = [
        replace(each, counts=replace(each.counts, by_name=dict(each.counts.by_name)))
        for each in cpu.run.profile.records
    ]
    for each in records:
        each.counts.by_name["rare"] = 1
        if each.implementation == "whole":
            del each.counts.by_name["cat"]
    lines = operators_table(cpu.scene, Profile(records))[0][1]
    assert ["cat", "2.1", "2.3", "–"] in lines
    assert not any(line[0] == "rare" for line in lines)


def test_tables_of_two_devices_are_told_apart(both: Explained) -> None:
    """Four tables, four titles."""
    titles = [title for title, _ in both.why.operators]
    assert titles == [
        f"{device}, {mode}, hidden 128, 32 steps"
        for device in ("CPU", "GPU (CUDA)")
        for mode in ("inference", "training")
    ]


def drawn(panel: Panel) -> str:
    """A panel as the page has it."""
    with style(text_as_paths=False):
        return inline_svg(panel, "k")


def test_every_picture_is_an_svg_that_repeats(both: Explained) -> None:
    """Well-formed, with its description, the same bytes when drawn again."""
    assert [picture.name for picture in both.why.pictures] == ["where", "roofline", "laws", "gradients"]
    for picture in both.why.pictures:
        assert picture.panels
        for panel in picture.panels[:3]:
            text = drawn(panel)
            assert ET.fromstring(text).tag.endswith("svg")
            assert text == drawn(panel)
            assert panel.alt


def test_bars_are_as_long_as_steps(cpu: Explained) -> None:
    """Each one's parts add up to its measured time per step, in their planted shares; the description tells them."""
    picture = cpu.picture("where")
    assert [panel.title for panel in picture.panels] == [
        f"{mode}, hidden {size}, 64 steps" for mode in ("Inference", "Training") for size in (32, 128, 512)
    ]
    panel = picture.panels[1]
    found = dict(panel.draw.keywords["bars"])  # type: ignore[attr-defined] # a partial
    for name in ("manual", "looped", "whole"):
        row = cpu.row(USUAL, name)
        assert sum(found[name].values()) == pytest.approx(row["step_seconds"])
        assert found[name][DISPATCH] / row["step_seconds"] == pytest.approx(row["overhead"])
    assert "manual: Python and dispatch 65 %, matrix products 35 %; looped: Python and dispatch 85 %" in panel.alt


def test_the_legend_of_bars_has_what_is_shown(cpu: Explained, both: Explained) -> None:
    """Categories that no cell has are no entries."""
    assert [entry.name for entry in cpu.picture("where").legend or []] == [
        "Python and dispatch",
        "autograd",
        "matrix products",
    ]
    assert "kernel launch gaps" in [entry.name for entry in both.picture("where").legend or []]
    assert set(bars.ROLES) == set(CATEGORIES), "every category has a colour"


def test_no_point_lies_above_the_roof(cpu: Explained) -> None:
    """What was reached is below the products' rate and below the innermost place's; the nearest is told."""
    for panel, mode in zip(cpu.picture("roofline").panels, ("inference", "training"), strict=True):
        told = panel.draw.keywords  # type: ignore[attr-defined] # a partial
        assert len(told["points"]) == 9 and told["peak"] == 1e11
        for point in told["points"]:
            assert point.rate < told["peak"]
            assert point.rate < point.intensity * max(roof.rate for roof in told["roofs"])
        here = cpu.table[(cpu.table["mode"] == mode) & (cpu.table["seq_len"] == 512)]
        assert f"The nearest takes {here['gap'].min():.1f} × its floor." in panel.alt


def test_sizes_without_room_for_each_share_a_label() -> None:
    """Right of them all, at their middle: a range of those that follow each other, else a list."""
    look = looks(["manual"])["manual"]

    def told(rates: dict[int, float]) -> list[tuple[float, float, str]]:
        return list(roofline.sizes([roofline.Point(size, rate, look, size) for size, rate in rates.items()], 1.5))

    assert told({32: 1.0, 128: 10.0, 512: 100.0}) == [(32, 1.0, "32"), (128, 10.0, "128"), (512, 100.0, "512")]
    assert told({32: 1.0, 128: 90.0, 256: 125.0, 512: 160.0})[1:] == [(512, 120.0, "128 to 512")]
    assert [text for _, _, text in told({32: 1.0, 64: 8.0, 128: 1.1})] == ["32, 128", "64"]


def test_without_limits_or_a_cpu_there_is_no_roofline(cpu: Explained, tmp_path: Path) -> None:
    """None is drawn from nothing, and none for a device whose caches are not told."""
    assert roofline.picture(cpu.scene, Limits({}, "")) is None
    run = write_run(tmp_path / "run", presets=("smoke",), devices=("cuda",), passes=2, explained=ALL)
    assert [picture.name for picture in Explained(run).why.pictures] == ["where", "laws", "gradients"]


def test_without_a_profile_there_are_no_bars(cpu: Explained) -> None:
    """An empty profile is no picture, and no table."""
    assert bars.picture(cpu.scene, Profile()) is None
    assert operators_table(cpu.scene, Profile()) == []


SECTIONS = ("why", "laws", "gradients")
ODD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "everything": ({"presets": ("quick",)}, SECTIONS),
    "nothing": ({"explained": ()}, ("why",)),
    "no limits": ({"explained": ("profile", "gradients")}, ("why", "gradients")),
    "no profile": ({"explained": ("limits", "gradients")}, ("why", "gradients")),
    "failed profile": ({"unprofiled": dict.fromkeys(("manual", "looped", "whole"), "no twin")}, ("why", "gradients")),
    "one alone": ({"implementations": ("whole",)}, ("why", "gradients")),
    "single cases": ({"presets": ("fastrnns",)}, ("why", "gradients")),
    "cuda beside cpu": ({"devices": ("cpu", "cuda")}, ("why", "gradients")),
    "cuda alone": ({"devices": ("cuda",)}, ("why", "gradients")),
    "one of one's own": ({"implementations": ("manual", "my.py:<b>Mine")}, ("why", "gradients")),
    "nothing measured": (
        {"broken": dict.fromkeys(("manual", "looped", "whole"), (synthetic.FAILED, "no"))},
        (),
    ),
}


SHORT = {"no profile", "nothing measured"}
"""Those that differ most; the others are drawn where there is time for them."""


@pytest.mark.usefixtures("no_png")
@pytest.mark.parametrize(
    ("options", "sections"),
    [pytest.param(*ODD[name], id=name, marks=[] if name in SHORT else pytest.mark.long) for name in ODD],
)
def test_every_run_has_a_readable_page(options: dict[str, Any], sections: tuple[str, ...], tmp_path: Path) -> None:
    """The sections that it has something for, each linked; no NaN, no None, and every reference leads somewhere."""
    folder = write_run(tmp_path / "run", **{"presets": ("smoke",), "passes": 2, "explained": ALL, **options})
    page = Page(build(folder))
    found = set(sections) | ({"laws"} & set(page.ids))  # a few cells may have something to say of laws, or not
    assert [name for name in SECTIONS if name in page.ids] == [name for name in SECTIONS if name in found]
    assert set(sections) <= page.references <= set(page.ids) | page.references
    assert page.references - {""} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    for text in (page.text, (folder / "summary.md").read_text()):
        assert all(note in " ".join(text.split()) for note in Explained(folder).why.notes)
        assert not any(word in text.split() for word in ("nan", "None", "nan×", "inf", "inf×", "Traceback"))
    for picture in folder.glob("figures/*.svg"):
        ET.fromstring(picture.read_text())


def test_the_summary_has_a_line_for_every_cell(cpu: Explained) -> None:
    """With its floor, its gap and why."""
    text = summary(cpu.table, cpu.run.manifest, [], cpu.why, Use(), Published())
    assert "| Case | Floor | `manual` | `looped` | `whole` |" in text
    lines = [line for line in text.partition("<summary>Every cell</summary>")[2].splitlines() if "bound: " in line]
    assert len(lines) == 72
    row = cpu.row(USUAL, "whole")
    assert (
        f"| hidden 128, 64 steps, inference | `whole` | 36.5 µs | {gap(row['gap'])} | {row['why']} |" in lines
    )  # floor, gap and line of the usual case


@pytest.mark.usefixtures("no_png")
def test_the_page_shows_before_it_tells(tmp_path: Path) -> None:
    """Bars, then sentences, then roofs; who overtakes whom in boxes that scroll, and figures folded."""
    cases = [
        Case(mode=mode, hidden_size=size, input_size=size, seq_len=steps)
        for mode in ("inference", "training")
        for size in (32, 128)
        for steps in (1, 8, 64)
    ]
    text = build(write_run(tmp_path / "run", cases=cases, spread=0.002, explained=ALL)).read_text()
    parts = ('id="where-', 'data-about="why:inference"', 'id="roofline-', '<table class="crossing">', 'id="laws-')
    assert sorted(parts, key=text.index) == list(parts)
    assert text.count('role="region" aria-label="Inference: who overtakes whom"') == 1
    folded = [each.partition("</details>")[0] for each in text.split("<details")[1:]]
    assert sum("Held-out error" in each for each in folded) == text.count("Held-out error") == 1


@pytest.mark.long
def test_two_builds_give_the_same_bytes_without_torch(tmp_path: Path) -> None:
    """`python -m bench report` of the same files, twice, in processes that can't import torch."""
    first = write_run(tmp_path / "first", presets=("smoke",), passes=2, explained=ALL)
    second = shutil.copytree(first, tmp_path / "second")
    code = "import sys; sys.modules['torch'] = None; from bench.cli import app; app(['report', sys.argv[1]])"
    for folder in (first, second):
        command = [sys.executable, "-c", code, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert contents(first) == contents(second)
    assert {"limits.json", "profile.json", "gradients.json", "figures/where.svg", "figures/roofline.svg"} <= set(
        contents(first)
    )


@pytest.mark.parametrize("name", ["limits.json", "profile.json", "gradients.json"])
def test_a_broken_file_beside_the_samples_is_named(tmp_path: Path, name: str) -> None:
    """Exit code 2 and one line that names it, as for every other file of a run."""
    folder = write_run(tmp_path / "run", presets=("smoke",), passes=2, explained=ALL)
    (folder / name).write_text(json.dumps({"schema": 99}))
    code, _, err = bench("report", str(folder))
    assert code == 2
    assert name in err and len(err.strip().splitlines()) == 1

"""What is said of scaling laws: crossings, table, sentences and picture of planted ones, word by word."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.crossings import Grid, Mark, text_of
from bench.report.laws import Scaling, scaling
from bench.report.markdown import summary
from bench.report.pictures.costs import Dot, picture
from bench.report.pictures.scene import Picture, Scene
from bench.report.published import Published
from bench.report.use import Use
from bench.report.why import Why
from bench.table.cells import cells
from bench.table.law import SETTING, Fit, Law, Laws, Unfitted, laws
from bench.table.lead import ALWAYS, CONTRADICTED, FROM, NEVER, UNTOLD, UP_TO, Lead
from bench.table.reading import read_run
from tests import synthetic
from tests.planted import fitted, grid

MANUAL = Law(4e-6, 9.5e-6, 60e-12)
LOOPED = Law(6e-6, 18e-6, 60e-12)
WHOLE = Law(25e-6, 2.5e-6, 40e-12)
HOSTILE = "path/to/<b>my_rnn.py:MyRNN"


def said(*fits: Fit, unfitted: tuple[Unfitted, ...] = ()) -> Scaling:
    """What the report says of these."""
    return scaling(Laws(list(fits), list(unfitted)))


def fields(table: Grid) -> dict[tuple[str, str], str]:
    """Row and column -> text."""
    return {
        (name, column): mark.text
        for name, marks in table.rows
        for column, mark in zip(table.columns, marks, strict=True)
    }


def setting(**changed: object) -> dict[str, object]:
    """The setting of a case that differs from the usual one in these fields."""
    return {name: getattr(grid()[0], name) for name in SETTING} | changed


def test_two_that_cross() -> None:
    """Each side of it in its own field, size by size; the one that is ahead in the end stands first."""
    found = said(fitted(MANUAL, seed=1), fitted(WHOLE, "whole", seed=2)).crossings
    ((table,),) = found.grids.values()
    assert (table.title, table.corner, table.columns) == ("Inference", "faster than", ["whole", "manual"])
    assert fields(table) == {
        ("whole", "whole"): "",
        ("whole", "manual"): "32: from 4 · 128: from 3 · 512: from 2",
        ("manual", "whole"): "32: up to 2 · 128: up to 2 · 512: up to 1",
        ("manual", "manual"): "",
    }
    assert [entry for entry, _ in found.legend] == ["from n", "up to n"]


def test_what_holds_of_all_sizes_is_said_once() -> None:
    """In both modes, each of which has a table of its own."""
    fits = [
        fitted(law, name, grid(mode=mode), seed=len(name))
        for mode in ("inference", "training")
        for law, name in ((LOOPED, "looped"), (MANUAL, "manual"))
    ]
    found = said(*fits).crossings
    assert [table.title for table in found.grids[""]] == ["Inference", "Training"]
    for table in found.grids[""]:
        assert fields(table)["manual", "looped"] == "always" and fields(table)["looped", "manual"] == "never"
    assert found.legend == [("always", "at every length measured"), ("never", "slower at every length measured")]


def test_what_else_varies_is_a_setting() -> None:
    """Batch and dtype head the tables; a size whose input is another has it in brackets."""
    fits = [
        fitted(law, name, grid(input_size=700, batch_size=batch, dtype=dtype), seed=len(name))
        for batch, dtype in ((1, "float32"), (16, "float64"))
        for law, name in ((MANUAL, "manual"), (WHOLE, "whole"))
    ]
    found = said(*fits).crossings.grids
    assert list(found) == ["float32 · batch 1", "float64 · batch 16"]
    (table,) = found["float64 · batch 16"]
    assert fields(table)["whole", "manual"].startswith("32 (input 700): from ")


def test_two_devices_that_cross() -> None:
    """A row for each implementation on both, a column for each length; those on the same are compared as well."""
    fits = [
        fitted(Law(5e-6, 5e-6, 50e-12), "whole", seed=1),
        fitted(Law(30e-6, 15e-6, 2e-12), "whole", grid(device="cuda"), seed=2),
        fitted(Law(5e-6, 90e-6, 2e-12), "manual", grid(device="cuda"), seed=3),
    ]
    found = said(*fits).crossings
    ((table,),) = found.devices.values()
    assert (table.title, table.columns) == (
        "Inference, CPU or GPU by hidden size",
        ["1 step", "64 steps", "512 steps"],
    )
    assert [(name, [mark.text for mark in marks]) for name, marks in table.rows] == [
        ("whole", ["CPU always · (GPU from 606)", "CPU up to 328 · GPU from 330", "CPU up to 322 · GPU from 324"])
    ]
    assert fields(found.grids["GPU (CUDA)"][0])["whole", "manual"] == "always"


def test_devices_of_which_nothing_can_be_told() -> None:
    """A mark of interrogation for what is open, a dash for lengths that were not measured at two sizes."""
    alike = [fitted(MANUAL, cases=grid(device=name), spread=0.03, seed=k) for k, name in enumerate(("cpu", "cuda"))]
    ((table,),) = said(*alike).crossings.devices.values()
    assert {mark.text for _, marks in table.rows for mark in marks} == {"?"}
    short = fitted(MANUAL, cases=grid(lengths=(8, 64), device="cuda"))
    ((table,),) = said(alike[0], short).crossings.devices.values()
    assert table.columns[0] == "1 step" and table.rows[0][1][0].text == "–"


def test_one_alone_has_nothing_to_cross() -> None:
    """Its law is told of, and no table of crossovers."""
    found = said(fitted(MANUAL))
    assert found and not found.crossings.grids and not found.crossings.devices
    assert found.quality.startswith("The law predicts half of the cells that it has not seen to ")


@pytest.mark.parametrize(
    ("lead", "text"),
    [
        (Lead(ALWAYS), "always"),
        (Lead(FROM, 6), "from 6"),
        (Lead(UP_TO, 3), "up to 3"),
        (Lead(FROM, 606, measured=False), "(from 606)"),
        (Lead(NEVER), "never"),
        (Lead(UNTOLD), "?"),
        (Lead(CONTRADICTED), "!"),
    ],
)
def test_every_lead_has_its_text(lead: Lead, text: str) -> None:
    """What was not measured stands in brackets."""
    assert text_of(lead) == text


def test_a_field_is_shaded_by_where_its_row_is_ahead() -> None:
    """Everywhere, somewhere, nowhere for certain; what has no leads has no shade."""
    assert Mark([], (Lead(ALWAYS), Lead(ALWAYS))).shade == "ahead"
    assert Mark([], (Lead(UNTOLD), Lead(FROM, 3))).shade == "partly"
    assert Mark([], (Lead(NEVER), Lead(FROM, 3, measured=False))).shade == "never"
    assert Mark().shade == ""


def test_how_well_the_laws_hold() -> None:
    """The worst of their median errors on what was held out, in at most 25 words."""
    fits = [fitted(MANUAL, spread=0.01), fitted(WHOLE, "whole", spread=0.03)]
    text = said(*fits).quality
    assert text == (
        "Each law predicts half of the cells that it has not seen to "
        f"{100 * max(fit.held_out_error for fit in fits):.2g} % or better."
    )
    assert len(text.split()) <= 25


def test_a_law_that_misses_is_not_used() -> None:
    """It is named once with the reason, and no field compares it."""
    found = said(fitted(MANUAL), fitted(lambda point: 1e-6 * point.steps**2, "whole"))
    assert not found.crossings.grids
    assert found.lacking == ["Not trusted, because half of the held-out cells are missed by more than 15 %: `whole`."]


def test_one_pass_gives_no_crossover() -> None:
    """Numbers without intervals decide nothing."""
    found = said(fitted(MANUAL, passes=1), fitted(WHOLE, "whole", passes=1))
    assert not found.crossings.grids and not found.quality
    assert found.lacking == ["Not trusted, because one pass gives no interval: `manual` and `whole`."]
    assert "[" not in " ".join(entry.text for row in found.rows for entry in row)


def test_what_has_no_law_has_a_reason() -> None:
    """A line a reason; those that have a law elsewhere with where they lack it, or in how many settings."""
    gaps = (
        Unfitted("manual", setting(), 3, "too few"),
        Unfitted("whole", setting(mode="training"), 2, "too few"),
        Unfitted("looped", setting(), 7, "one length"),
        *(Unfitted("hoisted", setting(batch_size=size), 7, "one length") for size in (2, 3)),
    )
    found = said(fitted(WHOLE, "whole"), fitted(MANUAL, "hoisted"), unfitted=gaps)
    assert found.lacking == [
        "No law, because too few: `manual` and `whole` (training · batch 1).",
        "No law, because one length: `looped` and `hoisted` (in 2 of 3 settings).",
    ]
    assert said(unfitted=gaps[:1]).rows == [] and said(unfitted=gaps[:1]) and not said()


def test_the_table_has_a_row_for_each_law() -> None:
    """Its headings, and a row whose numbers have no scatter."""
    found = said(fitted(WHOLE, "whole", spread=0), fitted(MANUAL, spread=0))
    assert [column.title for column in found.columns] == [
        "Implementation",
        "Mode",
        "Fixed",
        "Per step",
        "Per product",
        "Held-out error",
        "Worst",
        "Largest size",
        "Longest",
        "Cells",
    ]
    table = [[entry.text for entry in row] for row in found.rows]
    assert [row[:2] for row in table] == [["manual", "inference"], ["whole", "inference"]]
    assert table[1][2:5] == ["25.0 µs [25.0, 25.0]", "2.50 µs [2.50, 2.50]", "40.0 ps [40.0, 40.0]"]
    assert table[1][-1] == "12"


def test_the_table_says_what_varies() -> None:
    """Devices in words and a batch, each in a column of its own; one's own by their short names."""
    found = said(fitted(MANUAL, HOSTILE), fitted(MANUAL, HOSTILE, grid(device="cuda", batch_size=16)))
    titles = [column.title for column in found.columns]
    first, second = found.rows
    at = [titles.index(title) for title in ("Implementation", "Device", "Batch")]
    assert [first[k].text for k in at] == ["MyRNN", "CPU", "1"]
    assert [second[k].text for k in at] == ["MyRNN", "GPU (CUDA)", "16"]
    assert first[0].hint == HOSTILE


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scene, Laws]:
    """A run on two devices, and its laws."""
    folder = synthetic.write_run(tmp_path_factory.mktemp("laws") / "run", devices=("cpu", "cuda"), rounds=32)
    read = read_run(folder)
    return Scene(cells(read), read.manifest), laws(read)


def drawn(scene: Scene, found: Laws) -> Picture:
    """The picture, which there is."""
    picture_of_laws = picture(scene, found)
    assert picture_of_laws is not None
    return picture_of_laws


def dots(scene: Scene, *fits: Fit) -> list[Dot]:
    """What the first panel of these laws draws."""
    found: list[Dot] = drawn(scene, Laws(list(fits), [])).panels[0].draw.keywords["dots"]  # type: ignore[attr-defined]
    return found


def test_the_picture_has_a_panel_for_each_mode_and_number(run: tuple[Scene, Laws]) -> None:
    """Device by device; both modes share an axis; each is told in words."""
    groups = drawn(*run).groups
    assert [group.title for group in groups] == ["CPU", "GPU (CUDA)"]
    assert [panel.title for panel in groups[0].panels] == [
        f"{mode}, {part}" for mode in ("Inference", "Training") for part in ("fixed", "per step", "per product")
    ]
    first, other = (groups[0].panels[k].draw.keywords for k in (0, 3))  # type: ignore[attr-defined] # partials
    assert first["limits"] == other["limits"]
    assert groups[0].panels[0].alt.startswith("Inference, fixed: manual ")
    assert [dot.name for dot in first["dots"]] == ["manual", "looped", "whole"]


def test_the_picture_shows_which_law_is_not_trusted(run: tuple[Scene, Laws]) -> None:
    """And costs of nothing, or without an interval, don't widen an axis."""
    poor = fitted(lambda point: 1e-6 * point.steps**2, "whole")
    assert [dot.trusted for dot in dots(run[0], fitted(MANUAL), poor)] == [True, False]
    free = Laws([fitted(Law(0.0, 9e-6, 60e-12), spread=0), fitted(WHOLE, "whole", spread=0, passes=1)], [])
    low, high = drawn(run[0], free).panels[0].draw.keywords["limits"]  # type: ignore[attr-defined] # a partial
    assert low == pytest.approx(25e-6 / 1.6) and high == pytest.approx(25e-6 * 1.6)
    assert picture(run[0], Laws([], [])) is None


def test_a_whole_run_is_told(run: tuple[Scene, Laws], tmp_path: Path) -> None:
    """From a run folder to the tables of the summary, on two devices in two modes."""
    found = scaling(run[1])
    assert len(found.rows) == 12
    read = read_run(synthetic.write_run(tmp_path / "run", presets=("smoke",)))
    text = summary(cells(read), read.manifest, [], Why(scaling=found), Use(), Published())
    assert f"- {found.quality}" in text
    assert "| Inference, CPU: faster than | `whole` | `manual` | `looped` |" in text
    assert "| Training, CPU or GPU by hidden size | 1 step | 64 steps | 512 steps |" in text
    assert "“from n”: for certain from n steps on" in text
    assert not any(word in text.split() for word in ("nan", "inf", "None"))

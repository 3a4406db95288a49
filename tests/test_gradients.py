"""How gradients flow: against theory and autograd, on planted arrays, tables and files."""

from __future__ import annotations

import copy
import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner

from bench.cli import app
from bench.report.gradients import markdown, sentences, write
from bench.report.pictures.curves import panels
from bench.report.pictures.palette import COLOURS
from bench.report.pictures.render import inline_svg, style
from bench.store.files import BrokenFile, write_json
from bench.why.gradients.file import (
    EXPLODES,
    NEITHER,
    TINY,
    VANISHES,
    Horizon,
    horizon,
    longest_finite,
    lost,
    rate,
    read,
)
from bench.why.gradients.flow import ACTIVATIONS, Networks, draw, flow, spectral_radius
from bench.why.gradients.setups import measure, steps_shown

LENGTHS = (1, 2, 4, 7)


def orthogonal(radius: float, steps: int, seed: int = 3) -> Networks:
    """A network whose W_hh is a rotation times the radius: every step stretches by exactly that."""
    network = draw([None], 12, [seed], steps)
    turned = torch.linalg.qr(network.weight_hh[0]).Q
    return dataclasses.replace(network, weight_hh=radius * turned[None])


def planted_matrix(factor: float, hidden_size: int = 4, steps: int = 12) -> Networks:
    """W_hh is a multiple of the unit matrix, all else but the target is zero: each step back multiplies by it."""
    nothing = torch.zeros(1, 1, hidden_size, dtype=torch.float64)
    return Networks(
        weight_ih=torch.zeros(1, hidden_size, hidden_size, dtype=torch.float64),
        weight_hh=factor * torch.eye(hidden_size, dtype=torch.float64)[None],
        bias=nothing,
        inputs=torch.zeros(1, steps, hidden_size, dtype=torch.float64),
        state=nothing,
        target=torch.ones_like(nothing),
    )


@pytest.mark.parametrize("radius", [0.5, 0.9, 1.0, 1.1, 1.5])
def test_in_the_linear_limit_the_norm_is_the_radius_to_the_power_k(radius: float) -> None:
    """Exactly, for W_hh = radius times a rotation, whose singular values are all the radius."""
    norms = flow(orthogonal(radius, 60), "linear", torch.float64, (60,)).steps_back[0, 0].numpy()
    assert norms / norms[0] == pytest.approx(radius ** np.arange(61.0), rel=1e-10)


@pytest.mark.parametrize("radius", [None, 0.5, 0.9, 1.0, 1.1, 1.5])
def test_a_random_network_without_nonlinearity_changes_by_its_radius_per_step(radius: float | None) -> None:
    """Once the largest eigenvalue has won: within 3 %, at each of four seeds."""
    networks = draw([radius], 64, range(4), 200)
    norms = flow(networks, "linear", torch.float64, (200,)).steps_back[:, 0].numpy()
    for own, weight in zip(norms, networks.weight_hh, strict=True):
        assert rate(own) == pytest.approx(spectral_radius(weight), rel=0.03)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_a_nonlinearity_never_adds_to_the_gradient(nonlinearity: str) -> None:
    """f' is at most 1: the norm stays at or below that of the linear limit (Pascanu et al. 2013, section 2.1)."""
    norms = flow(orthogonal(1.1, 40), nonlinearity, torch.float64, (40,)).steps_back[0, 0].numpy()
    assert (norms / norms[0] <= 1.1 ** np.arange(41.0) * (1 + 1e-12)).all()
    assert norms[-1] / norms[0] < 0.1 * 1.1**40


def by_autograd(networks: Networks, nonlinearity: str, dtype: torch.dtype, length: int) -> tuple[Tensor, Tensor]:
    """Norms k = 0 ... length, and of the first input, of the first network, by torch's own backward."""
    own = networks.to(dtype)
    first = own.inputs[:1, 0].clone().requires_grad_()
    states = [own.state[:1, 0].clone().requires_grad_()]
    for step in range(length):
        entered = own.inputs[:1, step] if step else first
        sums = entered @ own.weight_ih[0].T + own.bias[0] + states[-1] @ own.weight_hh[0].T
        states.append(ACTIVATIONS[nonlinearity](sums))
    loss = (states[-1] - own.target[:1, 0]).double().square().sum() / 2
    *back, of_first = torch.autograd.grad(loss, [*states[::-1], first])
    return torch.stack([one.double().norm() for one in back]), of_first.double().norm()


@pytest.mark.parametrize(("dtype", "off"), [(torch.float64, 1e-10), (torch.float32, 1e-4), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu", "linear"])
def test_the_recursion_equals_autograd(nonlinearity: str, dtype: torch.dtype, off: float) -> None:
    """Every length's norms k steps back and at the first input, up to rounding; NaN beyond the sequence."""
    networks = draw([0.9, None], 16, [5], max(LENGTHS))
    found = flow(networks, nonlinearity, dtype, LENGTHS)
    for row, length in enumerate(LENGTHS):
        back, first = by_autograd(networks, nonlinearity, dtype, length)
        assert found.steps_back[0, row, : length + 1].numpy() == pytest.approx(back.numpy(), rel=off)
        assert float(found.first_input[0, row]) == pytest.approx(float(first), rel=off)
        assert found.steps_back[0, row, length + 1 :].isnan().all()


def test_a_sequence_longer_than_the_inputs_is_refused() -> None:
    """With the numbers of steps in the message."""
    with pytest.raises(ValueError, match="no inputs for 9 steps, only for 8"):
        flow(draw([None], 4, [0], 8), "tanh", torch.float32, (9,))


def test_networks_begin_as_they_say() -> None:
    """torch's bounds; W_hh scaled to the radius and nothing else changed; the same numbers from the same seed."""
    networks = draw([None, 0.9, 1.5], 32, [0, 1], 5)
    bound = 32**-0.5
    assert float(networks.weight_hh[:2].abs().max()) <= bound
    assert 0.95 * bound < float(networks.weight_ih.abs().max()) <= bound
    for number, radius in ((2, 0.9), (3, 0.9), (4, 1.5), (5, 1.5)):
        assert spectral_radius(networks.weight_hh[number]) == pytest.approx(radius)
        assert torch.equal(networks.weight_ih[number], networks.weight_ih[number % 2])
        assert torch.equal(networks.inputs[number], networks.inputs[number % 2])
    assert not torch.equal(networks.weight_hh[0], networks.weight_hh[1])
    again = draw([None], 32, [1], 9)
    assert torch.equal(again.weight_hh[0], networks.weight_hh[1]), "longer inputs change no weight"


@pytest.mark.parametrize(
    ("norms", "found"),
    [
        ([2.0, 0.2, 0.02, 0.002, 0.0002], Horizon(3, VANISHES)),
        ([2.0, 200.0, 2000.0, 20.0], Horizon(2, EXPLODES)),
        ([1.0, 900.0, 0.0011, 1.0], Horizon(None, NEITHER)),
        ([1.0, 1.0, 0.0], Horizon(2, VANISHES)),
        ([1.0, np.nan, 1.0], Horizon(1, EXPLODES)),
        ([1.0, 1.0, np.inf], Horizon(2, EXPLODES)),
        ([np.inf, 1.0], Horizon(0, EXPLODES)),
        ([np.nan, np.nan], Horizon(0, EXPLODES)),
        ([0.0, 0.0], Horizon(0, VANISHES)),
        ([1.0], Horizon(None, NEITHER)),
        ([1.0, 1e-4, 1e5], Horizon(1, VANISHES)),
    ],
)
def test_horizon_of_planted_norms(norms: list[float], found: Horizon) -> None:
    """The first step at which the norm has fallen or grown by 1000, or is no number."""
    assert horizon(np.array(norms)) == found


def test_lost_norms_are_counted() -> None:
    """Zeros and subnormals on one side, infinities and NaN on the other."""
    norms = np.array([[1.0, TINY, TINY / 2, 0.0], [np.inf, np.nan, -0.0, 1e300]])
    assert lost(norms) == (3, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("factor", "expected"), [(1e-10, (9, 0)), (1e10, (0, 9)), (1.0, (0, 0))])
def test_both_dtypes_lose_what_their_exponents_cannot_hold(
    dtype: torch.dtype, factor: float, expected: tuple[int, int]
) -> None:
    """Ten decades a step: k = 0 to 3 are held, 1e-40 and 1e40 and what lies behind, k = 4 to 12, are not."""
    norms = flow(planted_matrix(factor), "linear", dtype, (12,)).steps_back.numpy()
    assert lost(norms) == expected
    assert lost(flow(planted_matrix(factor), "linear", torch.float64, (3,)).steps_back.numpy()) == (0, 0)


def test_the_rate_is_taken_where_the_numbers_are_sound() -> None:
    """After the first half, before the first norm that under- or overflowed; none without two norms."""
    steps = np.arange(41.0)
    assert rate(np.where(steps < 10, 5.0, 0.8**steps)) == pytest.approx(0.8)
    assert rate(np.where(steps < 20, 2.0**-steps, 0.0)) == pytest.approx(0.5)
    assert rate(np.where(steps < 20, 1.5**steps, np.nan)) == pytest.approx(1.5)
    assert rate(np.array([1.0])) is None
    assert rate(np.array([np.nan, np.nan])) is None


def test_where_long_sequences_overflow_the_longest_that_did_not_is_taken() -> None:
    """By the gradient at its own last step; the shortest when none is finite."""
    by_length = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0], [np.nan, np.nan, np.nan]])
    assert longest_finite(by_length).tolist() == [3.0, 4.0, 5.0]
    assert np.isnan(longest_finite(by_length[2:])).all()


def test_steps_that_are_kept() -> None:
    """All of the first ones, the powers of two, and the last; few in all."""
    assert steps_shown(1) == [0, 1]
    assert steps_shown(9) == list(range(10))
    shown = steps_shown(1000)
    assert set(range(12)) | {16, 32, 64, 128, 256, 512, 1000} <= set(shown)
    assert shown == sorted(set(shown))
    assert len(shown) < 80


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """A small measurement."""
    return measure(hidden_size=16, seeds=3, seq_len=40)


def test_every_setup_is_measured(measured: dict[str, Any]) -> None:
    """Beginnings, nonlinearities and dtypes; lengths to the longest; the linear limit near theory."""
    assert len(measured["setups"]) == 6 * 2 * 2
    assert measured["lengths"] == [1, 2, 4, 8, 16, 32, 40]
    assert measured["seeds"] == [0, 1, 2]
    assert [row["beginning"] for row in measured["theory"]] == ["default", "0.5", "0.9", "1.0", "1.1", "1.5"]
    assert all(row["rate"] == pytest.approx(row["radius"], rel=0.15) for row in measured["theory"])
    assert all(row["norms"] == 3 * 41 for row in measured["setups"])
    small = next(row for row in measured["setups"] if row["beginning"] == "0.5")
    assert small["ends"] == [VANISHES] * 3
    assert small["steps_back"]["median"][0] == 1.0
    assert small["steps_back"]["low"][5] <= small["steps_back"]["median"][5] <= small["steps_back"]["high"][5]
    assert small["first_input"]["median"][0] > small["first_input"]["median"][-1]


def test_the_same_seeds_give_the_same_table(measured: dict[str, Any]) -> None:
    """Every number of it."""
    assert measure(hidden_size=16, seeds=3, seq_len=40) == measured


def test_a_table_survives_its_file(measured: dict[str, Any], tmp_path: Path) -> None:
    """What is read is what was written, unrounded."""
    write_json(tmp_path / "gradients.json", measured)
    assert read(tmp_path / "gradients.json") == measured


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schema", 2, "the field schema is 2; this version reads 1"),
        ("schema", None, "the field schema is NoneType"),
        ("hidden_size", "16", "the field hidden_size is str"),
        ("lengths", [], "the field lengths does not hold numbers"),
        ("steps", ["0", "1"], "the field steps does not hold numbers"),
        ("setups", [], "the field setups has no row of tanh, float32 and the default initialisation"),
        ("setups.3", "lost", "the field setups.3.nonlinearity is missing"),
        ("setups.3.radius", None, "the field setups.3.radius is NoneType"),
        ("setups.0.steps_back", {}, "the field setups.0.steps_back.median is missing"),
        ("setups.0.first_input.low", [1.0], "the field setups.0.first_input.low does not hold 7 numbers"),
        ("setups.0.horizons", [1, 2, "3"], "the field setups.0.horizons does not hold 3 numbers"),
        ("setups.0.ends", [NEITHER] * 3, "the field setups.0.ends does not say for each seed how its gradient ends"),
        ("setups.0.ends", [VANISHES], "the field setups.0.ends does not say for each seed how its gradient ends"),
        ("theory.5.rate", "fast", "the field theory.5.rate is str"),
    ],
)
def test_a_broken_table_names_file_and_field(
    measured: dict[str, Any], tmp_path: Path, field: str, value: Any, message: str
) -> None:
    """Whatever is missing, of another kind, or too short."""
    broken = copy.deepcopy(measured)
    at: Any = broken
    *above, last = [int(key) if key.isdigit() else key for key in field.split(".")]
    for key in above:
        at = at[key]
    at[last] = value
    path = tmp_path / "gradients.json"
    path.write_text(json.dumps(broken))
    with pytest.raises(BrokenFile) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def planted_row(
    nonlinearity: str, beginning: str, ends: list[str], horizons: list[int | None], lost: tuple[int, int] = (0, 0)
) -> dict[str, Any]:
    """A setup of which only what is told matters."""
    curve = {"median": [1.0, 0.1, 0.0], "low": [1.0, 0.01, 0.0], "high": [1.0, 1.0, None]}
    return {
        "nonlinearity": nonlinearity,
        "dtype": "float32",
        "beginning": beginning,
        "horizons": horizons,
        "ends": ends,
        "radius": 0.6 if beginning == "default" else float(beginning),
        "rates": [0.5, 0.4, None],
        "steps_back": curve,
        "last_state": curve,
        "first_input": curve,
        "underflows": lost[0],
        "overflows": lost[1],
        "norms": 99,
    }


def planted() -> dict[str, Any]:
    """Three seeds: tanh vanishes and lasts, relu vanishes and explodes."""
    return {
        "schema": 1,
        "torch": "2.13.0",
        "hidden_size": 8,
        "seeds": [0, 1, 2],
        "lengths": [1, 4, 64],
        "factor": 1000.0,
        "quantiles": [0.1, 0.9],
        "steps": [0, 4, 64],
        "setups": [
            planted_row("tanh", "default", [VANISHES] * 3, [9, 8, 11]),
            planted_row("tanh", "1.0", [VANISHES] * 3, [21, 21, 21], (7, 0)),
            planted_row("tanh", "1.5", [NEITHER, NEITHER, VANISHES], [None, None, 60]),
            planted_row("relu", "default", [VANISHES] * 3, [7, 7, 8]),
            planted_row("relu", "1.0", [VANISHES] * 3, [19, 18, 20]),
            planted_row("relu", "1.5", [EXPLODES, VANISHES, EXPLODES], [30, 5, 33], (1, 2)),
        ],
        "theory": [{"beginning": "1.0", "steps": 64, "radius": 1.0, "rate": 0.9996, "largest_error": 0.002}],
    }


def test_sentences_say_what_the_table_holds() -> None:
    """What torch's own weights do, and what the scaled ones that carry it furthest do with either nonlinearity."""
    assert sentences(planted()) == [
        "With torch's initialisation, a tanh network's gradient at hidden 8 is down to a thousandth 9 steps back: what "
        "lies further back hardly counts.",
        "With recurrent weights scaled to a spectral radius of 1.5, it stays within a factor of 1000 over all 64 "
        "steps; with relu, it explodes.",
    ]


@pytest.mark.parametrize(
    ("ends", "horizons", "message"),
    [
        ([EXPLODES] * 3, [4, 4, 4], "at hidden 8 is up a thousandfold 4 steps back: clip gradients."),
        ([NEITHER] * 3, [None] * 3, "stays within a factor of 1000 over all 64 steps: it can learn from them."),
    ],
)
def test_the_first_sentence_of_other_ends(ends: list[str], horizons: list[int | None], message: str) -> None:
    """A gradient that explodes or lasts from the beginning is not said to vanish."""
    found = planted()
    found["setups"][0] |= {"ends": ends, "horizons": horizons}
    assert sentences(found)[0].endswith(message)


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ([21, None], [None, None], "1.5, it stays within a factor of 1000 over all 64 steps; with relu, it explodes."),
        (
            [None, None],
            [None, None],
            "1.0, it stays within a factor of 1000 over all 64 steps; with relu, it vanishes.",
        ),
        ([21, 60], [None, 30], "1.5, it is down to a thousandth 60 steps back; with relu, it explodes."),
        ([60, 21], [None, 30], "1.0, it is down to a thousandth 60 steps back; with relu, it lasts all 64 steps."),
    ],
)
def test_the_second_sentence_is_of_what_carries_furthest(
    one: list[int | None], other: list[int | None], message: str
) -> None:
    """What lasts is before what vanishes late, and of several that last the least radius is told."""
    found = planted()
    for row, steps in zip(found["setups"][1:3], one, strict=True):
        row |= {"ends": [VANISHES if steps else NEITHER] * 3, "horizons": [steps] * 3}
    if other[1]:
        found["setups"][4] |= {"ends": [NEITHER] * 3, "horizons": [None] * 3}
    assert sentences(found)[1].endswith(message)


def test_without_scaled_weights_there_is_one_sentence() -> None:
    """Nothing is said of what was not measured, and no sentence is longer than 25 words."""
    found = planted()
    assert all(len(text.split()) <= 25 for text in sentences(found))
    found["setups"] = found["setups"][3:4] + found["setups"][:1]
    assert len(sentences(found)) == 1


def test_the_tables() -> None:
    """Horizons with their factor per step, losses, first inputs relative to one step, theory."""
    text = markdown(planted())
    assert text.startswith(f"- {sentences(planted())[0]}\n- ")
    assert "| 0.60 (torch's own) | fell: 9 (×0.450) | fell: 7 (×0.450) |" in text
    assert "| 1.5 | neither (×0.450) | grew in 2 of 3: 33 (×0.450) |" in text
    assert "| 1.0 | 7 under | – |" in text
    assert "| 1.5 | – | 1 under, 2 over |" in text
    assert "| tanh, 1.0 | 1.0e-01 | 0 |" in text
    assert "| 1.0 | 1.0000 | 0.9996 | 0.2 % |" in text


@pytest.mark.parametrize("table", ["planted", "measured"])
def test_the_picture_is_drawn_in_the_colours_of_the_page(table: str, measured: dict[str, Any]) -> None:
    """A panel each for tanh and relu, valid SVG, every colour a variable, the same bytes twice."""
    found = planted() if table == "planted" else measured
    drawn = panels(found)
    assert [panel.title.split(",")[0] for panel in drawn] == ["tanh", "relu"]
    for panel in drawn:
        with style(text_as_paths=False):
            svg, again = (inline_svg(panel, "g") for _ in range(2))
        assert svg == again
        texts = "".join(ET.fromstring(svg).itertext())
        assert "steps back" in texts
        assert "(torch's own)" in texts
        assert "var(--series-5)" in svg
        assert not [light for light, _ in COLOURS.values() if light in svg]


def test_the_picture_tells_itself_in_words() -> None:
    """The text for those who don't see it holds every line's end."""
    assert "1.0: 21; 1.5: never." in panels(planted())[0].alt
    assert "1.5: 33 to a thousandfold." in panels(planted())[1].alt


def test_files_are_the_same_twice(tmp_path: Path) -> None:
    """Markdown, PNG and SVG."""
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(planted(), tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["gradients.md", "gradients.png", "gradients.svg"]


@pytest.mark.parametrize("sizes", [("8", "2", "12"), ("1", "1", "1")])
def test_the_command_end_to_end(tmp_path: Path, sizes: tuple[str, str, str]) -> None:
    """All four files, the two sentences and the folder, also at the smallest of sizes."""
    hidden, seeds, steps = sizes
    options = ["--hidden-size", hidden, "--seeds", seeds, "--seq-len", steps, "--reports", str(tmp_path)]
    done = CliRunner().invoke(app, ["gradients", *options])
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "gradients").iterdir()
    assert {path.name for path in folder.iterdir()} == {f"gradients.{e}" for e in ("json", "md", "png", "svg")}
    assert str(folder) in done.output
    assert all(len(line) <= 80 for line in done.output.splitlines() if str(folder) not in line)
    told = " ".join(done.output.split())
    assert all(" ".join(text.split()) in told for text in sentences(read(folder / "gradients.json")))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "0"], "--seeds must be a whole number of at least 1, not 0"),
        (["--hidden-size", "-2"], "--hidden-size must be a whole number of at least 1, not -2"),
        (["--seq-len", "0"], "--seq-len must be a whole number of at least 1, not 0"),
        (["--seq-len", "99999999"], "ask for 9155.3 GiB of numbers, over 2 GiB"),
    ],
)
def test_wrong_sizes_are_one_line_and_exit_2(tmp_path: Path, options: list[str], message: str) -> None:
    """Nothing is measured and nothing is left behind."""
    done = CliRunner().invoke(app, ["gradients", *options, "--reports", str(tmp_path)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())

"""Networks as objects: what ships, what can be brought, and that everything asks them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.cases.case import Case
from bench.host.process import environment
from bench.measure.parity import ParityError, check
from bench.measure.problem import Problem
from bench.measure.reference import Reference
from bench.measure.spotcheck import SpotChecks
from bench.measure.workload import Workload
from bench.why.work import NoFloor, layers_of, work
from rnn_impls import networks, registry
from rnn_impls.interface import Implementation, NetworkShape, Unavailable
from rnn_impls.networks import Network, Products
from rnn_impls.networks.network import counted_products
from tests import warm
from tests.command import bench
from tests.gate.repository import SMALLEST, Repository
from tests.test_readme import example

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "rnn_impls" / "networks" / "template.py"
LEAKY = f"{TEMPLATE}:Leaky"
ANY_NETWORK = ("manual", "compiled-step", "compiled-chunk", "scripted", "scan")
"""What needs nothing but a step, and runs on a CPU."""
MADE_FOR = {
    **dict.fromkeys(
        ("looped", "whole", "rnncell"), "made for rnn-tanh, rnn-relu, gru and lstm, which torch has modules for"
    ),
    "hoisted": "does not say what of its step needs no state",
    **dict.fromkeys(("stacked-grad", "fused-cpu"), "computes only rnn-tanh, rnn-relu, gru, lstm"),
}


def leaky(mode: str, num_layers: int = 1, output_size: int = 0) -> Case:
    """A small case of the leaky integrator."""
    small = {"input_size": 3, "hidden_size": 4, "batch_size": 2, "seq_len": 5}
    return Case.from_dict(
        Case().as_dict()
        | small
        | {"mode": mode, "network": LEAKY, "num_layers": num_layers, "output_size": output_size}
    )


@pytest.mark.parametrize("name", networks.BUILTIN)
def test_a_network_states_what_is_counted(name: str) -> None:
    """Products as torch's flop counter finds them in its step, and the names of its module's and cell's parameters."""
    network = networks.load(name)
    assert network.name == name
    gates = len(network.gates)
    assert network({}).products(3, 5) == counted_products(network, 3, 5) == Products(15 * gates, 25 * gates)
    library, cell = network({}).library(3, 5, 2), network({}).cell(3, 5)
    assert isinstance(library, getattr(nn, networks.MODULES[name]))
    assert isinstance(cell, getattr(nn, f"{networks.MODULES[name]}Cell"))
    assert {k: tuple(v.shape) for k, v in cell.state_dict().items()} == network.shapes(3, 5)
    assert {k: tuple(v.shape) for k, v in library.state_dict().items()} == NetworkShape(
        3, 5, 2, network=network
    ).weight_shapes()


@pytest.mark.parametrize("name", networks.BUILTIN)
def test_a_step_in_two_parts_is_the_step(name: str) -> None:
    """What is run ahead for all steps, and the rest, give what the step as it is written gives."""
    network = networks.load(name)
    draw = torch.Generator().manual_seed(0)
    layer = network.bound({k: torch.randn(size, generator=draw) for k, size in network.shapes(3, 4).items()})
    inputs, states = torch.randn(5, 2, 3, generator=draw), torch.randn(2, 2, 4, generator=draw).unbind(0)
    state: Any = states if len(network.states) == 2 else states[0]
    parts = layer.parts()
    ahead, other = parts.ahead(inputs), state
    for x, a in zip(inputs, ahead, strict=True):
        output, state = layer.step(x, state)
        found, other = parts.after(a, other, *parts.read())
        torch.testing.assert_close(found, output)
    torch.testing.assert_close(other, state)


def test_aliases_are_the_same_network() -> None:
    """By its name, by what torch calls it, and where the nonlinearity used to be."""
    for shape in (
        NetworkShape(3, 4, network="rnn-relu"),
        NetworkShape(3, 4, nonlinearity="relu"),
        NetworkShape(3, 4, 1, 0, "relu"),
    ):
        assert shape == NetworkShape(3, 4, 1, 0, networks.load("rnn-relu"))
        assert shape.nonlinearity == "relu"
    assert NetworkShape(3, 4).nonlinearity == "tanh"


@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", [name for name in ANY_NETWORK if not name.startswith("compiled")])
def test_a_network_of_ones_own_runs_by_its_step(name: str, mode: str) -> None:
    """Equal to its own step in float64, with layers and a head, too."""
    for case in (leaky(mode), leaky(mode, num_layers=2, output_size=3)):
        assert check(Reference.of(case), registry.load(name)) < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("name", ["compiled-step", "compiled-chunk"])
def test_a_network_of_ones_own_is_compiled(name: str, mode: str) -> None:
    """The same by torch.compile."""
    assert check(Reference.of(leaky(mode, num_layers=2, output_size=3)), registry.load(name)) < 1e-5


@pytest.mark.parametrize("name", MADE_FOR)
def test_what_is_made_for_one_formula_says_so(name: str) -> None:
    """A row with the reason, nothing measured."""
    with pytest.raises(Unavailable, match=MADE_FOR[name]):
        Workload(leaky("inference"), registry.load(name), Problem.of(leaky("inference")))


class Fast(Implementation):
    """the leaky integrator, its inputs ahead of the loop"""

    leak = 0.3

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        for name, size in shape.network.shapes(shape.input_size, shape.hidden_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(size)))

    def weight_map(self) -> dict[str, Tensor]:
        """By the network's names."""
        return {f"{name}_l0": parameter for name, parameter in self.named_parameters()}

    def forward(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One product for all inputs, then the loop."""
        own = dict(self.named_parameters())
        state, states = hidden[0], []
        for ahead in nn.functional.linear(inputs, own["W"], own["b"]):
            state = (1 - self.leak) * state + self.leak * torch.tanh(torch.addmm(ahead, state, own["U"].t()))
            states.append(state)
        return torch.stack(states), state.unsqueeze(0)


class Forgetful(Fast):
    """the same with another leak"""

    leak = 0.31


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_ones_own_implementation_is_held_against_ones_own_network(mode: str) -> None:
    """Equal where it computes it; and where it doesn't, the first difference; by the timed calls' check as well."""
    case = leaky(mode)
    assert check(Reference.of(case), Fast) < 1e-5
    with pytest.raises(ParityError, match="outputs differs first at step 0"):
        check(Reference.of(case), Forgetful)
    problem = Problem.of(case)
    workload = Workload(case, Fast, problem)
    workload.renew(1)
    assert workload._feed is not None
    spots = SpotChecks(case, problem, workload._feed)
    workload.renew(1, 0, spots.angle(0))
    kept: list[object] = []
    workload(1, keep=kept)
    spots.check(0, kept[0], workload)


def test_operations_that_are_not_stated_are_counted() -> None:
    """W x is free, U h chained; without a count there is no floor."""
    case = leaky("training", num_layers=2)
    counted = [list(each) for each in NetworkShape(3, 4, 2, network=LEAKY).products()]
    assert counted == [[12, 16], [16, 16]]
    elman = Case(mode="training", input_size=3, hidden_size=4, batch_size=2, seq_len=5, num_layers=2)
    assert work(case, counted=counted) == work(elman)
    with pytest.raises(NoFloor, match=r"the operations of .*template\.py:Leaky were not counted"):
        layers_of(case)


class Elementwise(Network):
    """h = tanh(x + w h): no product at all"""

    w: Tensor

    def weight_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """One weight a unit."""
        return {"w": (hidden_size,)}

    def step(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """The formula."""
        h = torch.tanh(x.mean(1, keepdim=True) + self.w * h)
        return h, h


def test_a_network_without_products_has_none() -> None:
    """Nothing is chained by a product, so that no floor rests on one."""
    assert counted_products(Elementwise, 3, 4) == Products(0, 0)


WRONG = {
    "NoStep": ("def weight_shapes(self, i, h): return {'W': (h, i)}", "has no step"),
    "NoShapes": ("def step(self, x, h): return h, h", "has no weight_shapes"),
    "Fails": (
        "def weight_shapes(self, i, h): return {'W': (h, 1 / 0)}\n    def step(self, x, h): return h, h",
        "gives no weight_shapes for 2 inputs and 3 hidden units: ZeroDivisionError",
    ),
    "NoSize": (
        "def weight_shapes(self, i, h): return {'W': h}\n    def step(self, x, h): return h, h",
        "gives the weight W the shape 3",
    ),
    "Taken": (
        "def weight_shapes(self, i, h): return {'step': (h,)}\n    def step(self, x, h): return h, h",
        "calls a weight 'step', which is no name, or taken",
    ),
    "Empty": ("def weight_shapes(self, i, h): return {}\n    def step(self, x, h): return h, h", "has no weights"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_class_that_is_no_network_is_one_line(name: str, tmp_path: Path) -> None:
    """It names the class, the file and what is wrong."""
    body, message = WRONG[name]
    path = tmp_path / "cell.py"
    path.write_text(f"from rnn_impls.networks import Network\n\nclass {name}(Network):\n    {body}\n")
    with pytest.raises(ValueError, match=message) as caught:
        networks.load(f"{path}:{name}")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_or_class_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """And so is one that does not import."""
    path = tmp_path / "cell.py"
    with pytest.raises(ValueError, match=f"there is no file {path}"):
        networks.load(f"{path}:Leaky")
    path.write_text("class Other: pass\n")
    with pytest.raises(ValueError, match=r"cell\.py has no class Leaky"):
        networks.load(f"{path}:Leaky")
    with pytest.raises(ValueError, match=r"cell\.py has no rnn_impls\.networks\.Network called Other"):
        networks.load(f"{path}:Other")
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_this_name\n")
    with pytest.raises(ValueError, match=r"broken\.py does not import: ModuleNotFoundError"):
        networks.load(f"{broken}:Leaky")


def test_networks_are_described_without_torch() -> None:
    """A laptop that only has a run's files asks a network for its counts."""
    code = "import sys; from rnn_impls import networks; "
    code += "print(networks.load('rnn-tanh')({}).products(2, 3), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "Products(free=6, chained=9) False\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's network, and a run of it."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_cell.py").write_text(example("network"))
    sizes = ("--preset", "smoke", "--hidden-size", "8", "--seq-len", "1,2,4,8", "--mode", "inference", "--passes", "2")
    asked = ("--network", "my_cell.py:Leaky", "--impl", "manual,scripted,whole", "--device", "cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.report.build.png_bytes", lambda *_: b"")  # as in `no_png`
        code, out, err = bench("run", *asked, *sizes, folder=folder)
    assert code == 0, out + err
    return folder


def test_the_example_is_twenty_lines() -> None:
    """And so is quickly read."""
    assert len(example("network").strip().splitlines()) <= 20


def test_a_run_of_ones_own_network_says_everything(own: Path) -> None:
    """One file: parity, times, floor, profile and warnings in a report; what is made for another network is a row."""
    folder = own / "reports" / "latest"
    cells = json.loads((folder / "cells.json").read_text())["cells"]
    measured = [cell for cell in cells if cell["status"] == "measured"]
    assert {cell["implementation"] for cell in measured} == {"manual", "scripted"}
    assert {cell["reason"] for cell in cells if cell["implementation"] == "whole"} == {MADE_FOR["whole"]}
    for cell in measured:
        assert cell["network"] == "my_cell.py:Leaky"
        assert cell["parity_error"] < 1e-5
        assert cell["floor_seconds"] > 0
        assert cell["gap"] > 1
        assert cell["products"] == [[64, 64]]
        assert "counted" in {warning["kind"] for warning in cell["warnings"]}
    assert {cell["implementation"] for cell in measured if cell["label"]} == {"manual", "scripted"}
    page = (folder / "index.html").read_text()
    assert "my_cell.py:Leaky" in page
    assert "flop counter" in page


def test_a_report_of_it_needs_neither_torch_nor_the_file(own: Path, tmp_path: Path) -> None:
    """On another machine, with the run's files alone: the same bytes."""
    there = tmp_path / "run"
    shutil.copytree((own / "reports" / "latest").resolve(), there)
    before = (there / "cells.json").read_bytes()
    code = f"import sys; sys.modules['torch'] = None; sys.argv[1:] = ['report', {str(there)!r}]; "
    code += "from bench.cli import main; main()"
    done = warm.run([sys.executable, "-c", code], cwd=tmp_path, env=environment())
    assert done.returncode == 0, done.stderr
    assert (there / "cells.json").read_bytes() == before


def test_advice_on_it(own: Path) -> None:
    """Of the case itself as measured; of a size that no law reaches there is none, and that is said."""
    asked = ("advise", "--network", "my_cell.py:Leaky", "--seq-len", "4", "--hidden-size")
    code, out, err = bench(*asked, "8", folder=own)
    assert code == 0, err
    assert "Measured: this case is in the run" in out
    code, _, err = bench(*asked, "16", folder=own)
    assert code == 1
    assert "error: nothing can be said: no implementation has a law there that can be relied on" in err


def test_a_profile_of_it(own: Path) -> None:
    """Its twin has one hidden unit, as everybody's."""
    small = ("--hidden-size", "8", "--seq-len", "2", "--mode", "training", "--preset", "smoke", "--reports", "other")
    code, _, err = bench("profile", "--network", "my_cell.py:Leaky", "--impl", "manual", *small, folder=own)
    assert code == 0, err
    (record,) = json.loads((own / "other" / "latest" / "profile.json").read_text())["records"]
    assert record["status"] == "profiled"
    assert record["hollow_seconds"] > 0


FAST = """
import torch
from torch import nn


class Fast(nn.Module):
    '''the leaky integrator, its inputs ahead of the loop'''

    batch_first = True
    sizes = {"hidden_size": "width"}

    def __init__(self, input_size, width):
        super().__init__()
        self.W = nn.Parameter(torch.empty(width, input_size))
        self.U = nn.Parameter(torch.empty(width, width))
        self.b = nn.Parameter(torch.empty(width))

    def forward(self, inputs, hidden):
        state, states = hidden[0], []
        for ahead in nn.functional.linear(inputs, self.W, self.b).unbind(1):
            state = 0.7 * state + 0.3 * torch.tanh(torch.addmm(ahead, state, self.U.t()))
            states.append(state)
        return torch.stack(states, 1), state.unsqueeze(0)
"""


def test_a_check_of_it(own: Path) -> None:
    """An implementation is held against it; a class that is not there is exit 2 and one line."""
    (own / "my_rnn.py").write_text(FAST)
    one_layer = ("--num-layers", "1", "--output-size", "0")
    code, out, _ = bench("check", "my_rnn.py:Fast", "--network", "my_cell.py:Leaky", *one_layer, folder=own)
    assert code == 0, out
    assert "Called batch first, with width for hidden_size." in out
    wrong = bench("check", "manual", "--network", "my_cell.py:Other", folder=own)
    assert wrong == (2, "", "error: my_cell.py has no class Other\n")


def test_a_gate_of_it(tmp_path: Path) -> None:
    """Each side has its own version of the network's file; one that only the head has is new."""
    repository = Repository(tmp_path / "theirs").write(example("network"), "my_cell.py").commit()
    asked = ("gate", "--base", "HEAD", "--impl", "manual", *SMALLEST, "--min-effect", "50%", "--network")
    ended = repository.bench(*asked, "my_cell.py:Leaky")
    assert ended.code == 0, ended.text
    assert ended.verdict.startswith("Nothing regressed: the one cell compared (inference) is within ±50 % of HEAD (")
    repository.write(example("network"), "later.py")
    ended = repository.bench(*asked, "later.py:Leaky")
    assert ended.code == 3, ended.text
    assert "does not have `manual`" in ended.verdict


def test_a_base_from_before_networks_is_measured_by_the_interface_of_today(tmp_path: Path) -> None:
    """A tree whose rnn_impls has no networks, and an interface that knows none."""
    ours = tmp_path / "ours"
    repository = Repository(ours)
    shutil.copytree(ROOT / "rnn_impls", ours / "rnn_impls", ignore=shutil.ignore_patterns("__pycache__", "networks"))
    (ours / "rnn_impls" / "importing.py").unlink()
    (ours / "rnn_impls" / "interface.py").write_text("raise ImportError('of another time')\n")
    repository.commit()
    shutil.copytree(ROOT / "rnn_impls", ours / "rnn_impls", dirs_exist_ok=True)
    ended = repository.process("gate", "--base", "HEAD", "--impl", "manual,whole", *SMALLEST, "--min-effect", "50%")
    assert ended.code == 0, ended.text
    assert ended.verdict.startswith("Nothing regressed: all 2 cells (inference) are within ±50 % of HEAD (")


@pytest.mark.parametrize("command", [("run",), ("profile",), ("gate", "--base", "HEAD"), ("check", "manual")])
def test_a_file_that_is_not_there_is_one_line(command: tuple[str, ...], own: Path) -> None:
    """Exit 2, before anything is measured."""
    wrong = bench(*command, "--network", "none.py:Leaky", folder=own)
    assert wrong == (2, "", "error: --network none.py:Leaky: there is no file none.py\n")


def test_new_writes_a_network_that_is_right(tmp_path: Path) -> None:
    """`new --network`, and what it says to ask next; the template is the README's leaky integrator."""
    code, out, err = bench("new", "--network", "leaky.py", folder=tmp_path)
    assert code == 0, err
    assert "python -m bench run --network leaky.py:Leaky" in out
    written = networks.load(f"{tmp_path}/leaky.py:Leaky")
    (tmp_path / "readme.py").write_text(example("network"))
    other = networks.load(f"{tmp_path}/readme.py:Leaky")
    weights = {name: torch.randn(size) for name, size in written.shapes(3, 4).items()}
    x, state = torch.randn(2, 3), torch.randn(2, 4)
    for one, two in zip(written(weights).step(x, state), other(weights).step(x, state), strict=True):
        torch.testing.assert_close(one, two)

"""The three implementations: the tutorial's two models, the contract they keep, and the registry that finds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from rnn_impls import looped, manual, registry
from rnn_impls.interface import Head, Implementation, NetworkShape
from rnn_impls.states import tensors
from rnn_impls.whole import WholeNoCudnn
from tests import warm

ROOT = Path(__file__).parent.parent
SHAPE = NetworkShape(input_size=3, hidden_size=4, num_layers=2, output_size=5)
THREE = [registry.load(name) for name in registry.THREE]


def random_weights(shape: NetworkShape) -> dict[str, Tensor]:
    """One set of weights of the right shapes, no two alike."""
    torch.manual_seed(1)
    return {name: torch.randn(size) for name, size in shape.weight_shapes().items()}


class WithMap(Implementation):
    """A network of parameters `p_<name>`, whose map a test may bend."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__(shape)
        self.p = nn.ParameterDict({name: torch.zeros(size) for name, size in shape.weight_shapes().items()})
        self.bent: dict[str, Tensor | None] = {}

    def weight_map(self) -> dict[str, Tensor]:
        """All parameters, with the bends: another tensor, or None to leave one out."""
        found = dict(self.p.items()) | self.bent
        return {name: tensor for name, tensor in found.items() if tensor is not None}


@pytest.mark.parametrize(
    ("module", "outputs", "hidden"),
    [("manual", "[1, 2]", "[1, 128]"), ("looped", "[1, 1, 2]", "[1, 1, 128]")],
)
def test_demo_prints_the_tutorials_two_lines(module: str, outputs: str, hidden: str) -> None:
    """`python -m rnn_impls.<module>` prints the two sizes, and nothing else."""
    command = [sys.executable, "-m", f"rnn_impls.{module}"]
    done = warm.run(command, cwd=ROOT, check=True)
    assert done.stdout.splitlines() == [
        f"outputs size: torch.Size({outputs})",
        f"hidden state size: torch.Size({hidden})",
    ]
    assert done.stderr == ""


def test_manual_cell_has_the_tutorials_parts() -> None:
    """The names, and the one product on the concatenation of input and hidden state."""
    cell = manual.RNN(768, 128, 2)
    assert cell.input_to_hidden.weight.shape == (128, 768 + 128)
    assert isinstance(cell.input_to_output, nn.Linear)
    assert cell.input_to_output.weight.shape == (2, 128)
    assert isinstance(cell.nonlinearity, nn.Tanh)
    assert cell.softmax.dim == -1


def test_manual_cell_computes_the_textbook_step() -> None:
    """Hidden is tanh(W [x, h] + b), outputs are log_softmax of a linear map of the new hidden state."""
    cell = manual.RNN(input_size=3, hidden_size=4, output_size=2)
    current, previous = torch.randn(5, 3), torch.randn(5, 4)
    outputs, hidden = cell(current, previous)
    joined = torch.cat((current, previous), dim=1)
    wanted = torch.tanh(joined @ cell.input_to_hidden.weight.T + cell.input_to_hidden.bias)
    assert torch.allclose(hidden, wanted)
    assert cell.input_to_output is not None
    torch.testing.assert_close(outputs, torch.log_softmax(cell.input_to_output(wanted), -1))
    torch.testing.assert_close(outputs.exp().sum(-1), torch.ones(5))


def test_looped_model_adds_the_time_axis() -> None:
    """Outputs (1, B, O) that are log-probabilities, hidden (L, B, H), and num_layers is 1 unless given."""
    model = looped.RNN(input_size=3, hidden_size=4, output_size=2)
    assert model.num_layers == 1
    outputs, hidden = model(torch.randn(5, 3), model.init_hidden(5))
    assert outputs.shape == (1, 5, 2)
    assert hidden.shape == (1, 5, 4)
    torch.testing.assert_close(outputs.exp().sum(-1), torch.ones(1, 5))


@pytest.mark.parametrize("batch", [1, 3])
def test_init_hidden_is_zeros(batch: int) -> None:
    """Zeros of (B, H) by hand and (L, B, H) with the API."""
    assert torch.equal(manual.RNN(3, 4, 2).init_hidden(batch), torch.zeros(batch, 4))
    assert torch.equal(looped.RNN(3, 4, 2, num_layers=2).init_hidden(batch), torch.zeros(2, batch, 4))


def test_without_a_head_the_output_is_the_hidden_state() -> None:
    """`output_size` 0 leaves the head away in both models."""
    outputs, hidden = manual.RNN(3, 4, 0)(torch.randn(2, 3), torch.zeros(2, 4))
    assert torch.equal(outputs, hidden)
    outputs, hidden = looped.RNN(3, 4, 0)(torch.randn(2, 3), torch.zeros(1, 2, 4))
    assert torch.equal(outputs, hidden)


@pytest.mark.parametrize("implementation", THREE, ids=registry.THREE)
def test_load_puts_every_weight_where_the_map_says(implementation: type[Implementation]) -> None:
    """After `load` the map's tensors hold the given values; a single bias holds the sum of the two."""
    weights = random_weights(SHAPE)
    module = implementation(SHAPE)
    module.load(weights)
    places = {name: torch.cat(tensors(place)) for name, place in module.weight_map().items()}
    for name, tensor in places.items():
        if name in weights:
            assert torch.equal(tensor, weights[name]), name
        else:
            layer = name.removeprefix("bias_l")
            assert torch.equal(tensor, weights[f"bias_ih_l{layer}"] + weights[f"bias_hh_l{layer}"]), name
    assert sum(p.numel() for p in module.parameters()) == sum(t.numel() for t in places.values())


@pytest.mark.parametrize("implementation", THREE, ids=registry.THREE)
@pytest.mark.parametrize("output_size", [0, 5])
def test_forward_has_the_contracts_shapes(implementation: type[Implementation], output_size: int) -> None:
    """Inputs (T, B, I) and hidden (L, B, H) give outputs (T, B, O or H) and hidden (L, B, H)."""
    shape = NetworkShape(3, 4, 2, output_size, "relu")
    outputs, hidden = implementation(shape)(torch.randn(6, 7, 3), torch.zeros(2, 7, 4))
    assert outputs.shape == (6, 7, output_size or 4)
    assert hidden.shape == (2, 7, 4)
    if output_size:
        torch.testing.assert_close(outputs.exp().sum(-1), torch.ones(6, 7))


@pytest.mark.parametrize(
    ("bent", "message"),
    [
        ({"weight_hh_l1": None, "bias_ho": None}, "leaves out weight_hh_l1, bias_ho"),
        ({"weight_xx": torch.zeros(1)}, "names 'weight_xx', which this network does not have"),
        ({"weight_ih_l0": torch.zeros(3, 4)}, r"weight_ih_l0 the shape \(3, 4\), it must be \(4, 3\)"),
        ({"bias_l0": torch.zeros(4)}, r"names 'bias_l0', .*\(or has twice\)"),
        ({"bias_l7": torch.zeros(4)}, "names 'bias_l7'"),
    ],
    ids=["missing", "unknown", "shape", "bias twice", "no such layer"],
)
def test_load_refuses_a_wrong_map(bent: dict[str, Tensor | None], message: str) -> None:
    """A weight left out, invented, of another shape, or a bias given in both forms, is named."""
    module = WithMap(SHAPE)
    module.bent = bent
    with pytest.raises(ValueError, match=message):
        module.load(random_weights(SHAPE))


def test_load_leaves_the_given_weights_alone() -> None:
    """The one set of weights is for all: loading neither empties nor changes it."""
    weights = random_weights(SHAPE)
    kept = {name: tensor.clone() for name, tensor in weights.items()}
    manual.Manual(SHAPE).load(weights)
    assert weights.keys() == kept.keys()
    assert all(torch.equal(weights[name], kept[name]) for name in kept)


def test_gradients_of_whole_sliced_and_transposed_parameters() -> None:
    """Each weight's gradient is cut from its parameter's by the same view as the weight from the parameter."""

    class Views(Implementation):
        def __init__(self, shape: NetworkShape) -> None:
            super().__init__(shape)
            self.joined = nn.Parameter(torch.zeros(4, 7))
            self.flipped = nn.Parameter(torch.zeros(4, 5))
            self.plain = nn.Parameter(torch.zeros(4))

        def weight_map(self) -> dict[str, Tensor]:
            return {
                "left": self.joined[:, :3],
                "right": self.joined[:, 3:],
                "corner": self.joined[1:3, 2:6].T,
                "transposed": self.flipped.T,
                "row": self.flipped[2],
                "whole": self.plain,
            }

    module = Views(SHAPE)
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    joined, flipped, plain = module.joined.grad, module.flipped.grad, module.plain.grad
    assert joined is not None
    assert flipped is not None
    assert plain is not None
    found = module.gradients()
    assert list(found) == list(module.weight_map())
    assert torch.equal(found["left"], joined[:, :3])
    assert torch.equal(found["right"], joined[:, 3:])
    assert torch.equal(found["corner"], joined[1:3, 2:6].T)
    assert torch.equal(found["transposed"], flipped.T)
    assert torch.equal(found["row"], flipped[2])
    assert torch.equal(found["whole"], plain)


def test_gradients_of_a_gradient_in_another_layout() -> None:
    """Autograd may leave a transposed gradient; the values count, not where they lie."""
    module = WithMap(NetworkShape(3, 4))
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    gradient = torch.randn(3, 4).T  # (4, 3), column by column
    module.p["weight_ih_l0"].grad = gradient
    assert torch.equal(module.gradients()["weight_ih_l0"], gradient)


def test_gradients_name_a_weight_without_one() -> None:
    """A parameter that no gradient reached is an error with its name, not a zero."""
    module = WithMap(NetworkShape(3, 4))
    for name, parameter in module.p.items():
        parameter.grad = None if name == "bias_hh_l0" else torch.ones_like(parameter)
    with pytest.raises(ValueError, match="bias_hh_l0 got no gradient"):
        module.gradients()


def test_gradients_name_a_weight_that_is_no_parameter() -> None:
    """A weight kept in a buffer has no gradient to show, and is named."""
    module = WithMap(NetworkShape(3, 4))
    for parameter in module.p.values():
        parameter.grad = torch.ones_like(parameter)
    module.bent = {"bias_ih_l0": torch.zeros(4)}
    with pytest.raises(ValueError, match="for bias_ih_l0 neither a parameter"):
        module.gradients()


def test_the_contract_itself_computes_nothing() -> None:
    """A class that leaves out forward or weight_map is told so when it is used."""
    bare = Implementation(SHAPE)
    with pytest.raises(NotImplementedError):
        bare(torch.zeros(1, 1, 3), torch.zeros(2, 1, 4))
    with pytest.raises(NotImplementedError):
        bare.weight_map()


def test_head_weights_are_its_own() -> None:
    """The head's map names its linear layer's parameters themselves."""
    head = Head(SHAPE)
    assert {name: tuple(t.shape) for name, t in head.weight_map().items()} == {"weight_ho": (5, 4), "bias_ho": (5,)}
    assert head.weight_map()["weight_ho"] is head[0].weight


def test_whole_no_cudnn_switches_cudnn_off_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch is off inside its forward pass and on again afterwards, also when that raises."""
    seen = []
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)
    module = WholeNoCudnn(NetworkShape(3, 4))
    module.rnn.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    module(torch.randn(2, 1, 3), torch.zeros(1, 1, 4))
    with pytest.raises(RuntimeError):
        module(torch.randn(2, 1, 9), torch.zeros(1, 1, 4))
    assert seen == [False, False]
    assert torch.backends.cudnn.enabled
    assert WholeNoCudnn.devices == ("cuda",)


# The registry

GOOD_FILE = '''
from rnn_impls.whole import Whole

class Mine(Whole):
    """  my own one

    at some length"""

class Quiet(Whole):
    pass

class Blank(Whole):
    """   """

NOT_A_CLASS = 3

class Stranger:
    pass
'''


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    """Write a file with implementations of one's own."""
    path = tmp_path / "mine.py"
    path.write_text(GOOD_FILE)
    return path


@pytest.mark.parametrize(
    ("selection", "device", "names"),
    [
        ("three", "cuda", ["manual", "looped", "whole"]),
        ("default", "cpu", ["manual", "looped", "whole", "hoisted", "stacked-grad"]),
        ("default", "mps", ["manual", "looped", "whole"]),
        ("default", "cuda", ["manual", "looped", "whole", "whole-no-cudnn", "hoisted", "stacked-grad"]),
        ("all", "cpu", list(registry.BUILTIN)),
        ("whole,manual,whole", "cpu", ["whole", "manual"]),
        (" whole , three ", "cpu", ["whole", "manual", "looped"]),
    ],
)
def test_select_gives_names_once_in_order(selection: str, device: str, names: list[str]) -> None:
    """Groups are spelled out, spaces ignored, and a name given twice runs once."""
    assert registry.select(selection, device) == names


def test_select_takes_a_file(own_file: Path) -> None:
    """`file.py:Name` is a name like the others."""
    assert registry.select(f"manual,{own_file}:Mine", "cpu") == ["manual", f"{own_file}:Mine"]


@pytest.mark.parametrize("selection", ["lopped", "", " , "])
def test_select_lists_the_known_names(selection: str) -> None:
    """An unknown name, or none at all, is answered with all that are known."""
    with pytest.raises(ValueError, match="known are " + ", ".join(registry.BUILTIN)) as caught:
        registry.select(selection, "cpu")
    assert repr("lopped") in str(caught.value) or not selection.strip(" ,")


def test_select_refuses_a_missing_file_and_a_bad_class_name(own_file: Path, tmp_path: Path) -> None:
    """Both are seen before anything is imported or measured."""
    with pytest.raises(ValueError, match=r"there is no file .*absent\.py"):
        registry.select(f"{tmp_path}/absent.py:Mine", "cpu")
    with pytest.raises(ValueError, match="'no-name' is not the name of a class"):
        registry.select(f"{own_file}:no-name", "cpu")


def test_select_imports_nothing(tmp_path: Path) -> None:
    """A file that raises when it is imported can be selected; `load` is what imports."""
    path = tmp_path / "explosive.py"
    path.write_text("raise RuntimeError('boom')")
    assert registry.select(f"{path}:Mine", "cpu") == [f"{path}:Mine"]
    with pytest.raises(ValueError, match=r"explosive\.py does not import: RuntimeError: boom"):
        registry.load(f"{path}:Mine")
    path.write_text(GOOD_FILE)
    assert registry.load(f"{path}:Mine").__name__ == "Mine", "a failed import must not stay half done"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Absent", "has no class Absent"),
        ("Stranger", "Stranger in .* is not a subclass of rnn_impls.interface.Implementation"),
        ("NOT_A_CLASS", "NOT_A_CLASS in .* is not a subclass"),
    ],
)
def test_load_refuses_what_is_no_implementation(own_file: Path, name: str, message: str) -> None:
    """The reason names the class and the file."""
    with pytest.raises(ValueError, match=message) as caught:
        registry.load(f"{own_file}:{name}")
    assert str(own_file) in str(caught.value)


def test_load_tells_files_of_one_stem_apart(own_file: Path, tmp_path: Path) -> None:
    """a/mine.py and b/mine.py are two modules; one file loaded twice is one."""
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / "mine.py"
    twin.write_text(GOOD_FILE.replace("my own one", "the twin's one"))
    first, second = registry.load(f"{own_file}:Mine"), registry.load(f"{twin}:Mine")
    assert first is not second
    assert registry.describe(f"{twin}:Mine") == "the twin's one"
    assert registry.load(f"{own_file}:Mine") is first


def test_describe_is_the_first_line_of_the_docstring(own_file: Path) -> None:
    """Without a docstring, or with a blank one, it says so."""
    assert registry.describe("manual") == "the cell written by hand, stepped in Python"
    assert registry.describe(f"{own_file}:Mine") == "my own one"
    assert registry.describe(f"{own_file}:Quiet") == "no description"
    assert registry.describe(f"{own_file}:Blank") == "no description"


@pytest.mark.parametrize("name", registry.BUILTIN)
def test_every_registered_name_loads(name: str) -> None:
    """No entry of the registry points nowhere."""
    assert issubclass(registry.load(name), Implementation)
    assert registry.describe(name) != "no description"

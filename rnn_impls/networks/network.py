"""What a network says of itself: its weights and one step. All else follows, or has a default that holds for any.

Shapes: B sequences in a batch, I inputs, H hidden units; a step gets x_t (B, I) and the state (B, H) and returns its
output (B, H) and the next state (B, H), or a tuple of states where it has several. In a network of several layers the
output of one is the input of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = dict[str, tuple[int, ...]]


class Products(NamedTuple):
    """Multiply-adds of one step of one layer for one sequence; of each a weight is read.

    `free` ones don't depend on the state, so that those of all steps can be made at once; `chained` ones do.
    """

    free: int
    chained: int


class Parts(NamedTuple):
    """A step in two parts, for implementations that run the first for all steps at once.

    `ahead(inputs)` is what needs no state: (T, B, I) -> (T, B, ...). `after(ahead_t, state, *read)` is the rest of a
    step -> (output, state), the state as `Network.step` has it; `read()` gives the tensors that every step reads, once
    a call.
    """

    ahead: Callable[[Tensor], Tensor]
    after: Callable[..., tuple[Tensor, Any]]
    read: Callable[[], tuple[Tensor, ...]]


class Network:
    """One layer of a network, bound to its weights, which are its attributes: `weight_shapes` names them.

    Subclass it with `weight_shapes` and `step`, in as plain tensor operations as the formula has. In float64 and with
    autograd that is what every implementation is held against.
    """

    name: ClassVar[str] = ""
    """Set by `rnn_impls.networks.load`."""

    gates: ClassVar[tuple[str, ...]] = ("h",)
    """What the rows of the weights are, in blocks of H."""

    states: ClassVar[tuple[str, ...]] = ("h",)
    """What is handed from step to step; of several the state is a tuple, in this order."""

    sums: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Bias -> the two weights that only count as their sum: who holds one bias instead calls it so. `step` sees the
    sum."""

    nonlinearity: ClassVar[str] = ""
    """What `torch.nn.RNN` calls it, for what it computes."""

    chain: ClassVar[int] = 1
    """Dependent operations of a step beside the sum of a product: its multiplication, and what surely follows."""

    twin_sizes: ClassVar[tuple[int, ...]] = (1, 16)
    """Hidden sizes, and input sizes, of the twin that makes the same calls with next to nothing to compute: the
    profiler measures it beside the network. The first that an implementation runs is taken."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Bind the layer to weights (by the names of `held`)."""
        self.__dict__.update(weights)

    def weight_shapes(self, input_size: int, hidden_size: int) -> Shapes:
        """The weights of one layer by name, in the order in which they are drawn."""
        raise NotImplementedError

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One step: x (B, I), state -> output (B, H), state; the state is (B, H), or a tuple of such."""
        raise NotImplementedError

    def parts(self) -> Parts:
        """The step in two parts; all of it is the second one where nothing is said of that."""
        return Parts(lambda inputs: inputs, self.step, tuple)

    def products(self, input_size: int, hidden_size: int) -> Products | None:
        """Multiply-adds of a step, each of which reads a weight; None has them counted (`counted_products`)."""
        return None

    def library(self, input_size: int, hidden_size: int, num_layers: int, **how: Any) -> nn.RNNBase | None:
        """The module of torch's that computes the whole sequence, with its weights under these names and the number of
        their layer; `how` are further arguments of its: device, dtype, bidirectional. None where torch has none."""
        return None

    def cell(self, input_size: int, hidden_size: int) -> nn.Module | None:
        """The module of torch's that computes one step, with its weights under these names; None where torch has
        none."""
        return None

    @classmethod
    def shapes(cls, input_size: int, hidden_size: int) -> Shapes:
        """`weight_shapes`, of a network that is bound to nothing."""
        return dict(cls({}).weight_shapes(input_size, hidden_size))

    @classmethod
    def held(cls, input_size: int, hidden_size: int) -> Shapes:
        """The same, with one bias for each two that only count as their sum."""
        found = cls.shapes(input_size, hidden_size)
        summed = {name: (bias, pair) for bias, pair in cls.sums.items() for name in pair}
        return {summed[name][0] if name in summed else name: shape for name, shape in found.items()}

    @classmethod
    def bound(cls, weights: Mapping[str, Tensor]) -> Network:
        """A layer with these weights, by the names of `weight_shapes`; pairs of biases are added up."""
        rest = dict(weights)
        for bias, (one, other) in cls.sums.items():
            rest[bias] = rest.pop(one) + rest.pop(other)
        return cls(rest)

    @classmethod
    def wrong(cls) -> str:
        """Why this class is no network, going on from its name; nothing where it is one."""
        for method in ("weight_shapes", "step"):
            if getattr(cls, method) is getattr(Network, method):
                return f"has no {method}"
        try:
            shapes = cls.shapes(2, 3)
        except Exception as error:  # a user's class may raise anything
            return f"gives no weight_shapes for 2 inputs and 3 hidden units: {type(error).__name__}: {error}"
        for name, shape in shapes.items():
            if not str(name).isidentifier() or hasattr(cls, name):
                return f"calls a weight {name!r}, which is no name, or taken"
            if not (isinstance(shape, tuple) and shape and all(type(size) is int and size > 0 for size in shape)):
                return f"gives the weight {name} the shape {shape!r}; write a tuple of sizes, such as (hidden_size,)"
        return "" if shapes else "has no weights"


def counted_products(network: type[Network], input_size: int, hidden_size: int) -> Products:
    """Multiply-adds of a step that states none, by torch's flop counter, which counts products as two each.

    Those of the forward pass are all there are; those that a backward pass to the state alone makes are as many as
    depend on it. Raises whatever the step raises.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    layer = network.bound({name: torch.zeros(size) for name, size in network.shapes(input_size, hidden_size).items()})
    states = tuple(torch.zeros(1, hidden_size, requires_grad=True) for _ in network.states)
    with torch.enable_grad():
        with FlopCounterMode(display=False) as forward:
            output, last = layer.step(torch.zeros(1, input_size), states if len(states) > 1 else states[0])
        with FlopCounterMode(display=False) as backward:
            sum((state.sum() for state in (last if isinstance(last, tuple) else (last,))), output.sum()).backward()
    every, chained = forward.get_total_flops() // 2, backward.get_total_flops() // 2
    return Products(max(0, every - chained), min(every, chained))

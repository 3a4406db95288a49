"""In another language for arrays: a step in JAX, `lax.scan` over the steps, all of it compiled by XLA.

The step is written once, as in the textbook. XLA sees the loop as a whole, fuses what lies between the products, and
calls nothing a step. Its gradient is JAX's: in training one compiled function runs forward and keeps what backward
needs, another runs backward. What goes in are NumPy's views of tensors, which a compiled function takes at a tenth of
the cost of DLPack; what comes out passes by DLPack. JAX shares the memory of what begins at a multiple of 64 bytes, and
copies other inputs. Matrices lie as JAX's users have them, (I, G H) and (H, G H): with torch's layout XLA's loop takes
three to five times as long.

JAX is told to compute in the calling thread, and not to return before it is done. XLA takes denormal numbers for zeros,
whatever the processor is set to, so that it can't be slowed down by them.

When it helps: small networks in inference, and a cell of one's own that XLA can fuse. When it doesn't: compiling takes
a second for each shape, and there is no oneDNN for large batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from rnn_impls.interface import NetworkShape
from rnn_impls.runtimes.foreign import Foreign, array, arrays
from rnn_impls.states import State, like, tensors

ONE_THREAD = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "NPROC": "1"}
"""What has XLA keep to one thread; it reads both once, when it starts."""

Run = Callable[..., Any]


class Jax(Foreign):
    """a step written in JAX, `lax.scan` over the steps (needs `jax`)"""

    requires: ClassVar[dict[str, str]] = {"jax": "0.4.31"}
    extra: ClassVar[str] = "jax"
    needs: ClassVar[tuple[str, ...]] = ("jax",)
    trains: ClassVar[bool] = True

    def __init__(self, shape: NetworkShape) -> None:
        for name, value in {"JAX_PLATFORMS": "cpu", **(ONE_THREAD if torch.get_num_threads() == 1 else {})}.items():
            os.environ.setdefault(name, value)
        super().__init__(shape)
        self.packages["jax"].config.update("jax_cpu_enable_async_dispatch", False)  # before it has a device
        own = [parameter for layer in self._own for parameter in layer]
        head = list(self.head.parameters()) if self.head is not None else []
        self.loaded = own + head
        self.turned = [parameter.dim() == 2 for parameter in own] + [False] * len(head)
        for parameter, turned in zip(self.loaded, self.turned, strict=True):
            if turned:
                parameter.data = parameter.data.t().contiguous().t()  # (G H, I) for torch, (I, G H) in memory

    def compile(self, inputs: Tensor, hidden: State) -> None:
        """Compile the forward pass, in training with what backward needs, and the backward pass."""
        jax = self.packages["jax"]
        run = network(jax, self.shape)
        self._held = jax.device_put(tuple(map(array, self.turn(self.loaded))))
        self._forward = jax.jit(run)
        self.with_pull_back: Run = jax.jit(partial(_with_pull_back, jax, run), static_argnums=0)
        self.pull_back: Run = jax.jit(lambda pull, of_results: pull(of_results))
        if self.training:  # both functions are compiled at their first call
            with torch.enable_grad():
                outputs, _ = self(inputs, hidden)
                outputs.sum().backward()
            self.zero_grad(set_to_none=True)

    def turn(self, parameters: Iterable[Tensor]) -> list[Tensor]:
        """The parameters, or their gradients, as JAX has them; or those as torch has them."""
        pairs = zip(parameters, self.turned, strict=True)
        return [each.detach().t() if turned else each.detach() for each, turned in pairs]

    def forward(self, inputs: Tensor, hidden: State) -> tuple[Tensor, State]:
        """One call of the compiled function."""
        if torch.is_grad_enabled() and self.training:
            outputs, *last = Call.apply(self, inputs, *tensors(hidden), *self.loaded)
            return outputs, like(hidden, last)
        found = self._forward(array(inputs), tuple(arrays(hidden)), self._held)
        outputs, last = self.packages["jax"].block_until_ready(found)
        return _taken(outputs), like(hidden, [*map(_taken, last)])


class Call(torch.autograd.Function):
    """A call as one node of autograd's graph."""

    @staticmethod
    def forward(ctx: Any, own: Jax, inputs: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Inputs (T, B, I), states, and the parameters -> outputs (T, B, O or H) and states."""
        count = len(own.shape.network.states)
        every = any(ctx.needs_input_grad[1 : 2 + count])
        states, parameters = tuple(map(array, rest[:count])), tuple(map(array, own.turn(rest[count:])))
        called = own.with_pull_back(every, array(inputs), states, parameters)
        (outputs, last), ctx.pull = own.packages["jax"].block_until_ready(called)
        ctx.own, ctx.others = own, 1 + count
        return _taken(outputs), *map(_taken, last)

    @staticmethod
    def backward(ctx: Any, *of_results: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the results -> those of inputs, states and parameters."""
        own = ctx.own
        of_outputs, *of_last = map(array, of_results)
        found = own.packages["jax"].block_until_ready(own.pull_back(ctx.pull, (of_outputs, tuple(of_last))))
        *others, of_parameters = found
        of_others = map(_taken, (others[0], *others[1])) if others else [None] * ctx.others
        return None, *of_others, *own.turn(map(_taken, of_parameters))


def _taken(array: Any) -> Tensor:
    """An array of JAX's as a tensor in the same memory."""
    return torch.utils.dlpack.from_dlpack(array.__dlpack__())


def _with_pull_back(jax: Any, run: Run, every: bool, inputs: Any, hidden: Any, parameters: Any) -> Any:
    """The results, and what takes their gradients to those of the parameters; with `every`, of all that is given."""
    if every:
        return jax.vjp(run, inputs, hidden, parameters)
    return jax.vjp(lambda own: run(inputs, hidden, own), parameters)


def network(jax: Any, shape: NetworkShape) -> Run:
    """The whole network as a function of inputs (T, B, I), states (each (L D, B, H)) and the parameters of all layers,
    then of the head, matrices of layers as (I, G H) and (H, G H) -> outputs and states."""
    step, per_layer = STEPS[shape.network.name], len(shape.network.held(shape.input_size, shape.hidden_size))

    def run(inputs: Any, hidden: tuple[Any, ...], parameters: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
        last: list[tuple[Any, ...]] = []
        below, ways = inputs, shape.directions
        for layer in range(shape.num_layers):
            sides = []
            for way in range(ways):
                number = layer * ways + way
                own = parameters[number * per_layer : (number + 1) * per_layer]
                ahead = below @ own[0] + own[2]  # all input products at once: (T, B, G H)

                def body(state: Any, x: Any, own: Any = own) -> tuple[Any, Any]:
                    state = step(jax, x, state, own)
                    return state, state[0]

                first = tuple(each[number] for each in hidden)
                state, outputs = jax.lax.scan(body, first, ahead, reverse=way == 1)
                sides.append(outputs)
                last.append(state)
            below = sides[0] if ways == 1 else jax.numpy.concatenate(sides, -1)
        if shape.output_size:
            weight, bias = parameters[-2:]
            below = jax.nn.log_softmax(below @ weight.T + bias, axis=-1)
        return below, tuple(jax.numpy.stack(each) for each in zip(*last, strict=True))

    return run


def _elman(squash: Callable[[Any, Any], Any]) -> Run:
    def step(jax: Any, x: Any, state: Any, own: Any) -> Any:
        return (squash(jax, x + state[0] @ own[1]),)

    return step


def _gru(jax: Any, x: Any, state: Any, own: Any) -> Any:
    xr, xz, xn = jax.numpy.split(x, 3, -1)
    hr, hz, hn = jax.numpy.split(state[0] @ own[1] + own[3], 3, -1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    n = jax.numpy.tanh(xn + r * hn)
    return ((1 - z) * n + z * state[0],)


def _lstm(jax: Any, x: Any, state: Any, own: Any) -> Any:
    hidden, cell = state
    i, f, g, o = jax.numpy.split(x + hidden @ own[1], 4, -1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    return jax.nn.sigmoid(o) * jax.numpy.tanh(cell), cell


STEPS: dict[str, Run] = {
    "rnn-tanh": _elman(lambda jax, sums: jax.numpy.tanh(sums)),
    "rnn-relu": _elman(lambda jax, sums: jax.nn.relu(sums)),
    "gru": _gru,
    "lstm": _lstm,
}
"""A step of one layer: what came of the input (B, G H), the states, the parameters -> the states."""

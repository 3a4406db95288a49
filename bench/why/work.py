"""What a Case asks of any implementation: operations and bytes, counted from its sizes alone.

Shapes: T steps, B sequences, I inputs, H hidden units, L layers, O outputs. A multiply-add is two operations, as
everywhere (LINPACK counts so). Only products are counted; the nonlinearity and the sums beside them are a hundredth of
it from hidden 64 on, and a floor may leave out what it likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases.case import TRAINING, Case
from rnn_impls import networks
from rnn_impls.networks import Products

ITEM_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}


class NoFloor(Exception):
    """There is no floor for a Case: the text says which limit is missing."""


Counted = Sequence[Sequence[int]] | None
"""Products of each layer and direction, (free, chained), that were counted when a Case was measured; None where they
are stated."""


@dataclass(frozen=True)
class Work:
    """Operations and bytes of one call.

    `free` operations belong to no step: the input products of all steps, and in training the products that give the
    weights' gradients, can be made at once. `chained` operations belong to `links`, each of which needs the one before:
    T steps forward, and in training T - 1 backward, since the gradient ends at the first step: nobody asks for that of
    the initial state. `weights` are the bytes of one layer's W_hh, which every link of every layer reads; `once` the
    bytes that a call must read or write at least once: inputs, outputs, W_ih, and in training the gradients of the
    weights.
    """

    free: float
    chained: float
    links: int
    layers: int
    weights: int
    once: int

    @property
    def operations(self) -> float:
        """All of them."""
        return self.free + self.chained


def layers_of(case: Case, counted: Counted = None) -> list[Products]:
    """Products of a step of each layer for one sequence: as the network states them, or those that were counted when
    the Case was measured, for one that states none. Raises NoFloor where neither is there."""
    if counted:
        return [Products(*each) for each in counted]
    if networks.is_own(case.network):
        raise NoFloor(f"the operations of {case.network} were not counted")
    network = networks.load(case.network)({})
    ways = 2 if case.bidirectional else 1  # each direction is a layer: the two run side by side
    widths = [case.input_size] * ways + [ways * case.hidden_size] * ways * (case.num_layers - 1)
    found = [network.products(width, case.hidden_size) for width in widths]
    return [each for each in found if each is not None]


def work(case: Case, weights_dtype: str = "", counted: Counted = None, useful_steps: int | None = None) -> Work:
    """Count the operations and bytes of one call of a Case, for weights of its own dtype or of another; of a ragged
    batch those of its `useful_steps`, all sequences' together: a step is then made for as many as still go on, B of
    what follows being their mean.

    Forward, for each layer and step, two operations for each of its products and sequence. Backward: the gradient
    passed to the step before, as much as the chained products, where there is one; to the layer below, as much as the
    free ones, but none to the inputs and the initial state, which nobody asks for; the gradients of the weights, as
    much as the products of each. The head: 2 B H O forward, twice that backward for each step that the loss counts.
    Raises NoFloor.
    """
    steps, layers = case.seq_len, layers_of(case, counted)
    batch = case.batch_size if useful_steps is None else useful_steps / steps
    hidden = case.hidden_size * (2 if case.bidirectional else 1)  # of the last layer's outputs
    item = ITEM_BYTES[case.dtype]
    rounded = ITEM_BYTES[weights_dtype or case.dtype]
    recurrent = 2.0 * batch * sum(layer.chained for layer in layers)
    inputs = 2.0 * batch * sum(layer.free for layer in layers)
    head = 2.0 * batch * hidden * case.output_size
    weights = sum(layer.free for layer in layers) + hidden * case.output_size
    states = steps * batch * (case.input_size + (case.output_size or hidden))
    recurrent_bytes, once = layers[-1].chained * rounded, int(states * item) + weights * rounded
    if case.mode != TRAINING:
        return Work(steps * (inputs + head), steps * recurrent, steps, len(layers), recurrent_bytes, once)
    below = 2.0 * batch * sum(layer.free for layer in layers[2 if case.bidirectional else 1 :])
    backward = steps * (inputs + recurrent + below) + 2 * head * (steps if case.loss == "all" else 1)
    links = 2 * steps - 1
    gradients = (weights + sum(layer.chained for layer in layers)) * item
    return Work(
        steps * (inputs + head) + backward, links * recurrent, links, len(layers), recurrent_bytes, once + gradients
    )

"""What a Case asks of any implementation: operations and bytes, counted from its sizes alone.

Shapes: T steps, B sequences, I inputs, H hidden units, L layers, O outputs. A multiply-add is two operations, as
everywhere (LINPACK counts so). Only products are counted; the nonlinearity and the sums beside them are a hundredth of
it from hidden 64 on, and a floor may leave out what it likes.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.cases import Case

ITEM_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}


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


def work(case: Case, weights_dtype: str = "") -> Work:
    """Count the operations and bytes of one call of a Case, for weights of its own dtype or of another.

    Forward, for each layer and step: W_ih x of 2 B I H operations, W_hh h of 2 B H H. Backward: the gradient passed
    to the step before, 2 B H H, where there is one, and to the layer below, 2 B H H, but none to the inputs and the
    initial state, which nobody asks for; the gradients of W_ih and W_hh, as much as their products. The head: 2 B H O
    forward, twice that backward.
    """
    steps, batch, hidden, layers = case.seq_len, case.batch_size, case.hidden_size, case.num_layers
    item = ITEM_BYTES[case.dtype]
    rounded = ITEM_BYTES[weights_dtype or case.dtype]
    recurrent = 2.0 * batch * hidden * hidden
    inputs = 2.0 * batch * hidden * (case.input_size + (layers - 1) * hidden)
    head = 2.0 * batch * hidden * case.output_size
    weights = hidden * (case.input_size + (layers - 1) * hidden) + hidden * case.output_size
    states = steps * batch * (case.input_size + (case.output_size or hidden))
    recurrent_bytes, once = hidden * hidden * rounded, states * item + weights * rounded
    if case.mode == "inference":
        free, chained = steps * (inputs + head), steps * layers * recurrent
        return Work(free, chained, steps, layers, recurrent_bytes, once)
    below = 2.0 * batch * hidden * hidden * (layers - 1)
    backward = inputs + layers * recurrent + below + 2 * head
    links = 2 * steps - 1
    free, chained = steps * (inputs + head + backward), links * layers * recurrent
    gradients = (weights + layers * hidden * hidden) * item
    return Work(free, chained, links, layers, recurrent_bytes, once + gradients)

"""The network as an ONNX model, with its weights in it: one RNN, GRU or LSTM node a layer.

ONNX has the gates of a GRU in the order z, r, h and those of an LSTM in i, o, f, c, where torch has r, z, n and i, f,
g, o. torch's GRU applies the reset gate after the product, `linear_before_reset`. Source: the operators RNN, GRU and
LSTM of github.com/onnx/onnx, docs/Operators.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from rnn_impls.interface import NetworkShape
from rnn_impls.runtimes.foreign import Array

OPSET, IR_VERSION = 17, 8
"""Old enough for every runtime of these years; the three operators have not changed since opset 14."""

ORDER = {"gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Where each of ONNX's gates lies among torch's."""


def model_bytes(
    onnx: ModuleType,
    shape: NetworkShape,
    layers: Sequence[Sequence[Array]],
    head: Sequence[Array],
    sizes: tuple[int, int],
) -> bytes:
    """The model for sequences of `sizes` (T, B): inputs, hidden and for an LSTM cell -> outputs and the same.

    `layers` are W_ih, W_hh, b_ih and b_hh of each layer and direction, `head` W_ho and b_ho, or nothing.
    """
    return bytes(_Model(onnx, shape).built(layers, head, sizes).SerializeToString())


class _Model:
    def __init__(self, onnx: ModuleType, shape: NetworkShape) -> None:
        self.onnx, self.shape = onnx, shape
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def built(self, layers: Sequence[Sequence[Array]], head: Sequence[Array], sizes: tuple[int, int]) -> Any:
        helper, shape, (steps, batch) = self.onnx.helper, self.shape, sizes
        ways, states = shape.directions, ("hidden", "cell")[: len(shape.network.states)]
        given = {state: self._split(state, shape.num_layers) for state in states}
        below, last = "inputs", {state: list[str]() for state in states}
        for layer in range(shape.num_layers):
            mine = layers[layer * ways : (layer + 1) * ways]
            weights = [self._constant(f"{name}{layer}", value) for name, value in self._packed(mine).items()]
            ends = {state: f"{state}_out{layer}" for state in states}
            firsts = [given[state][layer] for state in states]
            self._node(self._kind(), [below, *weights, "", *firsts], [f"y{layer}", *ends.values()], **self._how())
            for state, name in ends.items():
                last[state].append(name)
            below = self._side_by_side(f"y{layer}", layer)
        if head:
            below = self._head(below, head)
        self._node("Identity", [below], ["outputs"])
        for state, names in last.items():
            self._node("Concat", names, [f"{state}_last"], axis=0)
        size = [shape.num_layers * ways, batch, shape.hidden_size]
        width = shape.output_size or shape.features
        value = helper.make_tensor_value_info
        kind = self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            shape.network.name,
            [value("inputs", kind, [steps, batch, shape.input_size]), *(value(state, kind, size) for state in states)],
            [
                value("outputs", kind, [steps, batch, width]),
                *(value(f"{state}_last", kind, size) for state in states),
            ],
            initializer=self.constants,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        made.ir_version = IR_VERSION
        return made

    def _kind(self) -> str:
        return {"gru": "GRU", "lstm": "LSTM"}.get(self.shape.network.name, "RNN")

    def _how(self) -> dict[str, Any]:
        ways = self.shape.directions
        found: dict[str, Any] = {"hidden_size": self.shape.hidden_size}
        found["direction"] = "bidirectional" if ways == 2 else "forward"
        if kind := self.shape.network.nonlinearity:
            found["activations"] = [kind.capitalize()] * ways
        return found | ({"linear_before_reset": 1} if self._kind() == "GRU" else {})

    def _packed(self, layer: Sequence[Sequence[Array]]) -> dict[str, Array]:
        """W (D, G H, I), R (D, G H, H) and B (D, 2 G H) of a layer in D directions."""
        rows = [[self._in_order(each) for each in own] for own in layer]
        return {
            "W": np.stack([own[0] for own in rows]),
            "R": np.stack([own[1] for own in rows]),
            "B": np.stack([np.concatenate(own[2:]) for own in rows]),
        }

    def _in_order(self, value: Array) -> Array:
        """The gates' blocks of rows in ONNX's order."""
        order = ORDER.get(self.shape.network.name)
        blocks = np.split(value, len(self.shape.network.gates))
        return value if order is None else np.concatenate([blocks[k] for k in order])

    def _split(self, state: str, count: int) -> list[str]:
        """The states of each layer, of (L D, B, H)."""
        if count == 1:
            return [state]
        names = [f"{state}{layer}" for layer in range(count)]
        sizes = self._constant(f"{state}_sizes", np.full(count, self.shape.directions, np.int64))
        self._node("Split", [state, sizes], names, axis=0)
        return names

    def _side_by_side(self, output: str, layer: int) -> str:
        """(T, D, B, H) -> (T, B, D H)."""
        flat = f"flat{layer}"
        if self.shape.directions == 1:
            self._node("Squeeze", [output, self._constant(f"axis{layer}", np.array([1], np.int64))], [flat])
            return flat
        self._node("Transpose", [output], [f"turned{layer}"], perm=[0, 2, 1, 3])
        target = self._constant(f"shape{layer}", np.array([0, 0, -1], np.int64))
        self._node("Reshape", [f"turned{layer}", target], [flat])
        return flat

    def _head(self, below: str, head: Sequence[Array]) -> str:
        weight, bias = self._constant("W_ho", np.ascontiguousarray(head[0].T)), self._constant("b_ho", head[1])
        self._node("MatMul", [below, weight], ["products"])
        self._node("Add", ["products", bias], ["sums"])
        self._node("LogSoftmax", ["sums"], ["log_probabilities"], axis=-1)
        return "log_probabilities"

    def _constant(self, name: str, value: Any) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(value, name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], **how: Any) -> None:
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), list(outputs), **how))

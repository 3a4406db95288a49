"""An implementation in the stead of an `nn.RNN`, `nn.GRU` or `nn.LSTM`, in code of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import RNNBase

    from rnn_impls.interface import Implementation


def build(name: str, rnn: RNNBase) -> Implementation:
    """An implementation by its name, with the weights, dtype and device of an `nn.RNN`, `nn.GRU` or `nn.LSTM`, for its
    place:

        fast = build("hoisted", rnn)
        outputs, hidden = fast(inputs, hidden)      # (T, B, I), (L, B, H) -> (T, B, H), (L, B, H)

    The initial state has to be given, for an `nn.LSTM` as (h, c). The weights are copied: train either
    of the two, not both. Those that compile or capture (`compiled-step`, `cuda-graph`, ...) want
    `fast.prepare(inputs, hidden)` once before, at the sizes to come.

    Raises ValueError for a name that there is not and for an `nn.RNN` that is set to what no implementation here does,
    `rnn_impls.interface.Unavailable` for one that does not run this network or device.
    """
    from rnn_impls import registry
    from rnn_impls.interface import NetworkShape, Unavailable

    usual = {"batch_first": False, "bias": True, "dropout": 0.0, "proj_size": 0}
    if unusual := [f"{field}={getattr(rnn, field)}" for field, value in usual.items() if getattr(rnn, field) != value]:
        raise ValueError(f"implementations here are made for an nn.{type(rnn).__name__} without {', '.join(unusual)}")
    weights = {key: parameter.detach() for key, parameter in rnn.named_parameters()}
    place = weights["weight_hh_l0"]
    (name, *others) = registry.select(name, place.device.type)
    if others:
        raise ValueError(f"name one implementation, such as {name}")
    found = registry.load(name)
    if found.devices and place.device.type not in found.devices:
        raise Unavailable(f"{name} runs on {', '.join(found.devices)}, and these weights are on {place.device.type}")
    network = {"RNN_TANH": "rnn-tanh", "RNN_RELU": "rnn-relu", "GRU": "gru", "LSTM": "lstm"}[rnn.mode]
    if found.networks and network not in found.networks:
        raise Unavailable(f"{name} computes only {', '.join(found.networks)}")
    shape = NetworkShape(
        rnn.input_size, rnn.hidden_size, rnn.num_layers, network=network, bidirectional=rnn.bidirectional
    )
    built = found(shape).to(device=place.device, dtype=place.dtype)
    built.load(weights)
    return built

"""What is computed: one file, one network. The names of the networks, and the door for one's own.

    network.py    what a network has to say of itself, and what follows from that
    elman.py      `rnn-tanh` and `rnn-relu`
    gru.py        `gru`
    lstm.py       `lstm`
    template.py   what `python -m bench new --network` writes: a leaky integrator

To add a network, write its file and put its name into `BUILTIN`. One of your own is named by its file and class,
`my_cell.py:Leaky`. Neither this package nor `load` imports torch.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from rnn_impls.importing import import_file, in_a_line
from rnn_impls.networks.network import Network, Products

__all__ = ["ALIASES", "BUILTIN", "DEFAULT", "MODULES", "Network", "Products", "find", "is_own", "load", "spelled"]

BUILTIN = {
    "rnn-tanh": "rnn_impls.networks.elman:Tanh",
    "rnn-relu": "rnn_impls.networks.elman:Relu",
    "gru": "rnn_impls.networks.gru:Gru",
    "lstm": "rnn_impls.networks.lstm:Lstm",
}
"""Name -> module:class, in the order in which reports list them."""

DEFAULT = "rnn-tanh"

MODULES = {"rnn-tanh": "RNN", "rnn-relu": "RNN", "gru": "GRU", "lstm": "LSTM"}
"""What torch.nn calls the module that computes a network; its cell is called `RNNCell`, and so on."""

ALIASES = {"tanh": "rnn-tanh", "relu": "rnn-relu"}
"""What `--nonlinearity`, `shape.nonlinearity` and the ids of cases call networks that are told apart by it alone."""


def spelled(name: str) -> str:
    """The one name of a network. Raises ValueError, listing the known ones, for what can be none."""
    name = ALIASES.get(name, name)
    if name not in BUILTIN and not is_own(name):
        known = f"{', '.join(BUILTIN)}, and path/to/file.py:Name for your own"
        raise ValueError(f"unknown network {name!r}; known are {known}")
    return name


def find(name: str) -> str:
    """The one name of a network, without importing it. Raises ValueError for one that there is not, and for a file that
    there is not."""
    name = spelled(name)
    if is_own(name) and not Path(path := name.rpartition(":")[0]).is_file():
        raise ValueError(f"--network {name}: there is no file {path}")
    return name


def is_own(name: str) -> bool:
    """Whether a name is of the form `path/to/file.py:Name`."""
    path, _, attribute = name.rpartition(":")
    return path.endswith(".py") and attribute.isidentifier()


def load(name: str) -> type[Network]:
    """The class behind a name; its `name` is set to it.

    Raises ValueError with a readable reason when the file is not there or does not import, has no such class, or the
    class is no network.
    """
    module_name, _, attribute = BUILTIN.get(spelled(name), name).rpartition(":")
    if spelled(name) in BUILTIN:
        found = getattr(importlib.import_module(module_name), attribute)
    else:
        found = _own(Path(module_name), attribute)
    found.name = spelled(name)
    network: type[Network] = found
    return network


def _own(path: Path, attribute: str) -> type[Network]:
    """A class of a file. Raises ValueError."""
    find(f"{path}:{attribute}")
    try:
        module = import_file(path)
    except (Exception, SystemExit) as error:  # a user's file may raise anything while it is imported
        raise ValueError(f"{path} does not import: {in_a_line(error)}") from error
    found = getattr(module, attribute, None)
    if not (isinstance(found, type) and issubclass(found, Network)):
        lacks = "no class" if found is None else "no rnn_impls.networks.Network called"
        raise ValueError(f"{path} has {lacks} {attribute}")
    if wrong := found.wrong():
        raise ValueError(f"{attribute} in {path} {wrong}")
    return found

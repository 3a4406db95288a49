"""Every implementation against the float64 reference on a device, small sizes first; a line of JSON for each.

A cell that hangs ends with the step, so its name is in the step's words before it begins.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.cases.case import Case
from bench.host.machine import fix_numerics
from bench.measure.parity import ParityError, check
from bench.measure.reference import Reference
from rnn_impls import registry
from rnn_impls.interface import Unavailable

DTYPES = ("float32", "bfloat16", "float16")
SIZES = {"small": ((64, 1, 8), (64, 3, 8)), "large": ((512, 1, 64), (512, 16, 64), (1024, 1, 64), (1024, 16, 64))}
"""Hidden size, batch and steps."""

OWN = ("persistent-triton", "persistent-triton-tf32x3", "cluster-cuda", "cuda-graph", "cuda-graph-step")
"""Looked at first: what has never run on a GPU."""

SLOW = ("compiled-step", "compiled-chunk", "scan", "scripted")
"""Left to the tests: each takes a compiler seconds."""


def cases(device: str, sizes: str, networks: Sequence[str], dtypes: Sequence[str]) -> Iterator[Case]:
    """By size, then network, dtype and mode."""
    for (hidden, batch, steps), network, dtype, mode in itertools.product(
        SIZES[sizes], networks, dtypes, ("inference", "training")
    ):
        yield Case(device, dtype, mode, network, hidden, hidden, 2, False, batch, steps)


def verdict(reference: Reference, name: str) -> str:
    """`equal`, or what was wrong, in a line."""
    try:
        worst = check(reference, registry.load(name))
    except Unavailable as error:
        return f"unavailable: {error}"
    except ParityError as error:
        return f"differs: {error}"
    except Exception as error:  # whatever one of them raises, the others have their turn
        return f"failed: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return f"equal: {worst:.1e}"


def main() -> None:
    """All cells; each is written as it is found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", choices=SIZES, required=True)
    asked = parser.parse_args()
    fix_numerics()
    dry = asked.device == "cpu"
    names = [name for name in registry.ordered(registry.BUILTIN) if name not in (*OWN, *SLOW, *registry.BESIDE_TORCH)]
    names = names[:3] if dry else names
    networks = ("rnn-tanh",) if dry else ("rnn-tanh", "rnn-relu", "gru", "lstm")
    for case in cases(asked.device, "small" if dry else asked.sizes, networks, DTYPES[:1] if dry else DTYPES):
        reference = Reference.of(case)
        for name in (*OWN, *names):
            print(case.id, name, flush=True)
            begun = time.perf_counter()
            row = {"case": case.id, "implementation": name, "verdict": verdict(reference, name)}
            row["seconds"] = f"{time.perf_counter() - begun:.2f}"
            with (asked.out / f"parity-{asked.sizes}.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()

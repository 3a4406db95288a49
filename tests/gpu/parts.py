"""What is run on a GPU, part by part; each step's limit is what it may take, not what it is expected to."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.cases.axes import AXES
from tests.gpu.bounded import Step

PARTS = {
    1: "what there is, parity, and the tests that need a GPU",
    2: "variants of the kernels",
    3: "limits",
    4: "the preset quick, explained",
    5: "presets of others, in every precision",
    6: "a gate and repeats",
}

ON_CUDA = "default,cuda-graph,cuda-graph-step,persistent-triton,persistent-triton-tf32x3,cluster-cuda"
CONTENDERS = "whole,stacked-grad,cuda-graph,cuda-graph-step,persistent-triton,persistent-triton-tf32x3,cluster-cuda"
PRESETS = {
    "contenders": CONTENDERS,
    "cudnn-cliffs": "whole",
    "fastrnns": "whole,cuda-graph",
    "deepbench-train": "whole",
}

TESTS = Path(__file__).parent.parent

GROUPS = ("whole", "exchange", "persistent", "cluster")
"""Of variants, each a step, so that one that fails leaves the others."""


def steps(part: int, out: Path, dry: bool) -> list[Step]:
    """Those of a part, whose results go to the folder `out`."""
    return {1: _first, 2: _variants, 3: _limits, 4: _quick, 5: _others, 6: _gate}[part](out, dry)


def _own(name: str, seconds: float, module: str, out: Path, dry: bool, *more: str) -> Step:
    device = "cpu" if dry else "cuda"
    command = (sys.executable, "-m", f"tests.gpu.{module}", "--device", device, "--out", str(out), *more)
    return Step(name, command, seconds)


def _bench(name: str, seconds: float, out: Path, dry: bool, *arguments: str) -> Step:
    """A command of the suite; a dry one is looked through alone."""
    reports = () if arguments[0] == "limits" else ("--reports", str(out / "reports"))
    return Step(name, (sys.executable, "-m", "tests.gpu.parsing" if dry else "bench", *arguments, *reports), seconds)


def _first(out: Path, dry: bool) -> list[Step]:
    """Parity goes before the tests, of which most are of the same in more sizes."""
    files = [str(path) for path in sorted(TESTS.rglob("test_*.py")) if "mark.cuda" in path.read_text("utf-8")]
    tests = [*files, "-m", "cuda", "-q", "-p", "no:cacheprovider", "--maxfail=40"]
    by_parity = ["--deselect", "tests/test_cuda_impls.py::test_parity_on_a_gpu["]
    collect = ["--collect-only"] if dry else []
    return [
        _own("versions", 60, "versions", out, dry),
        _own("parity-small", 150, "parity", out, dry, "--sizes", "small"),
        Step("tests", (sys.executable, "-m", "pytest", *tests, *by_parity, *collect), 150),
        _own("parity-large", 200, "parity", out, dry, "--sizes", "large"),
    ]


def _variants(out: Path, dry: bool) -> list[Step]:
    return [_own(f"variants-{group}", 120, "variants", out, dry, "--group", group) for group in GROUPS]


def _limits(out: Path, dry: bool) -> list[Step]:
    """The data sheet of an H200: 4.8 TB/s, 67 TFLOP/s in float32."""
    return [_bench("limits", 180, out, dry, "limits", "--again")]


def _quick(out: Path, dry: bool) -> list[Step]:
    asked = ("--preset", "quick", "--device", "cpu,cuda", "--impl", ON_CUDA, "--passes", "3", "--budget", "300s")
    return [_bench("quick", 560, out, dry, "run", *asked)]


def _others(out: Path, dry: bool) -> list[Step]:
    """Preset by preset, float32 first; TF32 is an axis where this tree has it."""
    tf32 = [("float32", ("--tf32",))] if "tf32" in AXES else []
    kinds = [("float32", ()), *tf32, ("bfloat16", ()), ("float16", ())]
    found = []
    for preset, names in PRESETS.items():
        for dtype, more in kinds:
            name = "-".join((preset, dtype, *("tf32" for _ in more)))
            asked = ("--preset", preset, "--device", "cuda", "--impl", names, "--baseline", "whole", "--dtype", dtype)
            spent = ("--passes", "2", "--budget", "60s", "--no-explain")
            found.append(_bench(name, 130, out, dry, "run", *asked, *spent, *more))
    return found


def _gate(out: Path, dry: bool) -> list[Step]:
    return [
        _own("gate-unchanged", 150, "gating", out, dry, "--planted", "0"),
        _own("gate-slowed", 150, "gating", out, dry, "--planted", "0.05"),
        _own("repeats", 250, "gating", out, dry, "--repeats", "2" if dry else "3"),
    ]

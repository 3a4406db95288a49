"""What there is: one JSON object, in `versions.json` and to be read in the words of the step."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "triton", "numpy", "pandas", "pytest", "pytest-benchmark", "psutil", "typer", "rich", "ninja")
ASKED = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit,compute_mode,mig.mode.current"


def found(device: str) -> dict[str, Any]:
    """By name; what is missing is None."""
    told: dict[str, Any] = {"python": platform.python_version(), "cuda of torch": torch.version.cuda}
    for name in PACKAGES:
        try:
            told[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            told[name] = None
    told |= {name: shutil.which(name) for name in ("nvcc", "ninja", "c++", "cc", "git")}
    if device == "cuda":
        told["cudnn"] = torch.backends.cudnn.version()
        told["device"] = str(torch.cuda.get_device_properties(0))
        told["nvidia-smi"] = _by_the_driver()
    return told


def _by_the_driver() -> str:
    """What nvidia-smi says of the GPU, or why it says nothing."""
    command = ["nvidia-smi", f"--query-gpu={ASKED}", "--format=csv"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)


def main() -> None:
    """Write and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    text = json.dumps(found(asked.device), indent=1)
    (asked.out / "versions.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()

"""`python3 -m tests.gpu 1 2 --out FOLDER`: run these parts, and say in a line what became of each step."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tests.gpu import bounded, parts

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 if every step was done, 1 if not, 2 for what can't be meant."""
    told = "; ".join(f"{number}: {what}" for number, what in parts.PARTS.items())
    parser = argparse.ArgumentParser(prog="python3 -m tests.gpu", description=__doc__)
    parser.add_argument("parts", nargs="*", type=int, help=f"which of them; default: all. {told}")
    parser.add_argument("--only", default="", help="of them, steps whose names have this in them")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or "reports/gpu"), help="for results")
    parser.add_argument("--seconds", type=float, default=570.0, help="for all of it; what is left then is left out")
    parser.add_argument("--dry", action="store_true", help="on the CPU, in sizes that mean nothing")
    asked = parser.parse_args(arguments)
    if unknown := [number for number in asked.parts if number not in parts.PARTS]:
        parser.error(f"there is no part {unknown[0]}, only 1 to {len(parts.PARTS)}")
    out = asked.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the step that runs is killed on the way out
    end, failed = time.monotonic() + asked.seconds, 0
    variables = {"TRITON_INTERPRET": "1"} if asked.dry else {}
    for number in asked.parts or parts.PARTS:
        for step in parts.steps(number, out, asked.dry):
            if asked.only not in step.name:
                continue
            became = bounded.run(step, out, end - time.monotonic(), ROOT, variables)
            failed += became != "done"
            print(f"part {number}, {step.name}: {became}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

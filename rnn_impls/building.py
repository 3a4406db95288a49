"""C++ that is built at its first use on a machine, and kept.

A source includes nothing of torch's, so that building takes seconds instead of half a minute, and is called by its
functions' addresses (`ctypes`). torch's own loader of extensions builds it and keeps the result.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnn_impls.interface import Unavailable
from rnn_impls.sources import with_headers

FLAGS = ("-O3", "-fopenmp", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
NATIVE = ("-march=native",)
"""Vectors as wide as the machine's."""


def built(source: Path, flags: tuple[str, ...] = NATIVE) -> tuple[Path, float]:
    """The library made of a source with these flags beside FLAGS, and the seconds that building it took, whenever that
    was. Raises Unavailable where there is no compiler, or it fails."""
    from torch.utils import cpp_extension

    compiler = os.environ.get("CXX", "c++")
    if shutil.which(compiler) is None:
        raise Unavailable(f"there is no C++ compiler ({compiler})")
    if shutil.which("ninja") is None:
        beside = Path(sys.executable).parent  # where pip puts it, which need not be on the path
        if not (beside / "ninja").exists():
            raise Unavailable("torch's loader of extensions needs ninja, which is not installed (pip install ninja)")
        os.environ["PATH"] = os.pathsep.join(filter(None, (str(beside), os.environ.get("PATH"))))
    name = f"rnn_bench_{source.stem}_{_key(source, compiler, flags)}"
    folder = Path(cpp_extension._get_build_directory(name, False))
    start = time.perf_counter()
    try:
        with _alone(folder):
            told = cpp_extension.load(
                name,
                [str(source)],
                extra_cflags=[*FLAGS, *flags],
                extra_ldflags=["-fopenmp"],
                is_python_module=False,
            )
    except (RuntimeError, OSError, ImportError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise Unavailable(f"{source.name} can't be built: {reason}") from error
    # earlier versions of torch load it and don't say from where
    path = Path(told) if isinstance(told, str) else folder / f"{name}{cpp_extension.LIB_EXT}"
    noted = path.with_suffix(".seconds")
    if not noted.exists() or noted.stat().st_mtime < path.stat().st_mtime:  # it was built just now
        noted.write_text(f"{time.perf_counter() - start:.3f}")
    return path, float(noted.read_text())


def _key(source: Path, compiler: str, flags: tuple[str, ...]) -> str:
    """Of the folder that it is built in: trees with other sources, headers, flags or compilers never share a binary,
    nor do machines with other CPUs that share a home folder."""
    told = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout
    texts = [path.read_text(encoding="utf-8") for path in with_headers(source)]
    parts = [*texts, *FLAGS, *flags, compiler, told, _cpu()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _cpu() -> str:
    """What `-march=native` goes by: the instructions that this CPU has, where the system tells them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else builds there meanwhile. The system lets go of this lock with the process that has it; torch's own, a
    file, stays behind a builder that was killed, and the next would wait for it for ever, so what is there is stale."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "building").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / "lock").unlink(missing_ok=True)
        yield

"""What machine and software this was: the facts on which two runs can be compared, or not.

Everything that drifts by itself, such as a clock frequency or free memory, is left out, so that equal machines give
equal descriptions. `describe` needs torch; it runs in the process that measures.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """A flat table of facts; sizes in bytes, None where there is nothing to tell."""
    return _host() | _torch() | _gpu()


def devices() -> list[str]:
    """The device types present, the CPU first."""
    import torch

    found = ["cpu"]
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def require(wanted: Iterable[str]) -> list[str]:
    """The device types present. Raises ValueError when one that is wanted is not among them."""
    present = devices()
    if missing := [device for device in wanted if device not in present]:
        raise ValueError(f"no {', '.join(missing)} here; this machine has {', '.join(present)}")
    return present


def pin(threads: int) -> list[int]:
    """Set torch's thread count and bind this thread to as many cores; return the cores, none where it can't be done.

    The last cores of those allowed are taken: the first tend to serve interrupts.
    """
    import torch

    torch.set_num_threads(threads)
    if not hasattr(os, "sched_setaffinity"):  # macOS and Windows
        return []
    cores = cores_taken(threads)
    os.sched_setaffinity(0, cores)
    return cores


def cores() -> int:
    """How many cores this process was given."""
    return len(_allowed_cores()) if hasattr(os, "sched_setaffinity") else os.cpu_count() or 1


def cores_taken(threads: int) -> list[int]:
    """The cores that `pin` of so many threads takes; none where it can't be done."""
    return _allowed_cores()[-threads:] if hasattr(os, "sched_setaffinity") else []


def stand_aside(threads: int) -> None:
    """Keep to the cores that `pin` of so many threads leaves free, if any: to get ready while another process
    measures with these threads; with none, on all there are."""
    if hasattr(os, "sched_setaffinity") and (free := _allowed_cores()[: -threads or None]):
        os.sched_setaffinity(0, free)


def unpin() -> None:
    """Give this thread back the cores it had before the first `pin`."""
    if _cores_at_start:
        os.sched_setaffinity(0, _cores_at_start)


def fix_numerics(tf32: bool = False) -> None:
    """Pin what torch may decide by itself: cuDNN's choice of algorithms, and whether products in float32 may be made in
    TF32, which is the default in cuDNN's RNN and not in cuBLAS.

    torch has an old name for the latter and, since 2.9, a new one. The old one's getter raises where the two disagree,
    so both are set, the new one last and for each operation by itself: one that is left at `none` follows
    `torch.backends.fp32_precision`, which anybody may set. Some versions warn once of the old names, which in a
    worker's log would be taken for its last words.
    """
    import torch

    torch.backends.cudnn.benchmark = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
    for owner in fp32_owners().values():
        owner.fp32_precision = "tf32" if tf32 else "ieee"


def fp32_owners() -> dict[str, Any]:
    """Whose attribute `fp32_precision` decides on TF32, by a name for a reader; empty where torch is older than 2.9."""
    import torch

    cudnn = torch.backends.cudnn
    owners = {
        "cuBLAS": torch.backends.cuda.matmul,
        "cuDNN's RNN": getattr(cudnn, "rnn", None),
        "cuDNN's convolutions": getattr(cudnn, "conv", None),
    }
    return {name: owner for name, owner in owners.items() if hasattr(owner, "fp32_precision")}


def allows_tf32() -> dict[str, bool]:
    """Whether cuBLAS, and cuDNN's RNN, may make products in TF32; never raises, whatever was set by which name."""
    import torch

    owners = fp32_owners()
    if not {"cuBLAS", "cuDNN's RNN"} <= set(owners):
        return {"matmul": torch.backends.cuda.matmul.allow_tf32, "cudnn": torch.backends.cudnn.allow_tf32}
    names = {"matmul": "cuBLAS", "cudnn": "cuDNN's RNN"}
    return {key: owners[name].fp32_precision == "tf32" for key, name in names.items()}


_HEAP = ((-1, 2**30), (-3, 2**25), (-2, 2**26))
"""M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_TOP_PAD of glibc's malloc.h, in bytes."""


def keep_heap() -> bool:
    """Let the heap keep what is freed; whether it will.

    A training step that frees megabytes gives them back to the kernel and fetches them again, page by page, in some
    states of the heap and not in others: that depends on what else was built in the process, so that twins in two
    processes differ by up to 5 % (Intel Xeon, hidden 128, 64 steps). Nothing is done where malloc is not glibc's.
    """
    try:
        malloc_option = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    taken = [malloc_option(option, value) for option, value in _HEAP]
    return all(taken)


_cores_at_start: list[int] = []


def _allowed_cores() -> list[int]:
    """The cores this process was given, as they were before the first `pin`."""
    if not _cores_at_start:
        _cores_at_start.extend(sorted(os.sched_getaffinity(0)))
    return _cores_at_start


def _host() -> dict[str, Any]:
    try:
        import psutil
    except ImportError:  # another interpreter that a gate compares with needs torch alone
        physical, memory = None, None
    else:
        physical, memory = psutil.cpu_count(logical=False), psutil.virtual_memory().total
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "physical_cores": physical,
        "memory_bytes": memory,
        "os": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "governor": governor.read_text().strip() if governor.exists() else None,
        "python": platform.python_version(),
        "pinned": hasattr(os, "sched_setaffinity"),
    }


def _cpu_name() -> str:
    """The processor's name; Linux keeps it in /proc/cpuinfo, elsewhere `platform` knows."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _torch() -> dict[str, Any]:
    import torch

    return {
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),
        "onednn": torch.backends.mkldnn.is_available(),
        **{f"tf32_{name}": allowed for name, allowed in allows_tf32().items()},
        "garbage_collection": "off while measuring",
        "heap": "keeps what is freed, where malloc is glibc's",
        "l2_state": "warm: each block repeats the call, with inputs written just before",
    }


CONTROL_ON_CUDA = "control-cuda-1"
"""The workload by whose time two runs are compared on CUDA: see `bench.measure.workload.CapturedControl`."""


def _gpu() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"gpu": None, "gpu_driver": None, "cuda": None, "cudnn": None}
    gpu = torch.cuda.get_device_properties(0)
    return {
        "gpu": gpu.name,
        "gpu_memory_bytes": gpu.total_memory,
        "gpu_capability": f"{gpu.major}.{gpu.minor}",
        "gpu_driver": _driver(),
        "cuda": torch.version.cuda,
        "cudnn": str(torch.backends.cudnn.version()),
        "control_cuda": CONTROL_ON_CUDA,
    }


def _driver() -> str | None:
    """The NVIDIA driver's version, asked of its own tool."""
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.splitlines()[0].strip() if answer.stdout.strip() else None

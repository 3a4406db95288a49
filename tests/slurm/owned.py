"""What belongs to a cluster, told from what the processes themselves show, whoever started them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil


def processes(conf: Path, node: str = "") -> list[psutil.Process]:
    """Those of the cluster that this configuration is of, or of one of its nodes. Daemons come first, then what watches
    over a job, then jobs: ended in this order, nothing is left that reports a killed job as one that failed."""
    watching = [each for each in psutil.process_iter() if _watches(each, conf, node)]
    below = [child for each in watching for child in _children(each)]
    jobs = [each for each in psutil.process_iter() if _is_job(each, conf, node)]
    return list(dict.fromkeys([*watching, *below, *jobs]))


def _watches(process: psutil.Process, conf: Path, node: str) -> bool:
    """A daemon works in the cluster's folder; that of a node, and what this started to watch over a job, has the node's
    log open. Their environments don't tell: the titles they give themselves are written over them."""
    with contextlib.suppress(psutil.Error, OSError):
        if process.name().startswith(("slurm", "munged")) and process.cwd() == str(conf.parent):
            return not node or str(conf.with_name(f"{node}.log")) in {each.path for each in process.open_files()}
    return False


def _is_job(process: psutil.Process, conf: Path, node: str) -> bool:
    """Also what a job left behind; not the shell of a developer who exported the configuration."""
    with contextlib.suppress(psutil.Error, OSError):
        told = process.environ()
        ours = "SLURM_JOB_ID" in told and told.get("SLURM_CONF") == str(conf) and process.pid != os.getpid()
        return ours and (not node or told.get("SLURMD_NODENAME") == node)
    return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(those: list[psutil.Process]) -> None:
    """End these in their order, and wait until they are gone."""
    for process in those:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(those, timeout=5.0)

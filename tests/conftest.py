"""What holds for all tests."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import queue
import signal
import time
import types
from pathlib import Path
from typing import Any

import pytest

from bench.host.machine import describe
from bench.run.kept import gradients_path, kept_path
from bench.store.files import write_json
from bench.store.folder import cache_folder
from bench.why.limits.limits import write_limits
from tests import warm
from tests.synthetic import LIMITS, gradients


def pytest_configure(config: pytest.Config) -> None:
    """One server of fresh processes is enough for all of pytest's workers; it gets ready while they collect."""
    if config.getoption("numprocesses", None):
        warm.place()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a CUDA device the tests that need one are one line, which says how many are not run."""
    on_gpu = [item for item in items if item.get_closest_marker("cuda")]
    if on_gpu and not _has_cuda():
        first, *others = on_gpu
        first.add_marker(pytest.mark.skip(f"no CUDA device here: {len(on_gpu)} tests of CUDA are not run"))
        left = {id(item) for item in others}
        items[:] = [item for item in items if id(item) not in left]


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def _what_is_registered_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that one test registers is no other's."""
    from rnn_impls import registry

    monkeypatch.setattr(registry, "REGISTERED", dict(registry.REGISTERED))


@pytest.fixture(scope="session", autouse=True)
def _cheap_processes() -> None:
    """Workers that a test starts from its own process are forked. One thread computes, so that pytest's workers don't
    wait for each other; and what the imports left is not looked through again at each garbage collection, of which the
    tests of leaks make hundreds. Ctrl-C ends what they start also where these tests run in the background of a shell,
    which has it ignored there."""
    import torch

    signal.signal(signal.SIGINT, signal.default_int_handler)
    warm.install()
    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is kept for this machine is the tests' own, here and in the processes they start. It holds
    planted limits and gradients, so that no test waits for their measuring."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    machine, folder = describe(), cache_folder()
    limits, other = kept_path(folder, machine), gradients_path(folder, machine["torch"])
    for each in (limits, other):
        each.parent.mkdir(parents=True)
    write_limits(limits, dataclasses.replace(LIMITS, machine=machine))
    write_json(other, gradients())
    return folder


@pytest.fixture(scope="module", autouse=True)
def _little_to_look_through() -> None:
    """Nor what earlier tests left; theirs are a compiler's modules and pictures."""
    gc.freeze()


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run of one case that pytest saved: the storage folder, and what --benchmark-json wrote."""
    from tests import command

    storage = tmp_path_factory.mktemp("storage")
    out = storage / "out.json"
    saving = ("--benchmark-autosave", f"--benchmark-json={out}")
    code, text = command.pytest("bench", *command.SAVED, *saving, storage=storage)
    assert code == 0, text
    return storage, json.loads(out.read_text())


@pytest.fixture
def no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn once, as SVG: PNG would take a quarter of a report, and tells a test of its words nothing."""
    monkeypatch.setattr("bench.report.build.png_bytes", lambda *_: b"")


@pytest.fixture
def hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that whoever is about to hang makes, which `tests.faulty.hang` does: who waits for an answer of it then
    finds that the time is up, however long that was to be."""
    from bench.host import process

    sign = tmp_path / "hangs"

    class Lines(queue.SimpleQueue[Any]):
        """What a worker tells."""

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            """The next line, while it is to be waited for."""
            end = time.monotonic() + (timeout or 0.0)
            while time.monotonic() < end:
                try:
                    return super().get(timeout=0.02)
                except queue.Empty:
                    if sign.exists():
                        sign.unlink()
                        return super().get(timeout=0.2)  # told before, and still on its way
            raise queue.Empty

    monkeypatch.setenv("FAULTY_HANG", str(sign))
    lines = types.SimpleNamespace(SimpleQueue=Lines, Empty=queue.Empty)
    monkeypatch.setattr(process, "queue", lines)
    return sign

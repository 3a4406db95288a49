"""pytest's door to the benchmarks: options, collection, and what pytest-benchmark is told of this machine.

A plain `pytest` runs the tests and times nothing. `pytest bench` runs the benchmarks; so does `pytest` with any
`--benchmark-...` option that asks for them, without a path.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.cases.axes import AXES, OVERRIDES, YES, Axes
from bench.cases.settings import Settings, parse_devices
from bench.host import missing
from bench.report.names import short_names
from bench.run import guard
from bench.store.passes import test_name
from rnn_impls.registry import GROUPS

if TYPE_CHECKING:
    from bench.run.session import Session

if importlib.util.find_spec("pytest_benchmark") is None:  # pytest itself would speak of its options alone
    print(f"ERROR: {missing.without('pytest_benchmark')}", file=sys.stderr)
    sys.exit(pytest.ExitCode.USAGE_ERROR)

ROOT = Path(__file__).parent
SAVE_HINT = "no saved run to compare with; save a first one with: pytest bench --benchmark-autosave"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The same selection as `python -m bench run`."""
    group = parser.getgroup("rnn bench", "recurrent network benchmarks")
    group.addoption("--preset", default="quick", help="named set of cases (python -m bench list); default quick")
    group.addoption(
        "--impl",
        default="",
        help=f"implementations: names, {', '.join(GROUPS)}, path/to/file.py:Name",
    )
    group.addoption("--device", default="", help="cpu, cuda, mps, comma-separated; default: every one present")
    group.addoption("--max-call", type=float, default=5.0, help="skip cells whose single call lasts longer, in s")
    for axis in OVERRIDES:
        flag: dict[str, Any] = {"nargs": "?", "const": YES} if AXES[axis].flag else {}
        group.addoption(*AXES[axis].options, dest=axis, default="", help=AXES[axis].about, **flag)


class ShortRows:
    """In a table that is headed by its case, a row needs no more than the implementation's name. It is no hook of this
    module, since `pytest-benchmark compare` calls those in another way."""

    @pytest.hookimpl(wrapper=True)
    def pytest_benchmark_group_stats(
        self, benchmarks: list[dict[str, Any]], group_by: str
    ) -> Generator[None, Any, Any]:
        """Rename what is shown, once it is grouped; what is saved keeps its name."""
        groups = yield
        ours = [each for each in benchmarks if group_by == "group" and "implementation" in each["extra_info"]]
        short = short_names(each["extra_info"]["implementation"] for each in ours)
        for each in ours:
            each["name"] = short[each["extra_info"]["implementation"]]
        return groups


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Turn bare benchmark options to the benchmarks, and refuse what would measure nonsense."""
    option = config.option
    wants = any(
        (
            option.benchmark_compare,
            option.benchmark_only,
            option.benchmark_save,
            option.benchmark_autosave,
            option.benchmark_json,
            option.benchmark_histogram,
            option.benchmark_compare_fail,
        )
    )
    if wants and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(ROOT / "bench")]
    if not _asks_for_benchmarks(config):
        return
    config.pluginmanager.register(ShortRows())
    if getattr(option, "dist", "no") != "no" or getattr(option, "numprocesses", None):
        raise pytest.UsageError(
            "benchmarks running side by side would time each other; run them without xdist: pytest bench -p no:xdist"
        )
    if wrong := guard.wrong_options(config.invocation_params.args, bool(option.benchmark_compare)):
        raise pytest.UsageError(wrong)
    if option.benchmark_compare and not _saved_runs(config):
        raise pytest.UsageError(SAVE_HINT)
    try:
        _cells(config)  # what is not known is said here, in one line, before anything is collected
    except ModuleNotFoundError as error:
        if not (text := missing.told(error)):
            raise
        raise pytest.UsageError(text) from None


def pytest_benchmark_compare_machine_info(
    config: pytest.Config, machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> None:
    """With a threshold, a saved run of another machine or software is refused, where a warning would be overlooked.

    What is saved is compared by the tests' names of today, whatever they were then: it is asked here before that.
    """
    guard.rename(compared_benchmark)
    if config.option.benchmark_compare_fail:
        name = str(compared_benchmark.get("datetime", "the saved run"))
        if wrong := guard.different_machine(machine_info, compared_benchmark, f"saved run of {name}"):
            raise pytest.UsageError(wrong)


@pytest.hookimpl(wrapper=True)
def pytest_report_header() -> Generator[None, Any, Any]:
    """Without pytest-benchmark's line of its own settings: none is in force here, and it has 176 columns."""
    lines = yield
    return [line for line in lines if not str(line).startswith("benchmark: ")]


def pytest_collection_finish(session: pytest.Session) -> None:
    """With a threshold, everything selected has to be in the saved run; this is said before anything is measured."""
    if not session.config.option.benchmark_compare_fail or session.config.option.collectonly:
        return
    if wrong := guard.not_in_baseline(_benchmarks(session), _saved_runs(session.config)):
        raise pytest.UsageError(wrong)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With a threshold, everything selected has to have been measured."""
    if session.config.option.benchmark_compare_fail and session.exitstatus == pytest.ExitCode.OK:
        timed = session.config._benchmarksession.benchmarks  # type: ignore[attr-defined] # pytest-benchmark's
        measured = [benchmark.fullname for benchmark in timed if benchmark]
        if wrong := guard.not_measured(_benchmarks(session), measured):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"\nERROR: {wrong}", red=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per cell, in the order of the cases, those of a Case side by side."""
    if {"rnn_case", "implementation"} <= set(metafunc.fixturenames):
        cells = _cells(metafunc.config)
        ids = [test_name(*cell) for cell in cells]
        metafunc.parametrize(("rnn_case", "implementation"), cells, ids=ids)


@pytest.fixture(scope="session")
def rnn_session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """What measures: only the implementations that were selected, also by -k, are measured together."""
    from bench.run.session import Session

    selected: dict[str, list[str]] = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and "rnn_case" in getattr(item, "fixturenames", ()):
            case, name = (str(item.callspec.params[key]) for key in ("rnn_case", "implementation"))
            selected.setdefault(case, []).append(name)
    settings = _settings(request.config)
    with Session(selected, request.config.option.max_call, settings.case_seconds, settings.timeout) as session:
        yield session


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """Add GPU, driver, torch, cuDNN, threads and TF32; take out what changes from one minute to the next."""
    from bench.host.machine import describe, fix_numerics

    fix_numerics()
    cpu = machine_info.get("cpu", {})
    for drifting in [key for key in cpu if key.startswith("hz_")]:
        del cpu[drifting]
    machine_info["rnn_bench"] = describe() | {"threads": config.option.threads or "1"}


def _settings(config: pytest.Config) -> Settings:
    """The selection. Raises pytest.UsageError, one line, for what is not known."""
    option = config.option
    try:
        return Settings(
            preset=option.preset,
            devices=parse_devices(option.device),
            implementations=option.impl,
            overrides=Axes({axis: getattr(option, axis) for axis in OVERRIDES}).overrides(),
        )
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _cells(config: pytest.Config) -> list[tuple[str, str]]:
    """(case id, implementation) of everything selected on the devices present."""
    from bench.host.machine import require

    settings = _settings(config)
    try:
        present = require(settings.devices)
        return [(case.id, name) for case, name in settings.cells() if case.device in present]
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def _asks_for_benchmarks(config: pytest.Config) -> bool:
    """Whether any path given leads into bench/."""
    paths = [Path(config.invocation_params.dir, arg.split("::")[0]).resolve() for arg in config.args]
    bench = ROOT / "bench"
    return any(path == bench or bench in path.parents or path in (ROOT, *ROOT.parents) for path in paths)


def _benchmarks(session: pytest.Session) -> list[str]:
    """The selected benchmarks, by the names that pytest-benchmark saves them under."""
    return [item.nodeid for item in session.items if "benchmark" in getattr(item, "fixturenames", ())]


def _saved_runs(config: pytest.Config) -> list[dict[str, Any]]:
    """What --benchmark-compare would compare with: pytest-benchmark's files for this machine."""
    from pytest_benchmark.logger import Logger
    from pytest_benchmark.utils import get_machine_id, load_storage

    logger = Logger(Logger.QUIET, config=config)
    storage = load_storage(
        config.option.benchmark_storage, logger=logger, default_machine_id=get_machine_id(), netrc=None
    )
    name = config.option.benchmark_compare
    found = list(storage.load() if name is True else storage.load(name))
    return [guard.rename(content) for _, content in (found[-1:] if name is True else found)]

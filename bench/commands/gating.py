"""The commands that give verdicts: gate, compare, trust."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cases import lengths
from bench.cases.settings import Settings, parse_devices, parse_fraction, parse_seconds
from bench.commands.console import INTERRUPTED, REPORTS, clear_errors, console, fail, point, show, tell
from bench.commands.options import Devices, MaxCall, Overrides, PresetName, RunsFolder, Timeout, grouped
from bench.store import folder as run_folders
from bench.table.outcome import INCOMPARABLE_CODE, METERS, TIME, Incomparable, News, Outcome, parse_meters

if TYPE_CHECKING:
    from bench.table.reading import Run

MinEffect = Annotated[str, typer.Option(help="Changes smaller than this are of no interest, such as 3%.")]
AllowDifferent = Annotated[
    str, typer.Option(help="Keys of machine and software that may differ, comma-separated, or `all`.")
]


@dataclass(frozen=True)
class Other:
    """What to compare this tree with."""

    base: Annotated[str, typer.Option(help="The commit to compare with, such as origin/main.")] = ""
    base_python: Annotated[
        str,
        typer.Option(help="An interpreter to run the base with, such as of another torch."),
    ] = ""
    against: Annotated[str, typer.Option(help="A stored run to compare with, such as under reports/reference.")] = ""


@dataclass(frozen=True)
class Compared:
    """What of it to compare, apart from the axes."""

    preset: PresetName = "gate"
    impl: Annotated[
        str,
        typer.Option(help="Implementations, as for run; this suite's three where nothing is said in its own checkout."),
    ] = ""
    device: Devices = ""
    meter: Annotated[
        str,
        typer.Option(help=f"What fails the gate: {', '.join(METERS)}, comma-separated; all but time and first exact."),
    ] = TIME


@dataclass(frozen=True)
class Telling:
    """Which verdicts fail the command, and where they are written."""

    strict: Annotated[bool, typer.Option("--strict", help="Exit 4 when a cell is inconclusive.")] = False
    json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON.")] = None
    markdown: Annotated[Path | None, typer.Option("--markdown", help="Write a pull request's comment.")] = None

    def checked(self) -> Telling:
        """The same with whole paths, which hold wherever the current folder moves. Raises ValueError naming the option
        whose file can't be written."""
        from bench.report.export import check_writable

        check_writable(json=self.json, markdown=self.markdown)
        json, markdown = (path.resolve() if path else None for path in (self.json, self.markdown))
        return Telling(self.strict, json, markdown)


@grouped
def gate(
    *,
    other: Other,
    compared: Compared,
    axes: Overrides,
    min_effect: MinEffect = "3%",
    budget: Annotated[str, typer.Option(help="Most time for all of it.")] = "3m",
    telling: Telling,
    allow_different: AllowDifferent = "",
    max_call: MaxCall = "5s",
    timeout: Timeout = "60s",
    reports: Annotated[Path, typer.Option(help="Where stored runs lie.")] = REPORTS,
) -> None:
    """Is this tree slower than another commit, another torch, or a stored run?"""
    with clear_errors(), _clear_ends():
        least, telling, meters = _min_effect(min_effect), telling.checked(), parse_meters(compared.meter)
        if other.against:
            if meters != (TIME,):
                raise ValueError("--meter: a stored run is compared by its times alone; --base reads the others")
            if other.base or other.base_python or compared.impl or compared.preset != "gate" or axes:
                raise ValueError(
                    "--against measures what the stored run measured; it goes with none of the options "
                    "that choose a base or cells"
                )
            from bench.table.reading import read_run

            stored = read_run(run_folders.find(other.against, reports))
            outcome = _against(stored, least, budget, allow_different, timeout)
        else:
            options = {
                "preset": compared.preset,
                "devices": parse_devices(compared.device),
                "overrides": axes.overrides(),
                "budget": parse_seconds(budget),
                "max_call": parse_seconds(max_call),
                "timeout": parse_seconds(timeout),
            }
            outcome = _live(other.base, other.base_python, compared.impl, options, least, meters)
        _end(outcome, telling)


@grouped
def compare(
    *,
    run_a: Annotated[str, typer.Argument(help="A run: its folder, its id, or `latest`.")],
    run_b: Annotated[str, typer.Argument(help="Another, which is told to be slower or faster than the first.")],
    min_effect: MinEffect = "3%",
    telling: Telling,
    allow_different: AllowDifferent = "",
    reports: RunsFolder = REPORTS,
) -> None:
    """Hold a saved run against another of the same machine, by control-normalised times.

    Two functions in Python are compared by `from bench import compare`, which measures them.
    """
    with clear_errors(), _clear_ends():
        from bench.gate.saved import compare as hold
        from bench.table.reading import read_run

        telling = telling.checked()
        first, second = (read_run(run_folders.find(name, reports)) for name in (run_a, run_b))
        outcome = hold(first, second, _min_effect(min_effect), _keys(allow_different))
        _end(outcome, telling)


def trust(
    rounds: Annotated[int, typer.Option(min=3, help="Unchanged gate runs; other kinds follow from it.")] = 30,
    resampled: Annotated[int, typer.Option(min=100, help="Gate runs made of recorded pairs, of each kind.")] = 1000,
    beside: Annotated[
        bool, typer.Option("--neighbour", help="Plant a noisy neighbour, and ask for nothing and +5 % alone.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the neighbour.")] = 1,
    resume: Annotated[str, typer.Option(help="Go on with this folder.")] = "",
    show: Annotated[str, typer.Option(help="Only write this folder's table and picture anew.")] = "",
    reports: Annotated[Path, typer.Option(help="Where trust/ lies.")] = REPORTS,
) -> None:
    """Measure the gate itself: how often it cries wolf, and what it misses; takes an hour and a half."""
    with clear_errors(), _clear_ends():
        from bench.proof.trust import rebuild
        from bench.proof.trust import trust as prove

        if show:
            point("Table and picture", rebuild(resampled, Path(show), tell))
            return
        folder = Path(resume) if resume else run_folders.dated(reports, "trust")
        folder.mkdir(parents=True, exist_ok=True)
        point("Table and picture", prove(rounds, resampled, folder, tell, seed if beside else None))


def _live(
    base: str, base_python: str, impl: str, options: dict[str, Any], min_effect: float, meters: tuple[str, ...]
) -> Outcome:
    """Two sides measured in alternation."""
    from bench.gate.pairs import measure_pairs
    from bench.gate.sides import prepared
    from bench.report.verdicts import opening

    overrides = options.pop("overrides")
    if "lengths" in overrides:  # data, and no part of either tree
        overrides |= {"lengths": tuple(map(lengths.placed, overrides["lengths"]))}
    asked = prepared(base, base_python, impl, overrides.get("network", ()))
    with asked as (sides, selection, networks), tempfile.TemporaryDirectory() as logs:
        overrides |= {"network": networks} if networks else {}
        settings = Settings(implementations=selection, overrides=overrides, **options)
        settings.cells()  # every name and size is checked before anything is started
        tell(opening(sides[0].name, sides[1].name))
        log = Path(logs, "worker.log")
        return measure_pairs(sides, settings, min_effect, log, _tell_news, bool(base_python), meters)


def _tell_news(event: News) -> None:
    from bench.report.verdicts import news

    tell(news(event))


def _against(stored: Run, min_effect: float, budget: str, allow_different: str, timeout: str) -> Outcome:
    """A stored run against fresh processes."""
    import dataclasses

    from bench.gate.against import against
    from bench.run.progress import Bar

    settings = dataclasses.replace(
        Settings.from_dict(stored.manifest.settings), budget=parse_seconds(budget), timeout=parse_seconds(timeout)
    )
    with Bar(console) as bar:
        return against(stored, settings, min_effect, _keys(allow_different), bar)


def _end(outcome: Outcome, telling: Telling) -> None:
    """Show, write, and end with the exit code; the last paragraph is the verdict."""
    from bench.report.export import write
    from bench.report.verdicts import ending

    for line, style in ending(outcome, console.width):
        show([line], style)
    # After the sentence, which a full disk must not swallow.
    write(outcome, telling.strict, telling.json, telling.markdown)
    raise typer.Exit(outcome.exit_code(telling.strict))


@contextmanager
def _clear_ends() -> Iterator[None]:
    """One line and an exit code also for sides that cannot be compared and for Ctrl-C."""
    try:
        yield
    except Incomparable as error:
        from bench.report.export import add_summary

        add_summary(f"### RNN gate: incomparable\n\n{error}\n")
        fail(f"incomparable: {error}", INCOMPARABLE_CODE)
    except KeyboardInterrupt:
        fail("interrupted; nothing is left behind", INTERRUPTED)


def _min_effect(text: str) -> float:
    """A fraction between nothing and all. Raises ValueError."""
    fraction = parse_fraction(text)
    if not 0 < fraction < 1:
        raise ValueError(f"--min-effect must be more than 0 and less than 100%, not {text}")
    return fraction


def _keys(text: str) -> set[str]:
    return set(filter(None, (key.strip() for key in text.split(","))))

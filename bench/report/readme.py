"""Keeps README and docs in step with what was measured: `python -m bench.report.readme` writes every block anew.

A block stands between `<!-- name:begin -->` and `<!-- name:end -->` in any of the PAGES; BLOCKS has what makes each.
The reference is the first folder under reports/reference that holds a run. The tables of `python -m bench accuracy` and
`python -m bench trust`, taken alone and beside a neighbour, lie in folders of PROOFS below some machine's. Nothing in a
block is typed by hand, and a test compares the pages with what this gives.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.cases.case import Case
from bench.cases.presets import BOTH_MODES, PRESETS
from bench.report import advised, answer, export, verdicts
from bench.report.build import TOPICS
from bench.report.comparisons import place
from bench.report.facets import varying_axes
from bench.report.findings import findings
from bench.report.markdown import compact, escaped, table_of
from bench.report.pictures.scene import Scene
from bench.report.terminal import wrapped
from bench.report.units import duration, percent, rough_percent, times
from bench.report.why import why
from bench.store.files import BrokenFile
from bench.table.advice import advise
from bench.table.cells import REFERENCE, cells
from bench.table.ranking import CLOSE
from bench.table.reading import Run, read_run
from rnn_impls.registry import origin

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
PROOFS = {
    "accuracy": ("accuracy", "Repeats of one speed-up by each method"),
    "accuracy-neighbour": ("accuracy", "The same beside a noisy neighbour"),
    "trust": ("trust", "Share of gate runs that fail, by the slowdown planted"),
    "trust-neighbour": ("trust", "The same beside a noisy neighbour"),
    "history-proof": ("alarms", "Changes found in histories, by their size"),
}
"""Folder and marker -> the command that measures the suite itself, and what its picture shows."""

LENGTHS = (8, 64)
"""Sequence lengths of the table of the reference run: a short and a longer one."""
FOUR = ("stacked-grad", "whole", "manual", "looped")
"""The rows of the README's own table: the fastest without a compiler, and the three."""
USUAL = {"network": Case.network, "hidden_size": 128, "seq_len": 64}
ASKED = Case(mode="training", hidden_size=128, input_size=128, seq_len=256)
"""The case that the README asks `advise` for."""

BLOCK = re.compile(r"(<!-- (?P<name>[\w-]+):begin -->\n)(?P<content>.*?)(<!-- (?P=name):end -->)", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)")


def reference() -> Path:
    """The folder of the reference run. Raises BrokenFile when there is none."""
    for path in sorted((ROOT / "reports" / "reference").glob("*/run.json")):
        return path.parent
    raise BrokenFile(f"{ROOT / 'reports' / 'reference'}: no reference run")


def beside(what: str) -> Path:
    """The folder of a run of the faster implementations, on the same machine."""
    return reference().with_name(f"{reference().name}-{what}")


def updated(page: Path) -> str:
    """A page's text with its blocks made anew; links in them lead from where the page lies."""
    up = "../" * (len(page.relative_to(ROOT).parts) - 1)

    def anew(found: re.Match[str]) -> str:
        if found["name"] not in BLOCKS:
            return found[0]
        return f"{found[1]}{LINK.sub(f']({up}', BLOCKS[found['name']]())}\n{found[4]}"

    return BLOCK.sub(anew, page.read_text(encoding="utf-8"))


@functools.cache
def _read(folder: Path) -> tuple[Run, pd.DataFrame]:
    """A run and its table of cells."""
    run = read_run(folder)
    return run, cells(run)


def _four() -> str:
    """The reference run's picture, and four implementations at the usual case: time and speed-up in both modes."""
    run, table = _read(reference())
    machine, relative = run.manifest.machine, reference().relative_to(ROOT)
    usual = table[(table[list(USUAL)] == pd.Series(USUAL)).all(axis=1)]
    by_cell = {(row["implementation"], row["mode"]): row for _, row in usual.iterrows()}
    told = f"{machine['cpu']}, {machine['cores']} cores, one thread, torch {machine['torch']}"
    lines = [
        f"![Time of one call, and speed-up over {run.manifest.baseline}]({relative}/figures/main.png)",
        f"*{told}: [all of it]({relative}/summary.md).*",
        "",
        f"| hidden {USUAL['hidden_size']}, {USUAL['seq_len']} steps | what it is | inference | training |",
        "|---|---|---:|---:|",
    ]
    for name in FOUR:
        rows = [by_cell[name, mode] for mode in BOTH_MODES]
        fields = [_time(row, run.manifest.baseline) for row in rows]
        lines.append(f"| [`{name}`]({origin(name)}) | {escaped(rows[0]['about'])} | {' | '.join(fields)} |")
    return "\n".join([*lines, "", f"Speed-ups are over `{run.manifest.baseline}`, with 95 % intervals. {_fused()}"])


def _fused() -> str:
    """What a compiler gains at most, in the run of the faster implementations."""
    _, table = _read(beside("contenders"))
    row = table.loc[table["gain"].where(table["implementation"] == "fused-cpu").idxmax()]
    gained = times(row["gain"], row["gain_low"], row["gain_high"])
    return (
        f"With a C++ compiler, [`fused-cpu`]({origin('fused-cpu')}) is up to {gained} faster than `{REFERENCE}` "
        f"({place(row, varying_axes(table))})."
    )


def _time(row: pd.Series, baseline: str) -> str:
    """`207 µs · 3.93× [3.87, 3.99]`; the baseline's time alone."""
    text = duration(row["seconds"])
    over = times(row["speedup"], row["speedup_low"], row["speedup_high"], most=2)
    return text if row["implementation"] == baseline else f"{text} · {over}"


def _commands() -> str:
    """What `make bench` prints at its end, and `advise` for ASKED."""
    run, table = _read(reference())
    asked = f"--hidden-size {ASKED.hidden_size} --seq-len {ASKED.seq_len} --mode {ASKED.mode}"
    told = "\n".join(wrapped(advised.text(advise(run, ASKED), run.manifest)))
    return _shown(("make bench", answer.text(table, run.manifest)), (f"rnn-bench advise {asked}", told))


def _gate() -> str:
    """What a gate printed, of which the outcome is kept."""
    command = "rnn-bench gate --base main --impl my_rnn.py:MyRNN --hidden-size 64"
    return _shown((command, verdicts.text(export.read(reference() / "gate" / "outcome.json"))))


def _reference() -> str:
    """Findings, and a table of times and speed-ups."""
    run, table = _read(reference())
    told = [f"- {finding.text}" for finding in findings(table, run.manifest.baseline)]
    return "\n".join([*told, "", compact(table[table["seq_len"].isin(LENGTHS)], run.manifest)])


def _contenders(what: str) -> str:
    """What the faster implementations gain over one call of torch's, in a run of their own."""
    run, table = _read(beside(what))
    machine = run.manifest.machine
    told = f"*The preset `contenders` on {machine['cpu']}, torch {machine['torch']}: "
    return f"{compact(table, run.manifest)}\n\n{told}[all of it]({beside(what).relative_to(ROOT)}/summary.md).*"


def _why() -> str:
    """Where the time of a step goes, in a picture and in sentences, and how far back gradients reach."""
    run, table = _read(reference())
    relative = reference().relative_to(ROOT)
    found = why(run, Scene(table, run.manifest))
    lines = [
        f"![Time of a step by category, for each implementation]({relative}/figures/where.png)",
        "",
        *(f"- {each.text}" for each in found.findings),
        "",
        f"![Norm of the gradient k steps back]({relative}/figures/gradients.png)",
        "",
        *(f"- {text}" for text in found.gradients),
    ]
    return "\n".join(lines)


def _predictions() -> str:
    """How often predictions by the laws came true, each measured case left out in turn, both modes together."""
    run, _ = _read(reference())
    between = Case(hidden_size=64, input_size=64, seq_len=100)
    found = [each for mode in BOTH_MODES if (each := advise(run, replace(between, mode=mode)).held_out)]
    counts = ((each.cases, each.close, each.wrongly, each.ruled_out) for each in found)
    cases, close, wrongly, out = map(sum, zip(*counts, strict=True))
    return "\n".join([
        "| predictions by the laws | |", "|---|---:|",
        f"| cases in which the first was the fastest, to within {percent(CLOSE)} | {close} of {cases} |",
        f"| the worst loss | {rough_percent(max(loss for each in found for loss in each.losses))} |",
        f"| implementations ruled out that were faster than the first | {wrongly} of {out} |",
    ])  # fmt: skip


def _presets() -> str:
    """Every preset: how many cases, what for, where its numbers come from."""
    lines = ["| `--preset` | cases | what it is for, and where its numbers come from |", "|---|---:|---|"]
    lines += [f"| `{one.name}` | {len(one.cases('cpu'))} | {escaped(one.about)} |" for one in PRESETS.values()]
    return "\n".join(lines)


def _question(name: str) -> str:
    """What the report says of a question that only some runs ask, by the run of the preset that asks it: its picture
    or else its table, and its sentences."""
    (path,) = (ROOT / "reports" / "reference").glob(f"*-{name}/run.json")
    run, table = _read(path.parent)
    scene = Scene(table, run.manifest)
    found = next(topic for make in TOPICS if (topic := make(run, scene)) and topic.name == name)
    folder = path.parent.relative_to(ROOT)
    told = [f"![{found.title}]({folder}/figures/{name}.png)"] if found.picture else []
    told.append("\n".join(f"- {escaped(text)}" for text in found.said))
    told += [] if found.picture else [table_of(found.columns, found.texts).strip()]
    told.append(f"*{run.manifest.machine['cpu']}, one thread: [all of it]({folder}/summary.md).*")
    return "\n\n".join(told)


def _proof(name: str, command: str, picture: str) -> str:
    """The table of a command that measures the suite itself, and its picture."""
    (table,) = (ROOT / "reports" / "reference").glob(f"*/{name}/{command}.md")
    return f"![{picture}]({table.parent.relative_to(ROOT)}/{command}.png)\n\n{table.read_text().strip()}"


def _shown(*commands: tuple[str, str]) -> str:
    """Each command, and what the terminal shows of it."""
    parts = ["\n".join([f"$ {command}", *map(str.rstrip, text.strip().splitlines())]) for command, text in commands]
    return "\n".join(["```console", "\n\n".join(parts), "```"])


BLOCKS: dict[str, Callable[[], str]] = {
    "four": _four,
    "commands": _commands,
    "gate-output": _gate,
    "reference": _reference,
    **{name: functools.partial(_contenders, name) for name in ("contenders", "gated")},
    "why": _why,
    "predictions": _predictions,
    "presets": _presets,
    **{
        name: functools.partial(_question, name)
        for name in ("ragged", "streaming", "last-step", "runtimes", "published")
    },
    **{name: functools.partial(_proof, name, *how) for name, how in PROOFS.items()},
}
"""Marker -> what makes what stands there."""


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(updated(page), encoding="utf-8")

"""Keeps the README in step with the reference run: `python -m bench.report.readme` writes its pictures, findings and
tables.

The reference is the first folder under reports/reference that holds a run. The tables of `python -m bench accuracy` and
`python -m bench trust`, taken alone and beside a neighbour, lie in folders of PROOFS below some machine's. Nothing here
is typed by hand, and a test compares the README with what this gives.
"""

from __future__ import annotations

import re
from pathlib import Path

from bench.report.findings import headlines
from bench.report.markdown import compact
from bench.report.pictures.scene import Scene
from bench.report.why import why
from bench.store.files import BrokenFile
from bench.table.cells import cells
from bench.table.reading import read_run

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PROOFS = {
    "accuracy": ("accuracy", "Repeats of one speed-up by each method"),
    "accuracy-neighbour": ("accuracy", "The same beside a noisy neighbour"),
    "trust": ("trust", "Share of gate runs that fail, by the slowdown planted"),
    "trust-neighbour": ("trust", "The same beside a noisy neighbour"),
}
"""Folder and marker -> the command that measures the suite itself, and what its picture shows."""

LENGTHS = (8, 512)
"""Sequence lengths that the README's table shows: a short and a long one."""


def reference() -> Path:
    """The folder of the reference run. Raises BrokenFile when there is none."""
    for path in sorted((ROOT / "reports" / "reference").glob("*/run.json")):
        return path.parent
    raise BrokenFile(f"{ROOT / 'reports' / 'reference'}: no reference run")


def updated(text: str, folder: Path) -> str:
    """The README's text with the parts between the markers made anew from the reference run."""
    text = _between(text, "reference", _reference(folder))
    text = _between(text, "contenders", _contenders(folder.with_name(f"{folder.name}-contenders")))
    text = _between(text, "why", _why(folder))
    for name, (command, picture) in PROOFS.items():
        text = _between(text, name, _proof(name, command, picture))
    return text


def _reference(folder: Path) -> str:
    """Picture, findings and a table of times and speed-ups."""
    run = read_run(folder)
    table = cells(run)
    machine, relative = run.manifest.machine, folder.relative_to(ROOT)
    lines = [
        f"![Time and speed-up of the three implementations]({relative}/figures/main.png)",
        "",
        f"*{machine['cpu']}, {machine['cores']} cores, one thread, torch {machine['torch']}: "
        f"[all of it]({relative}/summary.md).*",
        "",
        *(f"- {line}" for line in headlines(table, run.manifest)),
        "",
        compact(table[table["seq_len"].isin(LENGTHS)], run.manifest),
    ]
    return "\n".join(lines)


def _contenders(folder: Path) -> str:
    """What the faster implementations gain over one `nn.RNN` call, in a run of their own."""
    run = read_run(folder)
    machine = run.manifest.machine
    told = f"*The preset `contenders` on {machine['cpu']}, torch {machine['torch']}: "
    return f"{compact(cells(run), run.manifest)}\n\n{told}[all of it]({folder.relative_to(ROOT)}/summary.md).*"


def _why(folder: Path) -> str:
    """Where the time of a step goes, in a picture and in sentences, and how far back gradients reach."""
    run = read_run(folder)
    table, relative = cells(run), folder.relative_to(ROOT)
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


def _proof(name: str, command: str, picture: str) -> str:
    """The table of a command that measures the suite itself, and its picture."""
    (table,) = (ROOT / "reports" / "reference").glob(f"*/{name}/{command}.md")
    return f"![{picture}]({table.parent.relative_to(ROOT)}/{command}.png)\n\n{table.read_text().strip()}"


def _between(text: str, name: str, content: str) -> str:
    """Replace what stands between the markers of this name."""
    pattern = rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    README.write_text(updated(README.read_text(), reference()))

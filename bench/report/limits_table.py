"""The limits of a machine in words and figures, for the terminal and for Markdown."""

from __future__ import annotations

from bench.report.terminal import WIDTH, columns
from bench.why.floor import MARGIN
from bench.why.limits.limits import RATES, Limits, unit

_WORDS = {
    "product": "torch.mm, {}",
    "peak": "fastest products here, {}",
    "matvec": "torch.mv, matrix in {}",
    "stream": "reading from {}",
    "copy": "copying, {}",
    "call.operator": "one eager operator",
    "call.module": "Python loop step, one module call",
    "call.node": "one autograd node",
    "chain.add": "one dependent addition",
    "call.launch": "one eager operator, with its launch",
    "call.graph": "launch of a captured graph",
    "call.synchronize": "synchronisation, nothing to wait for",
    "chain.kernel": "one kernel of a captured chain",
}
_PLACES = {"memory": "memory", "host": "from the host"}


def rows(limits: Limits) -> list[list[str]]:
    """What, then one field for each thread count of `limits.threads()`, or one alone: the most favourable value, and in
    brackets the least favourable of all processes."""
    counts = limits.threads() or [1]
    by_name: dict[str, dict[int, str]] = {}
    for name in limits.values:
        bare, count = _without_threads(name)
        by_name.setdefault(bare, {})[count or counts[0]] = _field(limits, name)
    return [[words(bare), *(fields.get(count, "") for count in counts)] for bare, fields in by_name.items()]


def words(bare: str) -> str:
    """What a limit is, by its name without the number of threads: `CPU: reading from L2`."""
    device, kind, *rest = bare.split(".")
    pattern = _WORDS.get(".".join([kind, *rest])) or _WORDS.get(kind, kind)
    return f"{device.upper()}: {pattern.format(_PLACES.get('.'.join(rest), '.'.join(rest)))}"


def _without_threads(name: str) -> tuple[str, int]:
    """`cpu.stream.L2.t1` -> `cpu.stream.L2` and 1; 0 where a name has no number of threads."""
    bare, _, last = name.rpartition(".")
    return (bare, int(last[1:])) if last[:1] == "t" and last[1:].isdigit() else (name, 0)


def _field(limits: Limits, name: str) -> str:
    best, values = limits.best(name) or 0.0, limits.values[name]
    worst = min(values) if unit(name) in RATES else max(values)
    shown, other = scaled(name, best), scaled(name, worst)
    if other.split(" ")[1] == shown.split(" ")[1]:
        other = other.split(" ")[0]
    return f"{shown} ({other})" if len(values) > 1 else shown


def scaled(name: str, value: float) -> str:
    """A value with a unit that fits: GFLOP/s, GB/s, ns or µs."""
    kind = unit(name)
    if kind in RATES:
        return f"{value / 1e9:.3g} {'GFLOP/s' if kind == 'operations/s' else 'GB/s'}"
    return f"{value * 1e9:.3g} ns" if value < 1e-6 else f"{value * 1e6:.3g} µs"


def text(limits: Limits, width: int = WIDTH) -> str:
    """What it is about, a table for each device, and what it rests on, for a terminal."""
    parts = [
        "What this machine allows, each at its best.\n"
        "From it follows a case's floor, the least time that any code could need."
    ]
    found = rows(limits)
    for device in dict.fromkeys(row[0].partition(": ")[0] for row in found):
        own = [row for row in found if row[0].startswith(f"{device}: ")]
        used = [k for k in range(1, len(own[0])) if any(row[k] for row in own)]
        told = [[row[0].partition(": ")[2], *(row[k] for k in used)] for row in own]
        heads = [_heads(limits)[k - 1] for k in used] if device == "CPU" else ["" for _ in used]
        parts.append("\n".join(columns([device, *heads], told, width=width)))
    return "\n\n".join([*parts, "\n".join(_notes(limits))])


def _heads(limits: Limits) -> list[str]:
    return [f"{count} thread{'s' if count > 1 else ''}" for count in limits.threads() or [1]]


def markdown(limits: Limits) -> str:
    """The table, and what is missing."""
    heads = _heads(limits)
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows(limits)]
    return "\n".join([*lines, "", *_notes(limits)]) + "\n"


def _notes(limits: Limits) -> list[str]:
    """What the figures rest on, and what is missing."""
    sizes = {name.rpartition(".")[2]: size for name, size in limits.facts.items() if name.startswith("cpu.cache")}
    caches = [f"{level} {size // 1024} KiB" for level, size in sizes.items()]
    processes = max((len(values) for values in limits.values.values()), default=0)
    return [
        f"Best of {processes} processes (in brackets the worst).",
        f"Caches of a core: {', '.join(caches) or 'not told'}.",
        f"Floors take {100 * MARGIN:.0f} % off what these allow, for what a sitting may have missed.",
        *(f"Not measured: {name}: {reason}." for name, reason in limits.missing.items()),
    ]

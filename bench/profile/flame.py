"""A flame graph's file: one line for each stack of calls, its frames joined by semicolons, and nanoseconds.

Brendan Gregg's folded format (Communications of the ACM 59(6), 2016, 48-57): speedscope.app opens it as it is,
`flamegraph.pl` and `inferno-flamegraph` draw it.
"""

from __future__ import annotations

from bench.profile.trace import Event, Window


def folded(window: Window) -> str:
    """The host's side of a window; its own time where a frame has any, in the order of the calls."""
    stacks: dict[str, int] = {}
    _add(stacks, window.root, [window.label])
    return "".join(f"{stack} {count}\n" for stack, count in stacks.items() if count > 0)


def _add(stacks: dict[str, int], event: Event, frames: list[str]) -> None:
    stack = ";".join(frames)
    stacks[stack] = stacks.get(stack, 0) + max(0, round(event.own_seconds * 1e9))
    for child in event.children:
        _add(stacks, child, [*frames, child.name.replace(";", ",").replace("\n", " ")])

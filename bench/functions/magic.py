"""`%compare f(x) g(x)` in notebooks and at IPython's prompt: `%load_ext bench` makes it known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.functions.comparing import compare
from bench.functions.result import Result
from bench.functions.trial import equal

USAGE = "%compare [--unchecked] EXPRESSION EXPRESSION ...: at least two, without spaces at their outermost level"


def register(ipython: Any) -> None:
    """Make `%compare` known to an IPython shell."""

    def magic(line: str) -> Result | None:
        try:
            return run(line, ipython.user_ns)
        except ValueError as error:
            print(f"error: {error}")
            return None

    magic.__doc__ = f"{USAGE}.\n\nTimes them in alternation within this process; what they give is held together."
    ipython.register_magic_function(magic, "line", "compare")


def run(line: str, names: dict[str, Any]) -> Result:
    """Compare the expressions of a line, which mean what they mean among these names. Raises ValueError."""
    words = line.split()
    unchecked = "--unchecked" in words
    found = expressions(" ".join(word for word in words if word != "--unchecked"))
    if len(found) < 2:
        raise ValueError(f"nothing to compare; {USAGE}")
    functions: dict[str, Callable[..., Any]] = {each: eval(f"lambda: ({each})", names) for each in found}
    return compare(functions, check=None if unchecked else equal)


def expressions(text: str) -> list[str]:
    """`f(x, 1) g(x)` -> each expression: the shortest parts, from the left, that are Python and end at a space. Raises
    ValueError for what is left."""
    found: list[str] = []
    part = ""
    for word in text.split():
        part = f"{part} {word}".strip()
        try:
            compile(part, "%compare", "eval")
        except SyntaxError:
            continue
        found.append(part)
        part = ""
    if part:
        raise ValueError(f"{part!r} is no Python expression; {USAGE}")
    return found

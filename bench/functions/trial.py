"""Each function called once before anything is timed: does it take its inputs, leave them as they are, give what the
others give? What is wrong is one line with the function's name."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.measure.fault import reason_of

Function = Callable[..., Any]
Check = Callable[[Any, Any], Any]
"""Held against each other: what a function gives, and what the baseline gives. It raises, or returns False, where they
differ."""


def equal(actual: Any, expected: Any) -> None:
    """Raise AssertionError where two results differ: by `torch.testing.assert_close` if it knows their type, in
    sequences and mappings, too, by `==` if not. 2 and 2.0 are equal; tensors of two dtypes are not."""
    import torch

    numbers = isinstance(actual, (int, float, complex)) and isinstance(expected, (int, float, complex))
    try:
        torch.testing.assert_close(actual, expected, check_dtype=not numbers)
    except TypeError:  # of things that it does not know
        if actual != expected:
            raise AssertionError(f"{_short(actual)} is not {_short(expected)}") from None


def arguments_of(inputs: Callable[..., Any] | None, sizes: Sequence[Any] | None) -> list[tuple[Any, ...]]:
    """What the functions are called with, a tuple for each size; one alone where there are no sizes. Raises
    ValueError."""
    if sizes is not None and not len(sizes):
        raise ValueError("sizes is empty: there is nothing to compare at")
    if sizes is not None and inputs is None:
        raise ValueError("sizes without inputs: inputs makes a tuple of arguments for each of them")
    if inputs is None:
        return [()]
    found = []
    for size in [None] if sizes is None else sizes:
        try:
            made = inputs() if sizes is None else inputs(size)
        except Exception as error:  # it is the user's own
            raise ValueError(f"inputs{_at(size)} raises {reason_of(error)}") from error
        if not isinstance(made, tuple):
            raise ValueError(f"inputs{_at(size)} gives {_kind(made)}, not a tuple of arguments")
        found.append(made)
    return found


def try_all(
    functions: Mapping[str, Function], arguments: tuple[Any, ...], size: Any, check: Check | None, baseline: str
) -> None:
    """Call each once, the baseline first, and hold what it gives against what that gives. Raises ValueError."""
    expected = _try(baseline, functions[baseline], arguments, size, check)
    for name in (name for name in functions if name != baseline):
        actual = _try(name, functions[name], arguments, size, check)
        if check is not None:
            _hold(name, actual, baseline, expected, size, check)


def _try(name: str, function: Function, arguments: tuple[Any, ...], size: Any, check: Check | None) -> Any:
    """What a function gives. Raises ValueError."""
    _bind(name, function, arguments, size)
    before = [_frozen(argument) for argument in arguments]
    try:
        found = function(*arguments)
    except Exception as error:  # it is the user's own
        raise ValueError(f"`{name}` raises {reason_of(error)}{_at(size)}") from error
    for number, (then, argument) in enumerate(zip(before, arguments, strict=True)):
        if then is not None and _frozen(argument) != then:
            raise ValueError(f"`{name}` changes its inputs{_at(size)}: argument {number}; let it work on a copy")
    if inspect.iscoroutine(found) or inspect.isgenerator(found):
        found.close()
        raise ValueError(f"`{name}` gives {_kind(found)}{_at(size)}, which has not run yet; call what runs it")
    if found is None and check is not None:
        raise ValueError(f"`{name}` returns None{_at(size)}: nothing to check; check=None times it all the same")
    return found


def _bind(name: str, function: Function, arguments: tuple[Any, ...], size: Any) -> None:
    """Raise ValueError for arguments that do not fit, where the function says what it takes."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some of C's don't say
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise ValueError(f"`{name}`{_at(size)}: {error}; inputs gives {len(arguments)}") from None


def _hold(name: str, actual: Any, baseline: str, expected: Any, size: Any, check: Check) -> None:
    try:
        verdict = check(actual, expected)
    except Exception as error:  # an AssertionError, or whatever the user's own check raises
        raise ValueError(f"`{name}` differs from `{baseline}`{_at(size)}: {_first_line(error)}") from None
    if verdict is not None and getattr(verdict, "shape", ()) == () and not verdict:
        raise ValueError(f"`{name}` differs from `{baseline}`{_at(size)}: {_checker(check)} gives {verdict}")


def _frozen(argument: Any) -> bytes | None:
    """What tells whether an argument has changed; None for what can't be pickled."""
    try:
        return pickle.dumps(argument)
    except Exception:  # a __reduce__ may raise anything
        return None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) or type(error).__name__


def _checker(check: Check) -> str:
    return getattr(check, "__name__", type(check).__name__)


def _at(size: Any) -> str:
    return "" if size is None else f" at {size}"


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""How long each sequence of a batch is, of a Case whose batches are ragged: `--lengths`.

    fixed           all have T steps
    uniform:0.2     any number of steps from 0.2 T to T, each as likely
    zipf:1.2        k steps with a probability that goes as 1 / k^1.2 (Zipf's law): most are short, a few long
    lengths.txt     drawn from the lengths in a file, one a line, each line once

Drawn from a fixed seed, so that every process and every implementation has the same. Of those that are drawn by a law
the longest has T steps, as in a batch that is padded to its longest. They come longest first, as from a loader that
sorts its batches: who needs them sorted has them, and who sorts for himself pays for it all the same.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.cases.case import Case

FIXED, UNIFORM, ZIPF, FILE = "fixed", "uniform", "zipf", ".txt"
FORMS = "fixed, uniform:0.2 (from 0.2 T to T), zipf:1.2 (the exponent) or a file.txt with a length a line"
SEED = 20261127


def spelled(text: str) -> str:
    """The one spelling of what was asked for: `uniform:0.20` is `uniform:0.2`. Raises ValueError for what is none of
    the four; a file is not looked for."""
    law, _, number = text.partition(":")
    if text == FIXED or text.endswith(FILE):
        return text
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"unknown lengths {text!r}; write {FORMS}") from None
    if law == UNIFORM and 0 < value <= 1:
        return f"{UNIFORM}:{value:g}"
    if law == ZIPF and 0 < value < 100:
        return f"{ZIPF}:{value:g}"
    told = {UNIFORM: "a share of T, more than 0 and at most 1", ZIPF: "an exponent of more than 0"}
    raise ValueError(f"lengths {text!r}: " + (f"{law}: takes {told[law]}" if law in told else f"write {FORMS}"))


def placed(text: str) -> str:
    """The same from whatever folder: a file by its whole path."""
    return str(Path(text).resolve()) if text.endswith(FILE) else text


def of(case: Case) -> list[int]:
    """Steps of each sequence of a Case's batch, longest first. Raises ValueError naming file and line."""
    steps, batch = case.seq_len, case.batch_size
    draw = random.Random(SEED)
    law, _, number = case.lengths.partition(":")
    if case.lengths == FIXED:
        return [steps] * batch
    if case.lengths.endswith(FILE):
        known = [length for length in read(case.lengths) if length]
        if len(known) < batch:
            raise ValueError(f"{case.lengths} has {len(known)} lengths, a batch of {batch} needs as many")
        return sorted((min(steps, length) for length in draw.sample(known, batch)), reverse=True)
    if law == UNIFORM:
        found = [max(1, round(steps * draw.uniform(float(number), 1))) for _ in range(batch)]
    else:
        counts = range(1, steps + 1)
        found = draw.choices(counts, [count ** -float(number) for count in counts], k=batch)
    return [steps, *sorted(found, reverse=True)[1:]]


def check(case: Case) -> None:
    """Raise ValueError where a Case's lengths can't be had: a file that isn't there, or whose lengths are longer than
    its sequences, or too few."""
    if case.lengths.endswith(FILE):
        for number, length in enumerate(read(case.lengths), start=1):
            if length > case.seq_len:
                raise ValueError(
                    f"{case.lengths}: line {number} is {length}, longer than the {case.seq_len} steps of a case"
                )
        of(case)


@cache
def read(path: str) -> tuple[int, ...]:
    """The lengths in a file, line by line; 0 for an empty line. Raises ValueError naming file and line."""
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").split("\n")]
    except (OSError, UnicodeDecodeError) as error:
        told = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValueError(f"--lengths {path} can't be read: {told}") from None
    for number, line in enumerate(lines, start=1):
        if line and not (line.isascii() and line.isdigit() and int(line) > 0):
            raise ValueError(f"{path}: line {number} is {line!r}; write a length a line, a whole number of at least 1")
    if not any(lines):
        raise ValueError(f"{path} has no lengths; write one a line")
    return tuple(int(line or 0) for line in lines)

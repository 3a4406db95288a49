"""What a C++ source is made of: itself, and the headers beside it that it includes."""

from __future__ import annotations

import re
from pathlib import Path

_INCLUDED = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def with_headers(source: Path) -> list[Path]:
    """The source and, each once, the headers that it includes by a name in quotes, and that those include.

    Raises OSError for a source that can't be read. A header that isn't beside it is the compiler's business.
    """
    found: list[Path] = []
    waiting = [source]
    while waiting:
        path = waiting.pop(0)
        if path in found:
            continue
        found.append(path)
        beside = (path.parent / name for name in _INCLUDED.findall(path.read_text(encoding="utf-8")))
        waiting += [header for header in beside if header.is_file()]
    return found

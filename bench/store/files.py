"""Files that are either there whole or not at all, and errors that name the file and the field."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


class BrokenFile(Exception):
    """A file of a run that cannot be used; the text names the file, the field and what is wrong."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a crash, a kill or a full disk leaves the old one, or none, but never a part.

    Raises OSError naming the file when it cannot be written; a temporary file is not left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: Path, content: Any, indent: int | None = 1) -> None:
    """Write JSON, indented by one so that a diff shows which figure changed, or on one line where it is so large that
    nobody would look; NaN is refused."""
    write_atomically(path, json.dumps(content, indent=indent, allow_nan=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises BrokenFile when it is missing, truncated, or no object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BrokenFile(f"{path}: there is no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenFile(f"{path}: cannot be read: {error}") from None
    except json.JSONDecodeError as error:
        raise BrokenFile(f"{path}: not JSON, or cut off: {error.msg} at line {error.lineno}") from None
    if not isinstance(content, dict):
        raise BrokenFile(f"{path}: holds {type(content).__name__}, not an object")
    return content


def take(content: Any, path: Path, field: str, kind: type | tuple[type, ...]) -> Any:
    """The value at a dotted field such as `machine.cpu`, which must be of this kind.

    Raises BrokenFile naming the file and the field.
    """
    value = content
    for key in field.split("."):
        if not isinstance(value, dict) or key not in value:
            raise BrokenFile(f"{path}: the field {field} is missing")
        value = value[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind in (int, float)):
        raise BrokenFile(f"{path}: the field {field} is {type(value).__name__}, not what it should be")
    return value

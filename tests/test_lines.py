"""Lines of code: what counts, which files belong to an implementation, and no import of any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.table.lines import count, count_native, count_python, lines_of, parts_of
from rnn_impls import registry, whole

PYTHON = '''"""A module.

Its second paragraph.
"""

import os  # counts

# does not


class Own:
    """Says what it is."""

    size = 3
    """Says what that is."""

    def run(self, text=(
        1,

        2,
    )):
        """Runs."""
        kernel = """
        int main() {

        }
        """
        return kernel, "# no comment"
'''

NATIVE = """// a comment
#include <vector>  // counts

/* several
   lines */ int one = 1; /* and after */
/*
 */
const char* text = "// no comment /* nor this";
char quote = '"'; // "
int big = 1'000'000;
auto raw = R"(
// within a string
)";
"""


def test_python_lines() -> None:
    """Import, class, size, four of the signature that hold something, three of the string's and its closing, return."""
    assert count_python(PYTHON) == 1 + 1 + 1 + 4 + 4 + 1


@pytest.mark.parametrize("text", ["", "\n\n", '"""Only words."""\n', "# only a comment\n"])
def test_nothing_is_nothing(text: str) -> None:
    """Files without code."""
    assert count_python(text) == 0


def test_native_lines() -> None:
    """Strings that look like comments are code, and comments that hold quotes are not."""
    assert count_native(NATIVE) == 1 + 1 + 1 + 1 + 1 + 3


@pytest.mark.parametrize("name", registry.BUILTIN)
def test_every_name_of_the_registry_has_lines(name: str) -> None:
    """Found by its name alone; what all share counts for none."""
    files = parts_of(name)
    assert files and not {"interface.py", "registry.py", "__init__.py"} & {path.name for path in files}
    assert 10 < (lines_of(name) or 0) < 2000


def test_a_file_of_ones_own_with_its_kernel(tmp_path: Path) -> None:
    """C++ of the same stem counts, what the file names, and headers of these; other files beside it do not."""
    (tmp_path / "mine.py").write_text('import torch\nSOURCES = ["kernels.cu", "gone.cpp"]\n')
    (tmp_path / "mine.cpp").write_text('#include "mine.hpp"\n// no\nint b;\n')
    (tmp_path / "mine.hpp").write_text('#include <vector>\n#include "gone.hpp"\n')
    (tmp_path / "kernels.cu").write_text("int c;\n")
    (tmp_path / "other.cpp").write_text("int d;\n" * 50)
    name = f"{tmp_path}/mine.py:Mine"
    assert {path.name for path in parts_of(name)} == {"mine.py", "mine.cpp", "mine.hpp", "kernels.cu"}
    assert lines_of(name) == 2 + 2 + 2 + 1


def test_helpers_within_the_package_count_once(tmp_path: Path) -> None:
    """What it imports of rnn_impls belongs to it, whoever else does so, too."""
    path = tmp_path / "mine.py"
    path.write_text("from rnn_impls.whole import Whole\nfrom rnn_impls import whole, registry\n")
    assert sorted(each.name for each in parts_of(f"{path}:Mine")) == ["mine.py", "whole.py"]
    assert lines_of(f"{path}:Mine") == 2 + count(Path(whole.__file__))
    path.write_text("from rnn_impls.whole import Whole\n\n\nclass Mine(Whole):\n    pass\n")
    assert lines_of(f"{path}:Mine") == 1 + 2 + (lines_of("whole") or 0), "and of that file the class alone"


SEVERAL = '''"""Two cells."""
import math
import torch
from torch import nn

SIZE = 3
UNUSED = 4


def squash(x):
    return torch.tanh(x) * SIZE


def decorated(cls):
    return cls


class Other(nn.Module):
    """Has nothing to do with it."""

    def forward(self, x):
        return math.pi * x


@decorated
class Mine(nn.Module):
    """Is meant."""

    class Inner(nn.Module):
        """Is within."""

        size = SIZE

    def forward(self, x):
        # squashed
        return squash(x)


Mine.devices = ("cpu",)

if __name__ == "__main__":
    print(Mine(), Other())
'''


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        # the class with its decorator 6, squash and decorated 4, SIZE, torch, nn, and what is set afterwards
        ("Mine", 6 + 4 + 3 + 1),
        ("Other", 3 + 2),  # and math, nn
        ("Mine.Inner", 2 + 2),  # and SIZE, nn
        ("Nobody", 21),  # which may be made in some other way: all that there is
    ],
)
def test_of_a_file_of_several_the_class_and_what_it_needs(tmp_path: Path, name: str, lines: int) -> None:
    """Not what others in it need, nor what runs when it is a script."""
    path = tmp_path / "several.py"
    path.write_text(SEVERAL)
    assert lines_of(f"{path}:{name}") == lines
    assert count(path) == 21


@pytest.mark.parametrize("content", [None, b"def broken(:\n", b"\xff\xfe\x00", b""])
def test_what_can_not_be_read_is_unknown(tmp_path: Path, content: bytes | None) -> None:
    """A file that is gone, that is no Python, that is no text, that is empty."""
    path = tmp_path / "mine.py"
    if content is not None:
        path.write_bytes(content)
    assert lines_of(f"{path}:Mine") is None


def test_a_name_nobody_knows_is_unknown() -> None:
    """Such as one of another version."""
    assert lines_of("fused-quantum") is None and parts_of("fused-quantum") == {}


def test_counting_imports_nothing_of_it() -> None:
    """Not torch, and not the modules counted."""
    code = "import sys; from bench.table.lines import lines_of; lines_of('manual'); "
    code += "print('rnn_impls.manual' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['torch'] = None; {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr

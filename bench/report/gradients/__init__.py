"""Do gradients vanish or explode? Sentences, tables and a picture of the content of gradients.json.

Everything here is a function of that content alone and needs no torch.
"""

from bench.gradients.file import read
from bench.report.gradients.curves import panels
from bench.report.gradients.sentences import TITLE, markdown, sentences, write

__all__ = ["TITLE", "markdown", "panels", "read", "sentences", "write"]

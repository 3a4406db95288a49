"""What to use: which way is the fastest where, by how much over one call of the library, and at what price.

use(cells, scene)      everything the page and the summary say of it
winners(cells)         who wins each case
with_winners(cells)    the same as columns of the table of cells
"""

from bench.report.use.contents import Use, use
from bench.report.use.winners import Winner, winners, with_winners

__all__ = ["Use", "Winner", "use", "winners", "with_winners"]

"""Which way to take for one case, by a run: from the case itself where it was measured, else from the scaling laws.

advise(run, case)   the ranking, and what it rests on
show(advice, run)   the same in words and a table, for a terminal
"""

from bench.advice.advice import Advice, Ranked, advise
from bench.advice.show import show

__all__ = ["Advice", "Ranked", "advise", "show"]

"""The scaling laws of a run, which are `bench.scaling.laws` of what `bench.results.read_run` gives.

columns(found), rows(found)   the table, in the classes of `bench.report.tables`
findings(found)               the sentences
"""

from bench.report.laws.sentences import findings
from bench.report.laws.table import columns, rows

__all__ = ["columns", "findings", "rows"]

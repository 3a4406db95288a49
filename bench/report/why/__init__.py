"""Why a run took the time it took, for the page and the summary: from its limits, its profile and its samples.

reasons    one line for each cell
findings   sentences about the ways, and about floors
bars       where the time of a step goes, way by way
roofline   what was reached of what the machine allows
operators  operators per step, way by way
contents   all of it, with scaling laws and gradients, put together for a run
"""

from bench.report.why.contents import Why, why

__all__ = ["Why", "why"]

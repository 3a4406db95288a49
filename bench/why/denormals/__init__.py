"""What denormal numbers cost where gradients vanish through them. Cells come in; counts and times leave as a table.

count       how many numbers of a gradient are denormal, by steps back (torch)
cost        the backward pass with denormals as they are and flushed, in alternation (torch)
table_file  denormals.json

A number below the least that has a full mantissa, 1.2e-38 in float32, is denormal; many processors take a hundred times
as long for an operation on one (Intel, 64 and IA-32 Architectures Optimization Reference Manual, on floating-point
assists). A gradient that vanishes passes through them for a few dozen steps before it is zero.
"""

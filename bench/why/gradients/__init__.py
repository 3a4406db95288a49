"""Do gradients vanish or explode? Ways to begin come in; norms, step by step back in time, leave as one table.

setups      every setup in order, as one plain table
flow        networks drawn from seeds, and the norms of many of them side by side (torch)
file        gradients.json: how far a gradient reaches, its rate per step, what under- and overflowed

What is read from that table, sentences, table and picture, is in `bench.report.gradients`, which needs no torch.
"""

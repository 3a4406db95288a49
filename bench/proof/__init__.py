"""The proof: how right this suite's numbers are on this machine. `python -m bench accuracy`.

Three questions, each answered by measuring:

1. Do the 95 % intervals hold the truth? Thousands of *simulated* runs go through the suite's own alternation, passes
   and intervals, on a simulated machine whose true ratio is known (`simulation`).
2. And on this machine? *Known truths*: the same call made 20, 21 and 40 times, whose ratios are 20 : 21 : 40 by
   construction, measured by real, fresh, whole runs (`truths`).
3. Is a reported speed-up repeatable, and more so than by other means? The speed-up of `whole` over `manual`, measured
   again and again: by a run of this suite, by `torch.utils.benchmark`'s `blocked_autorange`, and by
   pytest-benchmark's own rounds (`peers`). All get the same wall time, start-up included, the same core and one
   thread; they take turns in one sitting, so that all meet the same weather (`sitting`). With `--neighbour` that is the
   weather of `bench.proof.neighbour`.

What counts is the coefficient of variation of the speed-up over fresh repeats: what somebody who runs the benchmark
again tomorrow would see. Beside it stands what is left at one speed of the machine: a virtual one slows down as a whole
when its host gets busy, and interpreted code slows more than products, so that the true speed-up itself moves.
"""

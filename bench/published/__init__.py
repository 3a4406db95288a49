"""Figures that others published, as data. Tables with their sources come in; results leave, each of a Case.

results     reads the tables and refuses a broken one

issues.csv                  figures told in issues and pull requests, as they stand there; none states a dtype, so
                            that it is float32, the default of their frameworks
deepbench_vanilla_rnn.csv   Baidu DeepBench, its training set on GPUs, in ms (results/train/*.xlsx, Apache-2.0)
deepbench_gpus.csv          what each of its GPUs is, what it ran, and when its figures were last renewed

They are never part of a ratio: the machines differ.
"""

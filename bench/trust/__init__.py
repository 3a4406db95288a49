"""Proof of the gate: how often it cries wolf on an unchanged tree, and how often it misses what was planted.

sitting.py    live gate runs, unchanged and with a planted slowdown, and the peer's runs in between
peer.py       pytest-benchmark on the same cells, and its --benchmark-compare-fail
resample.py   many gate runs made of recorded pairs             offset.py    head against base where nothing changed
show.py       table and figure                                  command.py   all of it in order, or the last part alone
"""

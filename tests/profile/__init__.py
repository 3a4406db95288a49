"""Tests of profiling: on planted traces, on a fake device, and on implementations whose cost is known."""

"""Measurements beside peers: ratios in one run, printed as tables, kept in docs/bench.md."""

"""Measurements on this machine; `python -m benchmarks.<name>` prints what it found."""

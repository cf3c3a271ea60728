"""Measurements. They are started by hand: `python -m tests.bench.<name>`."""

"""The bench of the matching engine: `python -m tests.bench.matching`."""

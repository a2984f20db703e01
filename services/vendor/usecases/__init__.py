"""What the vendor service can do. Every use case takes its transaction first and never commits; the door does.

An officer's act is about one vendor, line or contract, which is how the offices work; what comes in sets (work agreements,
refusals, everything heard, everything due) is taken as a set.
"""

from . import budget, contracts, hearing, people, vendors

__all__ = ["budget", "contracts", "hearing", "people", "vendors"]

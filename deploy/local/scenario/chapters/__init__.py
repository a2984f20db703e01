"""The chapters of the scenario, in order. Each gives dated steps, has its own asserts, and a time budget in seconds."""

from . import c1_opening, c2_exits, c3_cover, c4_round, c5_told, c6_books, c7_proof

CHAPTERS = (c1_opening, c2_exits, c3_cover, c4_round, c5_told, c6_books, c7_proof)

__all__ = ["CHAPTERS"]

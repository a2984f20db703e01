"""What placement remembers: tables, SQL, rows to domain values and back. Concrete, no interface."""

from . import book, lists, people, rounds
from .seats import ask_refill, load, save, walk
from .tables import SCOPED, Base

__all__ = ["SCOPED", "Base", "ask_refill", "book", "lists", "load", "people", "rounds", "save", "walk"]

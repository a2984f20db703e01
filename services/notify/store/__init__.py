"""Tables, SQL, and the way between rows and the domain's values. Every function loads or saves a set."""

from . import messages, people, questions, tables

__all__ = ["messages", "people", "questions", "tables"]

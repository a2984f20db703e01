"""Tables, SQL, and the way between rows and the domain's values. Every function loads or saves a set."""

from . import books, imports, people, standings, tables, vault

__all__ = ["books", "imports", "people", "standings", "tables", "vault"]

"""Identifiers: fresh ones that sort by time, and ones derived from their cause."""

from uuid import UUID, uuid5

from uuid_utils.compat import uuid7

# A fixed namespace of our own: derived ids must be the same in every installation and for ever.
NAMESPACE = UUID("0192d3a4-7c1e-5b0a-9f3e-6a656d626174")


def new_id() -> UUID:
    """A fresh UUID version 7: unique, and sorted by the time it was made."""
    return uuid7()


def derived_id(*parts: object) -> UUID:
    """A UUID version 5 of the parts: the same parts give the same id, so that a repeat is the same thing.

    Parts are told apart by their position: `("ab", "c")` and `("a", "bc")` differ.
    """
    text = "".join(f"{len(part)}:{part}" for part in map(str, parts))
    return uuid5(NAMESPACE, text)

"""The registry's business metrics. Labels are kinds and codes, never anything of a person."""

from collections.abc import Mapping

from shared.metrics import counter

ROWS = counter("jembatan_registry_rows_total", "Rows of imported files, by what became of them.", ("kind", "outcome"))
REJECTS = counter("jembatan_registry_rejects_total", "Rejected rows of imported files, by reason.", ("kind", "code"))


def counted(kind: str, new: int, changed: int, unchanged: int, rejected: Mapping[str, int]) -> None:
    """Count a committed chunk."""
    for outcome, number in (("new", new), ("changed", changed), ("unchanged", unchanged)):
        ROWS.labels(kind, outcome).inc(number)
    for code, number in rejected.items():
        REJECTS.labels(kind, code).inc(number)

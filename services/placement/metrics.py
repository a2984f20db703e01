"""The business metrics of placement, declared with their meaning."""

from shared.metrics import counter, gauge

SEATS_TOLD = counter("jembatan_placement_facts_total", "Facts about seats decided by this process, by type.", ("type",))
ROUND_SECONDS = gauge("jembatan_placement_round_seconds", "Seconds the last computation of a round took in the matching process.")


def count(type: str) -> None:
    """One more fact of this type."""
    SEATS_TOLD.labels(type).inc()

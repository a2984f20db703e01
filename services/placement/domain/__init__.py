"""What placement decides: frozen values in, new values, facts or a refusal out. No clock, no I/O."""

from .book import Column, Pool, Present, column, pool
from .lifecycle import LIFECYCLE, Step, markdown, states, step
from .rounds import UNSIGNED, Round
from .values import OFFER_ACTIVE, PLACEMENT_ACTIVE, Contract, Course, Lot, Offer, Placement, Seat, Vendor
from .world import World

__all__ = [
    "LIFECYCLE",
    "OFFER_ACTIVE",
    "PLACEMENT_ACTIVE",
    "UNSIGNED",
    "Column",
    "Contract",
    "Course",
    "Lot",
    "Offer",
    "Placement",
    "Pool",
    "Present",
    "Round",
    "Seat",
    "Step",
    "Vendor",
    "World",
    "column",
    "markdown",
    "pool",
    "states",
    "step",
]

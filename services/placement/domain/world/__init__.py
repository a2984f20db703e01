"""The fold: what comes up, applied in order to state that was loaded once. Pure; the store saves what changed.

`World.apply` answers "" when a matter counted and a slug when the domain refuses it; a refusal changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import matters as m
from . import offers, people, placements, supply
from .state import State

MOVES: Final[Mapping[type[m.Matter], Callable[[State, Any], str]]] = {
    m.Answered: offers.answered,
    m.TermPassed: offers.term_passed,
    m.Wanted: offers.wanted,
    m.Agreed: offers.agreed,
    m.FamiliesChosen: people.families_chosen,
    m.Gone: people.gone,
    m.ConsentTold: people.consent_told,
    m.VendorKnown: supply.vendor_known,
    m.VendorBarred: supply.vendor_barred,
    m.ContractTold: supply.contract_told,
    m.ReductionAsked: supply.reduction_asked,
    m.ContractOver: supply.contract_over,
    m.Began: placements.began,
    m.Disputed: placements.disputed,
    m.DisputeClosed: placements.dispute_closed,
}
"""What is done about each matter."""


@dataclass(slots=True)
class World(State):
    """The state of one batch, and what is done to it."""

    def settle(self, matters: Sequence[m.Matter]) -> list[str]:
        """Apply all in order; one slug (or "") each."""
        slugs = []
        for matter in matters:
            self.cause = matter.cause
            slugs.append(self.apply(matter))
        return slugs

    def apply(self, matter: m.Matter) -> str:
        """One matter; "" or the slug of the refusal."""
        return MOVES[type(matter)](self, matter)


__all__ = ["MOVES", "State", "World"]

"""What people decide about themselves, and who is gone."""

from dataclasses import replace

from shared.events import placement as told
from shared.ids import derived_id

from .. import matters as m
from .state import State


def families_chosen(world: State, c: m.FamiliesChosen) -> str:
    """The job families a person would work in."""
    if not c.families:
        return "families-missing"
    if world.families.get(c.worker_id) == c.families:
        return "unchanged"
    world.families[c.worker_id] = c.families
    world.chosen[c.worker_id] = c
    world.tell(
        told.PreferenceGiven(
            region=c.region,
            effective_on=c.on,
            preference_id=derived_id("preference", c.worker_id),
            worker_id=c.worker_id,
            families=c.families,
        )
    )
    return ""


def gone(world: State, g: m.Gone) -> str:
    """Somebody out of reach for good gives back what they hold."""
    seat = world.seat_of(g.worker_id, g.region)
    if seat.region != g.region:
        return "region-differs"
    if g.reason == "erased":
        world.erased.add(g.worker_id)
    world.keep_seat(replace(seat, barred=g.reason))
    world.let_go(g.worker_id, g.reason, g.on)
    return ""


def consent_told(world: State, c: m.ConsentTold) -> str:
    """Who takes consent back gives back what they hold; who gives it again may have offers."""
    seat = world.seat_of(c.worker_id, c.region)
    if seat.region != c.region:
        return "region-differs"
    if c.given:
        if seat.barred == "consent_withdrawn":
            world.keep_seat(replace(seat, barred=""))
        return ""
    world.keep_seat(replace(seat, barred=seat.barred or "consent_withdrawn"))
    world.let_go(c.worker_id, "consent_withdrawn", c.on)
    return ""

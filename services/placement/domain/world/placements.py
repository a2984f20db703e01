"""What becomes of placements once they are confirmed."""

from shared.events import placement as told

from .. import matters as m
from ..lifecycle import step
from .state import State


def began(world: State, b: m.Began) -> str:
    """The first day of work has come."""
    placement = world.placements.get(b.placement_id)
    if placement is None:
        return "placement-unknown"
    move = step("placement", placement.state, "began")
    if move is None:
        return "placement-state"
    if b.on < placement.starts_on:
        world.start[placement.id] = placement
        return "too-early"
    placement = world.move_placement(placement, move, b.on)
    world.tell(
        told.PlacementStarted(
            region=placement.region, effective_on=placement.starts_on, placement_id=placement.id, worker_id=placement.worker_id
        )
    )
    world.tell_state(placement, b.on)
    return ""


def disputed(world: State, d: m.Disputed) -> str:
    """Person and vendor disagree about the placement."""
    placement = world.placements.get(d.placement_id)
    if placement is None:
        return "placement-unknown"
    move = step("placement", placement.state, "disputed")
    if move is None:
        return "placement-state"
    placement = world.move_placement(placement, move, d.on, d.reason)
    world.tell(
        told.PlacementDisputed(
            region=placement.region,
            effective_on=d.on,
            placement_id=placement.id,
            worker_id=placement.worker_id,
            reason=d.reason,
        )
    )
    world.tell_state(placement, d.on)
    return ""


def dispute_closed(world: State, d: m.DisputeClosed) -> str:
    """A dispute is settled: the placement goes on or ends."""
    placement = world.placements.get(d.placement_id)
    if placement is None:
        return "placement-unknown"
    if placement.state != "disputed" or d.outcome not in ("continues", "ended"):
        return "placement-state"
    world.tell(
        told.PlacementDisputeClosed(
            region=placement.region,
            effective_on=d.on,
            placement_id=placement.id,
            worker_id=placement.worker_id,
            outcome=d.outcome,
        )
    )
    if d.outcome == "ended":
        world.end([placement], "dispute_ended", d.on)
        return ""
    move = step("placement", "disputed", "continues")
    assert move is not None
    placement = world.move_placement(placement, move, d.on)
    world.start[placement.id] = placement
    world.tell_state(placement, d.on)
    return ""

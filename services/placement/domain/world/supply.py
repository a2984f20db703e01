"""What vendors and their contracts can take."""

from dataclasses import replace

from .. import matters as m
from ..values import Contract, Lot, Vendor
from .state import State


def vendor_known(world: State, v: m.VendorKnown) -> str:
    """A vendor that passed the selection."""
    known = world.vendors.get(v.vendor_id)
    debarred = known.debarred if known else False
    world.vendors[v.vendor_id] = Vendor(v.vendor_id, v.region, v.name, debarred)
    world.mark("vendors", v.vendor_id)
    return ""


def vendor_barred(world: State, v: m.VendorBarred) -> str:
    """A debarred vendor's open offers are withdrawn; people who work there stay."""
    known = world.vendors.get(v.vendor_id) or Vendor(v.vendor_id, v.region)
    world.vendors[v.vendor_id] = replace(known, debarred=v.barred)
    world.mark("vendors", v.vendor_id)
    if v.barred:
        world.withdraw([o for o in world.offers.values() if o.vendor_id == v.vendor_id], "debarred", v.on)
    else:
        world.refill.add(v.region)
    return ""


def contract_told(world: State, c: m.ContractTold) -> str:
    """A contract signed or amended: what its lots may hold from now on."""
    known = world.contracts.get(c.contract_id)
    if known is not None and known.state != "signed":
        return "contract-ended"
    successor = c.successor_of if known is None else known.successor_of
    name = c.vendor_name or (known.vendor_name if known else "")
    world.contracts[c.contract_id] = Contract(
        c.contract_id, c.region, c.vendor_id, name, c.terms, c.starts_on, c.ends_on, "signed", successor
    )
    world.mark("contracts", c.contract_id)
    for terms in c.lots:
        world.keep_lot(_retermed(world, c, terms))
    stated = {terms.id for terms in c.lots}
    for lot in [lot for lot in world.lots.values() if lot.contract_id == c.contract_id and lot.id not in stated]:
        # A lot that the amended terms no longer name has no seats.
        world.keep_lot(replace(lot, capacity=0, released=0, excess=lot.taken, owed=()))
    world.refill.add(c.region)
    return ""


def reduction_asked(world: State, r: m.ReductionAsked) -> str:
    """Seats asked back: free ones at once, the others as they come free."""
    lot = world.lots.get(r.lot_id)
    if lot is None or lot.contract_id != r.contract_id:
        return "lot-unknown"
    now = min(r.seats, lot.free)
    owed = lot.owed if r.seats == now else (*lot.owed, (r.request_id, r.seats - now))
    world.keep_lot(replace(lot, released=lot.released + now, owed=owed))
    if now:
        world.tell_released(lot, r.request_id, now, r.on)
    return ""


def contract_over(world: State, c: m.ContractOver) -> str:
    """The end of a contract ends all offers and placements under it."""
    known = world.contracts.get(c.contract_id)
    if known is None:
        return "contract-unknown"
    world.contracts[c.contract_id] = replace(known, state="ended")
    world.mark("contracts", c.contract_id)
    for lot in [lot for lot in world.lots.values() if lot.contract_id == c.contract_id]:
        world.keep_lot(replace(lot, open=False, owed=()))
    world.withdraw([o for o in world.offers.values() if o.contract_id == c.contract_id], "contract_ended", c.on)
    world.end([p for p in world.placements.values() if p.contract_id == c.contract_id], "contract_ended", c.on)
    return ""


def _retermed(world: State, c: m.ContractTold, t: m.LotTerms) -> Lot:
    lot = world.lots.get(t.id)
    if lot is None:
        return Lot(t.id, c.region, c.contract_id, c.vendor_id, t.agency, t.job, t.site, t.kecamatan, t.wage, t.capacity)
    # Seats given back count against the capacity until the amendment that takes them out of it.
    released = max(0, lot.released - max(0, lot.capacity - t.capacity))
    return replace(
        lot,
        agency=t.agency,
        job=t.job,
        site=t.site,
        kecamatan=t.kecamatan,
        wage=t.wage,
        capacity=t.capacity,
        released=released,
        excess=max(0, lot.taken + released - t.capacity),
    )

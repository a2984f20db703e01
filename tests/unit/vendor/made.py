"""Values for the tests of the vendor domain."""

from datetime import date
from typing import Any
from uuid import UUID, uuid4

from services.vendor.domain import AcceptedOffer, Agreement, Contract, Known, Line, Paper, Quarter, Vendor
from shared.events.vendor import Lot
from shared.regulation import Pack, sources
from shared.regulation.rules import least_price, wage_floor

REGION = "13.74"
PACK: Pack = sources.build(REGION)
START, END = date(2026, 1, 2), date(2026, 12, 31)
TODAY = date(2026, 1, 2)
FLOOR_2025, FLOOR = wage_floor(PACK, date(2025, 12, 31)), wage_floor(PACK, START)
PRICE = least_price(PACK, FLOOR, START)
KINDS = ("legal_entity", "nib", "bpjs_employment", "bpjs_health", "kbli", "bujp")


def papers(*kinds: str) -> tuple[Paper, ...]:
    return tuple(Paper(kind, "1", date(2024, 1, 1)) for kind in kinds or KINDS)


def vendor(**more: Any) -> Vendor:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "region": REGION,
        "name": "PT Contoh",
        "nib": "1",
        "registered_by": "registrar",
        "standing": "qualified",
        "papers": papers(),
    }
    return Vendor(**(fields | more))


def line(ceiling: int = 10**12, *, year: int = 2026, **more: Any) -> Line:
    spd = tuple(
        Quarter(n, 0, ceiling if n == 1 else 0, "SPD" if n == 1 else "", date(2025, 1, 1) if n == 1 else None) for n in (1, 2, 3, 4)
    )
    fields: dict[str, Any] = {
        "id": uuid4(),
        "region": REGION,
        "agency": "",
        "account": "5.1",
        "year": year,
        "ceiling": ceiling,
        "state": "approved",
        "approved_on": date(2025, 1, 1),
        "quarters": spd,
    }
    return Line(**(fields | more))


def lot(seats: int = 2, **more: Any) -> Lot:
    fields: dict[str, Any] = {
        "lot_id": uuid4(),
        "agency": "rsud",
        "job": "cleaning",
        "site": "RSUD",
        "kecamatan": "13.74.01",
        "seats": seats,
        "covered_seats": 0,
        "wage": FLOOR,
        "price_per_seat_month": PRICE,
    }
    return Lot(**(fields | more))


def contract(**more: Any) -> Contract:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "region": REGION,
        "vendor_id": uuid4(),
        "vendor_name": "PT Contoh",
        "number": "K/1",
        "starts_on": START,
        "ends_on": END,
        "lots": (lot(),),
        "line_ids": (),
        "drafted_by": "drafter",
        "obligation_incumbents": True,
        "obligation_by": date(2026, 2, 28),
    }
    return Contract(**(fields | more))


def signed(**more: Any) -> Contract:
    """A signed contract whose seats are all covered."""
    lots = more.pop("lots", (lot(2, covered_seats=2),))
    return contract(**({"state": "signed", "terms": 1, "signed_on": TODAY, "lots": lots} | more))


def offer(of: Contract, **more: Any) -> AcceptedOffer:
    fields: dict[str, Any] = {
        "offer_id": uuid4(),
        "region": REGION,
        "worker_id": uuid4(),
        "contract_id": of.id,
        "lot_id": of.lots[0].lot_id,
        "vendor_id": of.vendor_id,
        "terms": of.terms,
        "starts_on": date(2026, 1, 12),
    }
    return AcceptedOffer(**(fields | more))


def agreement(of: AcceptedOffer, **more: Any) -> Agreement:
    fields: dict[str, Any] = {
        "offer_id": of.offer_id,
        "number": f"PKWT/{of.offer_id}",
        "agreement": "pkwt",
        "wage": FLOOR,
        "starts_on": of.starts_on,
        "ends_on": END,
    }
    return Agreement(**(fields | more))


def known(of: Contract, *offers: AcceptedOffer, gone: frozenset[UUID] = frozenset(), **more: Any) -> Known:
    fields: dict[str, Any] = {
        "offers": {one.offer_id: one for one in offers},
        "contracts": {of.id: of},
        "vendors": {of.vendor_id: vendor(id=of.vendor_id)},
        "gone": gone,
        "signed": {},
        "numbers": {},
    }
    return Known(**(fields | more))

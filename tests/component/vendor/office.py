"""An office that uses the vendor service through its doors, and neighbours that tell it things."""

import itertools
from datetime import date
from typing import Any
from uuid import UUID

import httpx2

from shared.events import placement
from shared.ids import new_id
from shared.regulation import Pack, sources
from shared.regulation.rules import least_price, wage_floor
from tests.support.running import Running

REGION = "13.74"
PAPERS = ("legal_entity", "nib", "bpjs_employment", "bpjs_health", "kbli")
_numbers = itertools.count(1)


def slug(answer: httpx2.Response) -> str:
    """The slug of a refusal."""
    return str(answer.json()["type"]).rsplit("/", 1)[1]


def confirmed(offer: placement.OfferAccepted, **more: Any) -> placement.PlacementConfirmed:
    """The placement that follows an accepted and signed offer."""
    fields: dict[str, Any] = {
        "region": offer.region,
        "effective_on": date(2026, 1, 6),
        "placement_id": new_id(),
        "worker_id": offer.worker_id,
        "offer_id": offer.offer_id,
        "contract_id": offer.contract_id,
        "lot_id": offer.lot_id,
        "vendor_id": offer.vendor_id,
        "terms": offer.terms,
        "agency": "rsud",
        "job": "cleaning",
        "incumbent": True,
        "starts_on": offer.starts_on,
    }
    return placement.PlacementConfirmed(**(fields | more))


class Office:
    """Officers of a region, by role; every call goes through HTTP with a token."""

    def __init__(self, running: Running, region: str = REGION) -> None:
        self.running = running
        self.region = region
        self.pack: Pack = sources.build(region)

    async def post(
        self, path: str, body: Any, *roles: str, subject: str = "", vendor: UUID | None = None, key: str = ""
    ) -> httpx2.Response:
        """A POST by somebody with these roles."""
        who = subject or "-".join(roles)
        headers = self.running.bearer(*roles, regions=(self.region,), vendor=vendor, subject=who, key=key)
        return await self.running.http.post(path, json=body, headers=headers)

    async def get(self, path: str, *roles: str, vendor: UUID | None = None, **query: Any) -> Any:
        """What a GET answers, which must be 200."""
        headers = self.running.bearer(*roles, regions=(self.region,), vendor=vendor, subject="-".join(roles))
        answer = await self.running.http.get(path, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def done(self, path: str, body: Any, *roles: str, **more: Any) -> Any:
        """What a POST answers, which must succeed."""
        answer = await self.post(path, body, *roles, **more)
        assert answer.is_success, answer.text
        return answer.json()

    async def vendor(self, *, papers: tuple[str, ...] = (*PAPERS, "bujp"), qualified: bool = True) -> UUID:
        """A vendor with these documents, qualified by a second officer."""
        n = next(_numbers)
        body = {"region": self.region, "name": f"PT Contoh {n}", "nib": f"{n:013d}"}
        vendor = UUID((await self.done("/v1/vendors", body, "procurement_officer", subject="registrar"))["id"])
        documents = [{"kind": kind, "number": f"{kind}/{n}", "valid_from": "2024-01-01"} for kind in papers]
        await self.done(f"/v1/vendors/{vendor}/documents", {"documents": documents}, "procurement_officer", subject="registrar")
        if qualified:
            await self.qualify(vendor)
        return vendor

    async def qualify(self, vendor: UUID) -> Any:
        """The selection's outcome."""
        return await self.done(f"/v1/vendors/{vendor}/qualification", {"minutes": "BA 1"}, "procurement_officer", subject="assessor")

    async def line(
        self, ceiling: int, *, year: int = 2026, approved: str | None = "2025-08-01", released: dict[int, int] | None = None
    ) -> UUID:
        """A budget line; by default approved, with the whole ceiling released in the first quarter."""
        body = {"region": self.region, "account": f"5.1.02.02.01.{next(_numbers):04d}", "year": year, "ceiling": ceiling}
        line = UUID((await self.done("/v1/budget-lines", body, "treasurer"))["id"])
        if approved:
            await self.done(f"/v1/budget-lines/{line}/approval", {"dpa_number": "DPA 1", "approved_on": approved}, "treasurer")
            for quarter, amount in ({1: ceiling} if released is None else released).items():
                spd = {"quarter": quarter, "spd_number": f"SPD {quarter}", "released_on": approved, "amount": amount}
                await self.done(f"/v1/budget-lines/{line}/releases", spd, "treasurer")
        return line

    def price(self, on: date = date(2026, 1, 2), wage: int | None = None) -> int:
        """The least lawful price of a seat-month at the floor."""
        return least_price(self.pack, wage or wage_floor(self.pack, on), on)

    def lot(self, seats: int = 2, **more: Any) -> dict[str, Any]:
        """A lot of cleaners at the floor of 2026."""
        return {
            "agency": "rsud",
            "job": "cleaning",
            "site": "RSUD",
            "kecamatan": "13.74.01",
            "seats": seats,
            "wage": wage_floor(self.pack, date(2026, 1, 2)),
            "price_per_seat_month": self.price(),
            **more,
        }

    async def draft(self, vendor: UUID, *lines: UUID, lots: list[dict[str, Any]] | None = None, **more: Any) -> Any:
        """A draft for the year 2026."""
        body = {
            "region": self.region,
            "vendor_id": str(vendor),
            "number": f"K/{next(_numbers)}",
            "budget_line_ids": [str(line) for line in lines],
            "starts_on": "2026-01-02",
            "ends_on": "2026-12-31",
            "lots": [self.lot()] if lots is None else lots,
            "obligation": {"incumbents": True, "by": "2026-02-28"},
            **more,
        }
        return await self.done("/v1/contracts", body, "procurement_officer")

    async def sign(self, contract: str, *, subject: str = "signer") -> httpx2.Response:
        """The commitment officer's signature."""
        return await self.post(f"/v1/contracts/{contract}/signature", None, "commitment_officer", subject=subject)

    async def contract(self, *, seats: int = 2, ceiling: int = 0, **more: Any) -> Any:
        """A signed contract of a new vendor on a new line."""
        vendor, line = await self.vendor(), await self.line(ceiling or 12 * seats * self.price())
        drafted = await self.draft(vendor, line, lots=[self.lot(seats)], **more)
        answer = await self.sign(drafted["id"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    def accepted(self, contract: Any, *, worker: UUID | None = None, **more: Any) -> placement.OfferAccepted:
        """Somebody accepted a seat of the contract's first lot."""
        fields: dict[str, Any] = {
            "region": self.region,
            "effective_on": date(2026, 1, 5),
            "offer_id": new_id(),
            "worker_id": worker or new_id(),
            "contract_id": UUID(contract["id"]),
            "lot_id": UUID(contract["lots"][0]["lot_id"]),
            "vendor_id": UUID(contract["vendor_id"]),
            "terms": contract["terms"],
            "starts_on": date(2026, 1, 12),
        }
        return placement.OfferAccepted(**(fields | more))

    def agreement(self, offer: placement.OfferAccepted, **more: Any) -> dict[str, Any]:
        """The work agreement that fits the offer."""
        return {
            "offer_id": str(offer.offer_id),
            "number": f"PKWT/{next(_numbers)}",
            "agreement": "pkwt",
            "wage": wage_floor(self.pack, date(2026, 1, 2)),
            "starts_on": offer.starts_on.isoformat(),
            "ends_on": "2026-12-31",
            **more,
        }

    async def hand_in(self, vendor: str, *items: dict[str, Any]) -> list[dict[str, Any]]:
        """The vendor hands in work agreements."""
        answer = await self.done("/v1/work-agreements", {"items": list(items)}, "vendor_user", vendor=UUID(vendor))
        found: list[dict[str, Any]] = answer["items"]
        return found

"""A small region as its neighbours tell it: people, vendors, contracts, seals; and a round driven through its public doors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.events import notify, registry, vendor
from shared.events.base import Fact
from shared.ids import derived_id, new_id
from tests.support.running import Running

REGION = "13.74"
START = date(2026, 1, 5)
SERVICE_END = date(2025, 12, 31)


@dataclass
class World:
    """What was told so far; knows ids by name. `tag` keeps the names of one test apart from those of another on one service."""

    app: Running
    tag: str = ""
    since: int = 0
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    region: str = REGION
    roll: list[tuple[UUID, int]] = field(default_factory=list)
    capacity: list[tuple[UUID, int]] = field(default_factory=list)
    lots: dict[str, vendor.Lot] = field(default_factory=dict)
    vendors: dict[str, UUID] = field(default_factory=dict)
    contracts: dict[str, UUID] = field(default_factory=dict)

    def id(self, name: str) -> UUID:
        """The worker of this name."""
        return derived_id("test worker", self.tag, name)

    async def say(self, *facts: Fact) -> None:
        """Tell, and remember the versions that a seal must name."""
        await self.app.say(*facts)
        for fact in facts:
            pin = (fact.aggregate_id, self.app._versions[fact.aggregate_id])
            if fact.kind.aggregate in ("worker", "eligibility", "consent", "credential"):
                self.roll = [p for p in self.roll if p[0] != pin[0]] + [pin]
            elif fact.kind.aggregate == "contract":
                self.capacity = [p for p in self.capacity if p[0] != pin[0]] + [pin]

    async def people(
        self,
        names: Iterable[str],
        *,
        agency: str = "rsud",
        family: str = "cleaning",
        since: date = date(2014, 3, 1),
        end: date | None = SERVICE_END,
        kecamatan: str = "13.74.01",
    ) -> list[UUID]:
        """Register people whose service ends, each found eligible."""
        facts: list[Fact] = []
        ids = []
        for name in names:
            ids.append(self.id(name))
            facts.append(
                registry.WorkerRegistered(
                    region=self.region,
                    effective_on=date(2024, 11, 30),
                    worker_id=self.id(name),
                    worker_number=f"N{name}",
                    agency=agency,
                    job_family=family,
                    kecamatan=kecamatan,
                    service_start=since,
                    service_end=end,
                )
            )
            facts.append(
                registry.EligibilityDecided(
                    region=self.region,
                    effective_on=date(2024, 11, 30),
                    eligibility_id=derived_id("eligibility", self.id(name)),
                    worker_id=self.id(name),
                    verdict="eligible",
                    reasons=(),
                    rule="scheme",
                )
            )
        await self.say(*facts)
        return ids

    async def credential(
        self, name: str, credential: str, class_: str = "", *, from_: date = date(2024, 1, 1), until: date | None = date(2027, 12, 31)
    ) -> None:
        """Record a credential."""
        await self.say(
            registry.CredentialRecorded(
                region=self.region,
                effective_on=from_,
                credential_id=derived_id("credential", self.id(name), credential, class_),
                worker_id=self.id(name),
                credential=credential,
                class_=class_,
                valid_from=from_,
                valid_until=until,
            )
        )

    async def contract(
        self,
        name: str,
        lots: Sequence[tuple[str, str, str, int]],
        *,
        of: str = "PT Contoh",
        starts_on: date = START,
        ends_on: date = date(2026, 12, 31),
        successor_of: UUID | None = None,
    ) -> UUID:
        """Sign a contract; lots as (name, agency, job, seats)."""
        if of not in self.vendors:
            self.vendors[of] = derived_id("vendor", self.tag, of)
            await self.say(
                vendor.VendorQualified(region=self.region, effective_on=START, vendor_id=self.vendors[of], name=of, qualified_until=None)
            )
        self.contracts[name] = derived_id("contract", self.tag, name)
        for lot, agency, job, seats in lots:
            self.lots[lot] = vendor.Lot(
                lot_id=derived_id("lot", self.tag, lot),
                agency=agency,
                job=job,
                site="gedung utama",
                kecamatan="13.74.01",
                seats=seats,
                covered_seats=seats,
                wage=3_182_955,
                price_per_seat_month=4_842_411,
            )
        await self.say(
            vendor.ContractSigned(
                region=self.region,
                effective_on=START,
                contract_id=self.contracts[name],
                vendor_id=self.vendors[of],
                vendor_name=of,
                number=f"K-{name}",
                terms=1,
                starts_on=starts_on,
                ends_on=ends_on,
                lots=tuple(self.lots[lot] for lot, *_ in lots),
                obligation_incumbents=True,
                obligation_by=date(2026, 2, 1),
                successor_of=successor_of,
            )
        )
        return self.contracts[name]

    async def seal(self, *, chunks: int = 1) -> tuple[UUID, UUID]:
        """Seal the roll and the capacity; the seal ids."""
        now = datetime.now(UTC)
        roll, capacity = new_id(), new_id()
        size = -(-len(self.roll) // chunks) or 1
        pieces = [self.roll[i : i + size] for i in range(0, len(self.roll), size)] or [[]]
        for number, piece in enumerate(pieces, start=1):
            await self.app.say(
                registry.RollSealed(
                    region=self.region,
                    effective_on=START,
                    roll_id=derived_id("roll", self.region),
                    seal_id=roll,
                    as_of=now,
                    chunk=number,
                    chunks=len(pieces),
                    ids=tuple(i for i, _ in piece),
                    versions=tuple(v for _, v in piece),
                )
            )
        await self.app.say(
            vendor.CapacitySealed(
                region=self.region,
                effective_on=START,
                capacity_id=derived_id("capacity", self.region),
                seal_id=capacity,
                as_of=now,
                chunk=1,
                chunks=1,
                ids=tuple(i for i, _ in self.capacity),
                versions=tuple(v for _, v in self.capacity),
            )
        )
        return roll, capacity

    # -- officers

    async def get(self, path: str, *roles: str, status: int = 200, **params: Any) -> Any:
        """Read a door as a caller with these roles (none: without a token)."""
        headers = self.app.bearer(*roles, regions=(self.region,)) if roles else {}
        answer = await self.app.http.get(path, params=params, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def post(self, path: str, body: dict[str, Any], role: str, *, subject: str = "u1", status: int = 200) -> Any:
        """Write through a door."""
        headers = self.app.bearer(role, regions=(self.region,), subject=subject, key=str(new_id()))
        answer = await self.app.http.post(path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def open_round(self, starts_on: date = START, *, status: int = 201, seals: tuple[UUID, UUID] | None = None, **more: Any) -> Any:
        """Seal and open a round; the round, frozen."""
        roll, capacity = seals or await self.seal()
        await self.app.settle()
        body = {
            "region": self.region,
            "roll_seal_id": str(roll),
            "capacity_seal_id": str(capacity),
            "starts_on": starts_on.isoformat(),
            **more,
        }
        found = await self.post("/v1/rounds", body, "placement_signer", subject="opener", status=status)
        if status != 201:
            return found
        await self.app.settle()
        return await self.get(f"/v1/rounds/{found['id']}")

    async def signed_round(self, starts_on: date = START, **more: Any) -> Any:
        """A round from opening to signature; offers are open."""
        found = await self.open_round(starts_on, **more)
        path = f"/v1/rounds/{found['id']}"
        await self.post(f"{path}/draw", {"r": "5a" * 32}, "auditor", subject="auditor", status=202)
        await self.app.settle()
        run = await self.get(path)
        assert run["state"] == "computed", run
        signed = await self.post(f"{path}/signature", {"run_sha256": run["run_sha256"]}, "placement_signer", subject="signer")
        await self.app.settle()
        return signed

    async def offers(self, **filters: Any) -> list[Any]:
        """Offers through the door."""
        contracts = {str(c) for c in self.contracts.values()}
        found: list[Any] = []
        for contract in sorted(contracts):
            page = await self.get("/v1/offers", "placement_signer", region=self.region, limit=500, contract_id=contract, **filters)
            assert page["next"] is None
            found += page["items"]
        return found

    async def open_offers(self) -> dict[UUID, Any]:
        """Open offers by worker."""
        return {UUID(o["worker_id"]): o for o in await self.offers(state="open")}

    async def lot(self, name: str) -> Any:
        """A lot through the door."""
        contract_ids = [str(c) for c in self.contracts.values()]
        found: dict[str, list[Any]] = {"items": []}
        for contract in contract_ids:
            found["items"] += (await self.get("/v1/lots", "placement_signer", region=self.region, contract_id=contract))["items"]
        return next(lot for lot in found["items"] if lot["id"] == str(self.lots[name].lot_id))

    async def pool(self, **params: Any) -> Any:
        """The pool through the door."""
        return await self.get(f"/v1/regions/{self.region}/pool", "people_officer", **params)

    async def stands(self, **params: Any) -> dict[UUID, tuple[str, str]]:
        """Column and reason by worker, of everybody in the region's pool."""
        found: dict[UUID, tuple[str, str]] = {}
        cursor: dict[str, Any] = {}
        while True:
            page = await self.get(f"/v1/regions/{self.region}/pool/people", "inspector", limit=500, **params, **cursor)
            found |= {UUID(p["worker_id"]): (p["column"], p["reason"]) for p in page["items"]}
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    async def events(self, type: type[Fact]) -> list[Any]:
        """Facts of one type that placement decided since this test began."""
        rows = await self.app.rows("SELECT type, body FROM event WHERE seq > $1 AND type = $2 ORDER BY seq", self.since, type.kind.type)
        return [msgspec.json.decode(row["body"], type=type) for row in rows]

    # -- what others say about offers

    def answer(self, offer: Any, says: str, *, at: datetime | None = None, worker_id: UUID | None = None, **more: Any) -> Fact:
        """An answer at the front desk."""
        return notify.AnswerReceived(
            region=self.region,
            effective_on=START,
            # A question belongs to one worker: its answers keep their order.
            question_id=derived_id("question", offer["id"], worker_id or offer["worker_id"]),
            worker_id=worker_id or UUID(offer["worker_id"]),
            matter="offer",
            about=UUID(offer["id"]),
            says=says,
            reasons=more.get("reasons", ()),
            families=(),
            channel="desk",
            received_at=at or self.app.clock.now().business,
            received_wall=datetime.now(UTC),
        )

    def wishes(self, worker_id: UUID, *families: str) -> Fact:
        """Job families told at the desk."""
        return notify.AnswerReceived(
            region=self.region,
            effective_on=START,
            question_id=derived_id("preference question", worker_id),
            worker_id=worker_id,
            matter="preference",
            about=worker_id,
            says="yes",
            reasons=(),
            families=families,
            channel="desk",
            received_at=self.app.clock.now().business,
            received_wall=datetime.now(UTC),
        )

    def term(self, offer: Any, evidence: str = "visit", on: date | None = None) -> Fact:
        """A term that passed."""
        return notify.QuestionClosed(
            region=self.region,
            effective_on=on or date.fromisoformat(offer["answer_by"]),
            question_id=derived_id("question", offer["id"], offer["worker_id"]),
            worker_id=UUID(offer["worker_id"]),
            matter="offer",
            about=UUID(offer["id"]),
            evidence=evidence,
            reached_at=datetime.now(UTC),
        )

    def agreement(self, offer: Any, **more: Any) -> Fact:
        """A work agreement for an accepted offer."""
        told: dict[str, Any] = {
            "region": self.region,
            "effective_on": START,
            "work_agreement_id": derived_id("agreement", offer["id"]),
            "worker_id": UUID(offer["worker_id"]),
            "offer_id": UUID(offer["id"]),
            "contract_id": UUID(offer["contract_id"]),
            "lot_id": UUID(offer["lot_id"]),
            "vendor_id": UUID(offer["vendor_id"]),
            "terms": offer["terms"],
            "agreement": "pkwt",
            "number": "PK-1",
            "starts_on": date.fromisoformat(offer["starts_on"]),
            "ends_on": date(2026, 12, 31),
        }
        return vendor.WorkAgreementRecorded(**(told | more))

    async def slugs(self) -> list[str]:
        """Slugs of what was refused since this test began, sorted."""
        rows = await self.app.rows("SELECT slug FROM inbox_outcome WHERE outcome = 'refused' AND at > $1", self.began)
        return sorted(row["slug"] for row in rows)

    async def sound(self) -> None:
        """The invariants, with SQL of their own: seats, one thing per person, facts without holes, each fact audited."""
        rows = await self.app.rows(
            "SELECT l.id, l.taken, l.capacity, l.released, l.excess,"
            " (SELECT count(*) FROM offer o WHERE o.lot_id = l.id AND o.state IN ('open', 'accepted'))"
            " + (SELECT count(*) FROM placement p WHERE p.lot_id = l.id AND p.state IN ('confirmed', 'started', 'disputed')) AS held"
            " FROM lot l"
        )
        for row in rows:
            assert row["taken"] == row["held"], row
            assert row["taken"] + row["released"] <= row["capacity"] + row["excess"], row
        bad = await self.app.rows(
            "SELECT worker_id FROM (SELECT worker_id FROM offer WHERE state IN ('open', 'accepted') UNION ALL"
            " SELECT worker_id FROM placement WHERE state IN ('confirmed', 'started', 'disputed')) x GROUP BY 1 HAVING count(*) > 1"
        )
        assert not bad
        holes = await self.app.rows("SELECT aggregate_id FROM event GROUP BY aggregate_id HAVING max(version) <> count(*)")
        assert not holes
        unaudited = await self.app.rows("SELECT id FROM event e WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.event_id = e.id)")
        assert not unaudited

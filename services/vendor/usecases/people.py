"""Work agreements, refusals, rosters and cases; and what is heard about people."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.vendor import metrics
from services.vendor.domain import Agreement, Case, Known, Verdict, refusal
from services.vendor.domain import people as rules
from services.vendor.store import contracts, vendors
from services.vendor.store import people as store
from shared.db import LostRace, Tx
from shared.errors import NotFound
from shared.events import Fact
from shared.events.vendor import RosterReported
from shared.ids import derived_id

from .contracts import offers_known, one, regional_packs
from .reach import own, reach


async def record_agreements(tx: Tx, items: Sequence[Agreement]) -> list[Verdict]:
    """Compare what a vendor signed with what people accepted, and record what fits; one bad item never fails its batch."""
    vendor_id, day = own(tx.scope, "agreement.write"), tx.stamp.day
    await offers_known(tx)
    await store.about_people(tx)
    offers = await store.load_offers(tx, [item.offer_id for item in items])
    known = Known(
        offers=offers,
        contracts=await contracts.load_contracts(tx, [offer.contract_id for offer in offers.values()]),
        vendors=await vendors.load_vendors(tx, [vendor_id]),
        gone=await store.gone(tx, [offer.worker_id for offer in offers.values()]),
        signed=await store.load_signed(tx, list(offers)),
        numbers=await store.used_numbers(tx, vendor_id, [item.number for item in items]),
    )
    verdicts = rules.record(items, known, vendor_id, day)
    new = [verdict.signed for verdict in verdicts if verdict.outcome == "recorded" and verdict.signed is not None]
    if await store.insert_agreements(tx, new) != len(new):
        raise LostRace("an agreement's number was used meanwhile")
    for verdict in verdicts:
        if verdict.fact is not None:
            tx.emit(verdict.fact)
        metrics.AGREEMENTS.labels(verdict.slug or verdict.outcome).inc()
    return verdicts


async def refuse_people(tx: Tx, items: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, str, Case | None]]:
    """A vendor says it cannot take people: pairs of offer and ground. Answers the offer, a slug (or `opened`, `unchanged`), the case."""
    vendor_id, day = own(tx.scope, "refusal.write"), tx.stamp.day
    await offers_known(tx)
    await store.about_people(tx)
    offers = await store.load_offers(tx, [offer for offer, _ in items])
    offers = {offer_id: offer for offer_id, offer in offers.items() if offer.vendor_id == vendor_id}
    packs = await regional_packs(tx, {offer.region for offer in offers.values()})
    signed = await store.load_signed(tx, list(offers))
    decided: list[tuple[UUID, tuple[Case, Fact] | str]] = []
    for offer_id, ground in items:
        offer = offers.get(offer_id)
        pack = packs.get(offer.region) if offer is not None else None
        decided.append((offer_id, rules.refuse_person(offer, ground, pack, offer_id in signed, day)))
    new = await store.insert_cases(tx, list({one[1][0].id: one[1][0] for one in decided if not isinstance(one[1], str)}.values()))
    answers: list[tuple[UUID, str, Case | None]] = []
    for offer_id, outcome in decided:
        if isinstance(outcome, str):
            answers.append((offer_id, outcome, None))
            continue
        case, fact = outcome
        answers.append((offer_id, "opened" if case.id in new else "unchanged", case))
        if case.id in new:
            new.discard(case.id)
            tx.emit(fact, pack=packs[case.region].sha256)
    return answers


async def report_roster(tx: Tx, *, contract_id: UUID, month: date, people: Sequence[tuple[UUID, UUID]]) -> tuple[UUID, int]:
    """A vendor's own list of a month, pairs of worker and lot; reported again, it replaces the one before."""
    own(tx.scope, "roster.write")
    await store.about_people(tx)
    contract = await one(tx, contract_id, "roster.write")
    lots = {lot.lot_id for lot in contract.lots}
    if any(lot not in lots for _, lot in people):
        raise refusal("unknown-lot", "a lot is not one of the contract's", field="people")
    if len({worker for worker, _ in people}) != len(people):
        raise refusal("double-person", "a person stands on the roster twice", field="people")
    roster_id = derived_id("roster", contract_id, month)
    await store.put_roster(tx, roster_id, contract.region, contract_id, contract.vendor_id, month, people)
    fact = RosterReported(
        region=contract.region,
        effective_on=tx.stamp.day,
        roster_id=roster_id,
        contract_id=contract_id,
        month=month,
        people=len(people),
    )
    tx.emit(fact)
    return roster_id, len(people)


async def decide_case(tx: Tx, case_id: UUID, outcome: str) -> Case:
    """An officer decides a case, once."""
    case = await store.lock_case(tx, case_id)
    if case is None:
        raise NotFound
    tx.scope.require("case.write", region=case.region)
    fact = rules.decide_case(case, outcome, tx.stamp.day)
    await store.decide_case(tx, case_id, outcome)
    tx.emit(fact)
    return Case(**{**{name: getattr(case, name) for name in case.__slots__}, "state": "decided", "outcome": outcome})


async def accepted(tx: Tx, region: str, state: str | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """The caller's own accepted offers, one more than asked for."""
    vendor_id = own(tx.scope, "offer.read.own")
    tx.scope.require("offer.read.own", region=region)
    return await store.list_offers(tx, region, state, vendor_id, after, limit + 1)


async def agreements(tx: Tx, region: str, contract: UUID | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """Work agreements, one more than asked for; a vendor's people see their own."""
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    return await store.list_agreements(tx, region, mine, contract, after, limit + 1)


async def rosters(tx: Tx, region: str, month: date | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """Rosters, one more than asked for."""
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    return await store.list_rosters(tx, region, mine, month, after, limit + 1)


async def roster_people(tx: Tx, roster_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """The people on a roster, one more than asked for; one that the caller may not reach is not found."""
    tx.scope.require("contract.read" if tx.scope.may("contract.read") else "offer.read.own")
    region = await store.region_of_roster(tx, roster_id)
    if region is None:
        raise NotFound
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    return await store.roster_people(tx, roster_id, mine, after, limit + 1)


async def cases(tx: Tx, region: str, state: str | None, after: UUID | None, limit: int) -> list[Case]:
    """Cases, one more than asked for."""
    mine = reach(tx.scope, region, "contract.read", "case.write", "offer.read.own")
    return await store.list_cases(tx, region, state, mine, after, limit + 1)

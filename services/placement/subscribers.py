"""What placement hears, translated into its own words."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from shared.db import Tx
from shared.events import Fact, notify, registry, vendor
from shared.regulation import rules
from shared.subscriptions import APPLIED, Heard, Outcome, parked, projection, reaction, refused

from . import store
from .domain import matters as m
from .usecases.matters import settle

PARKED = frozenset({"region-differs"})
"""Not a refusal: two services disagree about where somebody lives, and a person must look."""


async def _settle(tx: Tx, heard: Sequence[Heard], matters: Sequence[m.Matter | None]) -> list[Outcome]:
    """Settle what was translated; None is nothing to us."""
    slugs = iter(await settle(tx, tx.scope, [matter for matter in matters if matter is not None]))
    found = ["" if matter is None else next(slugs) for matter in matters]
    return [APPLIED if not slug else parked(slug) if slug in PARKED else refused(slug) for slug in found]


# --- projections -----------------------------------------------------------------------------------------------------------


@projection(
    "placement.people",
    registry.WorkerRegistered,
    registry.WorkerProfileCorrected,
    registry.WorkerLaidOff,
    registry.WorkerRecalled,
    registry.WorkerProposed,
    registry.WorkerExited,
    registry.WorkerLeft,
    registry.WorkerMerged,
    registry.WorkerErased,
    registry.RollSealed,
    tables=("person", "person_history", "roll_chunk"),
)
async def people(tx: Tx, heard: Sequence[Heard]) -> None:
    """Who the people are, what was decreed about them and when; sealed rolls."""
    profiles: dict[Any, dict[str, Any]] = {}
    history: dict[Any, list[dict[str, Any]]] = {}
    erased: list[Any] = []
    chunks: list[dict[str, Any]] = []
    for one in heard:
        match one.fact:
            case registry.WorkerRegistered() | registry.WorkerProfileCorrected() as fact:
                before = profiles.get(fact.worker_id, {})
                number = getattr(fact, "worker_number", "") or before.get("worker_number", "")
                profiles[fact.worker_id] = {
                    "worker_id": fact.worker_id,
                    "region": fact.region,
                    "worker_number": number,
                    "agency": fact.agency,
                    "job_family": fact.job_family,
                    "kecamatan": fact.kecamatan,
                    "service_start": fact.service_start,
                    "service_end": fact.service_end,
                }
            case registry.WorkerErased() as fact:
                profiles.pop(fact.worker_id, None)
                history.pop(fact.worker_id, None)
                erased.append(fact.worker_id)
            case registry.RollSealed() as fact:
                chunks.append(_chunk(fact))
            case fact:
                aspect, value = _decree(fact)
                history.setdefault(fact.aggregate_id, []).append(
                    {
                        "worker_id": fact.aggregate_id,
                        "version": one.version,
                        "region": fact.region,
                        "aspect": aspect,
                        "value": value,
                        "effective_on": fact.effective_on,
                        "recorded_at": one.time,
                    }
                )
    await store.people.keep_people(tx, list(profiles.values()), [row for rows in history.values() for row in rows], erased)
    await store.people.keep_chunks(tx, "roll_chunk", chunks)


def _decree(fact: Fact) -> tuple[str, str]:
    match fact:
        case registry.WorkerLaidOff():
            return "stop", "laid_off"
        case registry.WorkerRecalled():
            return "recall", "recalled"
        case registry.WorkerProposed():
            return "proposal", "withdrawn" if fact.withdrawn else fact.route
        case registry.WorkerExited():
            return "exit", fact.route
        case registry.WorkerLeft():
            return "left", fact.reason
        case registry.WorkerMerged():
            return "merged", str(fact.survivor_id)
        case _:
            raise TypeError(fact.kind.type)


def _chunk(fact: registry.Pin) -> dict[str, Any]:
    seal = getattr(fact, "seal_id")  # noqa: B009 - both seals have it, their common base does not
    pins = msgspec.json.encode(list(zip(fact.ids, fact.versions, strict=True))).decode()
    return {"seal_id": seal, "chunk": fact.chunk, "region": fact.region, "chunks": fact.chunks, "as_of": fact.as_of, "pins": pins}


@projection(
    "placement.rights",
    registry.EligibilityDecided,
    registry.ConsentChanged,
    registry.CredentialRecorded,
    tables=("credential", "right_history"),
)
async def rights(tx: Tx, heard: Sequence[Heard]) -> None:
    """Verdicts on the scheme, consents, credentials."""
    credentials: dict[Any, dict[str, Any]] = {}
    history: list[dict[str, Any]] = []
    for one in heard:
        match one.fact:
            case registry.CredentialRecorded() as fact:
                credentials[fact.credential_id] = {
                    "credential_id": fact.credential_id,
                    "worker_id": fact.worker_id,
                    "region": fact.region,
                    "credential": fact.credential,
                    "class_": fact.class_,
                    "valid_from": fact.valid_from,
                    "valid_until": fact.valid_until,
                }
            case registry.EligibilityDecided() as fact:
                why = fact.reasons[0] if fact.reasons else ""
                history.append(_right(one, fact.worker_id, "verdict", fact.verdict, why))
            case registry.ConsentChanged() as fact:
                history.append(_right(one, fact.worker_id, "consent", "yes" if fact.given else "no", fact.channel))
            case _:
                raise TypeError(one.fact.kind.type)
    await store.people.keep_rights(tx, list(credentials.values()), history)


def _right(one: Heard, worker_id: Any, aspect: str, value: str, why: str) -> dict[str, Any]:
    return {
        "aggregate_id": one.fact.aggregate_id,
        "version": one.version,
        "worker_id": worker_id,
        "region": one.fact.region,
        "aspect": aspect,
        "value": value,
        "why": why,
        "effective_on": one.fact.effective_on,
        "recorded_at": one.time,
    }


@projection("placement.capacity", vendor.CapacitySealed, tables=("capacity_chunk",))
async def capacity(tx: Tx, heard: Sequence[Heard]) -> None:
    """Sealed capacity."""
    await store.people.keep_chunks(tx, "capacity_chunk", [_chunk(one.fact) for one in heard if isinstance(one.fact, registry.Pin)])


# --- reactions -------------------------------------------------------------------------------------------------------------


@reaction("placement.departures", registry.WorkerExited, registry.WorkerLeft, registry.WorkerMerged, registry.WorkerErased)
async def departures(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Who is gone holds no offer and no seat."""
    reasons = {
        registry.WorkerExited.kind.type: "exited",
        registry.WorkerLeft.kind.type: "left",
        registry.WorkerMerged.kind.type: "merged",
        registry.WorkerErased.kind.type: "erased",
    }
    return await _settle(
        tx,
        heard,
        [
            m.Gone(
                region=one.fact.region,
                on=one.fact.effective_on,
                cause=one.cause,
                worker_id=one.fact.aggregate_id,
                reason=reasons[one.fact.kind.type],
            )
            for one in heard
        ],
    )


@reaction("placement.consents", registry.ConsentChanged)
async def consents(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """A consent taken back ends offer and placement; given again, offers may be made again."""
    return await _settle(
        tx,
        heard,
        [
            m.ConsentTold(
                region=one.fact.region, on=one.fact.effective_on, cause=one.cause, worker_id=one.fact.worker_id, given=one.fact.given
            )
            if isinstance(one.fact, registry.ConsentChanged)
            else None
            for one in heard
        ],
    )


@reaction(
    "placement.supply",
    vendor.VendorQualified,
    vendor.VendorDebarred,
    vendor.VendorDebarmentLifted,
    vendor.ContractSigned,
    vendor.ContractAmended,
    vendor.ContractReductionRequested,
    vendor.ContractEnded,
    vendor.WorkAgreementRecorded,
)
async def supply(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Vendors, contracts and their seats; work agreements confirm placements."""
    return await _settle(tx, heard, [_supplied(one) for one in heard])


def _supplied(one: Heard) -> m.Matter:
    told: dict[str, Any] = {"region": one.fact.region, "on": one.fact.effective_on, "cause": one.cause}
    match one.fact:
        case vendor.VendorQualified() as fact:
            return m.VendorKnown(**told, vendor_id=fact.vendor_id, name=fact.name)
        case vendor.VendorDebarred() as fact:
            return m.VendorBarred(**told, vendor_id=fact.vendor_id, barred=True)
        case vendor.VendorDebarmentLifted() as fact:
            return m.VendorBarred(**told, vendor_id=fact.vendor_id, barred=False)
        case vendor.ContractSigned() | vendor.ContractAmended() as fact:
            first = isinstance(fact, vendor.ContractSigned)
            return m.ContractTold(
                **told,
                contract_id=fact.contract_id,
                vendor_id=fact.vendor_id,
                vendor_name=fact.vendor_name if isinstance(fact, vendor.ContractSigned) else "",
                terms=fact.terms,
                starts_on=fact.starts_on,
                ends_on=fact.ends_on,
                lots=tuple(_lot(lot) for lot in fact.lots),
                successor_of=fact.successor_of if first and isinstance(fact, vendor.ContractSigned) else None,
            )
        case vendor.ContractReductionRequested() as fact:
            return m.ReductionAsked(**told, contract_id=fact.contract_id, lot_id=fact.lot_id, request_id=fact.request_id, seats=fact.seats)
        case vendor.ContractEnded() as fact:
            return m.ContractOver(**told, contract_id=fact.contract_id, vendor_id=fact.vendor_id)
        case vendor.WorkAgreementRecorded() as fact:
            return m.Agreed(
                **told,
                agreement_id=fact.work_agreement_id,
                offer_id=fact.offer_id,
                worker_id=fact.worker_id,
                contract_id=fact.contract_id,
                lot_id=fact.lot_id,
                vendor_id=fact.vendor_id,
                terms=fact.terms,
                starts_on=fact.starts_on,
            )
        case _:
            raise TypeError(one.fact.kind.type)


def _lot(lot: vendor.Lot) -> m.LotTerms:
    # Seats that the budget line does not cover cannot be offered.
    capacity_ = max(0, min(lot.seats, lot.covered_seats))
    return m.LotTerms(lot.lot_id, lot.agency, lot.job, lot.site, lot.kecamatan, lot.wage, capacity_)


@reaction("placement.answers", notify.AnswerReceived, notify.QuestionClosed)
async def answers(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """The person's word on an offer or on job families; terms that passed. The local day of receipt decides."""
    # One look per region of the batch, not per answer.
    zones = {region: rules.timezone(await tx.pack(region), tx.stamp.day) for region in sorted({one.fact.region for one in heard})}
    return await _settle(tx, heard, [_answered(one, zones[one.fact.region]) for one in heard])


def _answered(one: Heard, zone: ZoneInfo) -> m.Matter | None:
    match one.fact:
        case notify.AnswerReceived(matter="offer") as fact:
            return m.Answered(
                region=fact.region,
                on=fact.received_at.astimezone(zone).date(),
                cause=one.cause,
                offer_id=fact.about,
                worker_id=fact.worker_id,
                says=fact.says,
                reasons=fact.reasons,
            )
        case notify.AnswerReceived(matter="preference") as fact:
            return m.FamiliesChosen(
                region=fact.region,
                on=fact.received_at.astimezone(zone).date(),
                cause=one.cause,
                worker_id=fact.worker_id,
                families=fact.families,
            )
        case notify.QuestionClosed(matter="offer") as fact:
            return m.TermPassed(
                region=fact.region,
                on=fact.effective_on,
                cause=one.cause,
                offer_id=fact.about,
                worker_id=fact.worker_id,
                evidence=fact.evidence,
            )
        case _:
            return None


SUBSCRIPTIONS = (people, rights, capacity, departures, consents, supply, answers)

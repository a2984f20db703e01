"""The vendor's side of people: work agreements compared with accepted offers, refusals, rosters. Workers are opaque ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.events import Fact
from shared.events.vendor import CaseDecided, CaseOpened, WorkAgreementRecorded
from shared.ids import derived_id
from shared.regulation import Pack
from shared.regulation.rules import refusal_grounds

from .contracts import Contract
from .rules import RULES, refusal
from .vendors import Vendor


@dataclass(frozen=True, slots=True)
class AcceptedOffer:
    """What the person said yes to, as placement told it."""

    offer_id: UUID
    region: str
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    starts_on: date
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Agreement:
    """A work agreement (PKWT or PKWTT) as the vendor hands it in. Wage in whole rupiah per month."""

    offer_id: UUID
    number: str
    agreement: str
    wage: int
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A recorded work agreement."""

    id: UUID
    offer: AcceptedOffer
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one item: `recorded`, `unchanged` (the same again) or `refused` with a slug."""

    offer_id: UUID
    outcome: str
    slug: str = ""
    signed: Signed | None = None
    fact: Fact | None = None

    @property
    def rule(self) -> str:
        """The refusing rule's name."""
        return RULES[self.slug].name if self.slug else ""

    @property
    def article(self) -> str:
        """The refusing rule's law."""
        return RULES[self.slug].article if self.slug else ""


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that a batch of agreements is compared with, loaded once."""

    offers: Mapping[UUID, AcceptedOffer]
    contracts: Mapping[UUID, Contract]
    vendors: Mapping[UUID, Vendor]
    gone: frozenset[UUID]
    signed: Mapping[UUID, Signed]
    numbers: Mapping[str, UUID]


def agreement_id(offer_id: UUID) -> UUID:
    """One work agreement per accepted offer."""
    return derived_id("work_agreement", offer_id)


def compare(item: Agreement, offer: AcceptedOffer | None, contract: Contract | None, vendor: Vendor | None, gone: bool, on: date) -> str:
    """The slug of the first difference between an agreement and what was accepted; empty when it may be recorded."""
    if offer is None or contract is None or vendor is None or contract.vendor_id != offer.vendor_id:
        return "no-accepted-offer"
    lot = contract.lot(offer.lot_id)
    checks = (
        ("worker-gone", gone),
        ("offer-withdrawn", offer.withdrawn),
        ("contract-not-running", contract.state != "signed" or contract.ends_on < on),
        ("vendor-debarred", vendor.debarred),
        ("terms-differ", lot is None or not 1 <= offer.terms <= contract.terms),
        ("wage-below-offer", lot is not None and item.wage < lot.wage),
        ("start-differs", item.starts_on != offer.starts_on),
        ("end-not-allowed", item.agreement == "pkwtt" and item.ends_on is not None),
        ("end-missing", item.agreement == "pkwt" and item.ends_on is None),
        ("ends-too-early", item.ends_on is not None and item.ends_on < contract.ends_on),
    )
    return next((slug for slug, wrong in checks if wrong), "")


def record(items: Sequence[Agreement], known: Known, vendor_id: UUID, on: date) -> list[Verdict]:
    """Judge a batch in order: two items of one offer, or with one number, see each other."""
    signed, numbers = dict(known.signed), dict(known.numbers)
    found: list[Verdict] = []
    for item in items:
        offer = known.offers.get(item.offer_id)
        if offer is not None and offer.vendor_id != vendor_id:
            offer = None
        before = signed.get(item.offer_id) if offer is not None else None
        if before is not None:
            same = before.agreement == item
            slug = "" if same else "already-signed"
            found.append(Verdict(item.offer_id, "unchanged" if same else "refused", slug, before if same else None))
            continue
        contract = known.contracts.get(offer.contract_id) if offer is not None else None
        slug = compare(item, offer, contract, known.vendors.get(vendor_id), offer is not None and offer.worker_id in known.gone, on)
        if not slug and numbers.get(item.number, item.offer_id) != item.offer_id:
            slug = "number-used"
        if slug or offer is None:
            found.append(Verdict(item.offer_id, "refused", slug or "no-accepted-offer"))
            continue
        new = Signed(agreement_id(item.offer_id), offer, item)
        signed[item.offer_id], numbers[item.number] = new, item.offer_id
        found.append(Verdict(item.offer_id, "recorded", "", new, _recorded(new, on)))
    return found


def _recorded(signed: Signed, on: date) -> WorkAgreementRecorded:
    offer, item = signed.offer, signed.agreement
    return WorkAgreementRecorded(
        region=offer.region,
        effective_on=on,
        work_agreement_id=signed.id,
        worker_id=offer.worker_id,
        offer_id=offer.offer_id,
        contract_id=offer.contract_id,
        lot_id=offer.lot_id,
        vendor_id=offer.vendor_id,
        terms=offer.terms,
        agreement=item.agreement,
        number=item.number,
        starts_on=item.starts_on,
        ends_on=item.ends_on,
    )


@dataclass(frozen=True, slots=True)
class Case:
    """A matter in which both sides are heard (penanganan)."""

    id: UUID
    region: str
    kind: str
    rule: str
    vendor_id: UUID | None = None
    worker_id: UUID | None = None
    contract_id: UUID | None = None
    offer_id: UUID | None = None
    state: str = "open"
    outcome: str = ""


def refuse_person(offer: AcceptedOffer | None, ground: str, pack: Pack | None, signed: bool, on: date) -> tuple[Case, Fact] | str:
    """A vendor says that it cannot take a person: a case on a ground of the pack, or the slug of the refusal."""
    if offer is None or pack is None:
        return "no-accepted-offer"
    if offer.withdrawn:
        return "offer-withdrawn"
    if signed:
        return "already-signed"
    if ground not in refusal_grounds(pack, on):
        return "ground-not-allowed"
    case = Case(
        id=derived_id("case", "vendor_refusal", offer.offer_id),
        region=offer.region,
        kind="vendor_refusal",
        rule=ground,
        vendor_id=offer.vendor_id,
        worker_id=offer.worker_id,
        contract_id=offer.contract_id,
        offer_id=offer.offer_id,
    )
    return case, opened(case, on)


def opened(case: Case, on: date) -> CaseOpened:
    """The fact of a new case."""
    return CaseOpened(
        region=case.region,
        effective_on=on,
        case_id=case.id,
        case=case.kind,
        vendor_id=case.vendor_id,
        worker_id=case.worker_id,
        rule=case.rule,
        contract_id=case.contract_id,
        offer_id=case.offer_id,
    )


def decide_case(case: Case, outcome: str, on: date) -> CaseDecided:
    """An officer decides, once (`case-decided`)."""
    if case.state != "open":
        raise refusal("case-decided", "the case is decided already")
    return CaseDecided(region=case.region, effective_on=on, case_id=case.id, outcome=outcome)

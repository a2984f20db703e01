"""Who may supply: strict selection, the blacklist, and what both say to others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from shared.events import Fact
from shared.events.vendor import VendorDebarmentLifted, VendorDebarred, VendorQualified, VendorRefused
from shared.regulation import Document, Pack
from shared.regulation.rules import vendor_documents

from .rules import RULES, refusal


@dataclass(frozen=True, slots=True)
class Paper:
    """A document a vendor showed, with the days it is valid."""

    kind: str
    number: str
    valid_from: date
    valid_until: date | None = None

    def valid(self, on: date) -> bool:
        """Whether it counts on the day."""
        return self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a vendor did not pass: a slug with its rule and article."""

    slug: str
    rule: str
    article: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor (penyedia) in one region. `standing` is registered, qualified or refused; the blacklist stands beside it."""

    id: UUID
    region: str
    name: str
    nib: str
    registered_by: str
    standing: str = "registered"
    qualified_until: date | None = None
    debarred: bool = False
    debarred_until: date | None = None
    papers: tuple[Paper, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def state(self) -> str:
        """What is shown: the blacklist outranks the standing."""
        return "debarred" if self.debarred else self.standing


def check_papers(papers: Sequence[Paper], pack: Pack, on: date) -> None:
    """Refuse a kind of document that the region's rules do not name (`unknown-document`)."""
    known = {need.document for need in vendor_documents(pack, on)}
    for index, paper in enumerate(papers):
        if paper.kind not in known:
            raise refusal("unknown-document", "the region's rules do not name this document", field=f"documents.{index}.kind")


def missing(papers: Iterable[Paper], needs: Iterable[Document], on: date) -> tuple[Reason, ...]:
    """The documents that are needed and not shown, or not valid on the day."""
    shown = {paper.kind: paper for paper in papers}
    found: list[Reason] = []
    for need in needs:
        paper = shown.get(need.document)
        if paper is None:
            found.append(Reason(f"missing-{need.document.replace('_', '-')}", "every document of the selection is shown", need.article))
        elif not paper.valid(on):
            found.append(Reason(f"expired-{need.document.replace('_', '-')}", "every document is valid on the day", need.article))
    return tuple(found)


def qualify(
    vendor: Vendor, pack: Pack, on: date, *, assessor: str, grounds: Sequence[str] = (), until: date | None = None
) -> tuple[Vendor, tuple[Fact, ...]]:
    """Judge a vendor by the pack's documents and the assessor's own grounds: qualified, or refused with all reasons.

    Refused outright when the assessor registered the vendor (`separation-of-duties`) or the vendor is on the blacklist.
    """
    if assessor == vendor.registered_by:
        raise refusal("separation-of-duties", "who registered a vendor does not assess it")
    if vendor.debarred:
        raise refusal("vendor-debarred", "the vendor is on the blacklist")
    needs = [need for need in vendor_documents(pack, on) if not need.jobs]
    reasons = missing(vendor.papers, needs, on) + tuple(
        Reason(ground, "the assessor's minutes", "Perpres 16/2018 Pasal 44") for ground in grounds
    )
    if reasons:
        judged = replace(vendor, standing="refused", reasons=reasons, qualified_until=None)
        slugs = tuple(reason.slug for reason in reasons)
        return judged, (VendorRefused(region=vendor.region, effective_on=on, vendor_id=vendor.id, reasons=slugs),)
    judged = replace(vendor, standing="qualified", reasons=(), qualified_until=until)
    fact = VendorQualified(region=vendor.region, effective_on=on, vendor_id=vendor.id, name=vendor.name, qualified_until=until)
    return judged, (fact,)


def debar(vendor: Vendor, on: date, *, reason: str, until: date | None) -> tuple[Vendor, tuple[Fact, ...]]:
    """Put a vendor on the blacklist. Already there: refused (`vendor-debarred`)."""
    if vendor.debarred:
        raise refusal("vendor-debarred", "the vendor is on the blacklist already")
    fact = VendorDebarred(region=vendor.region, effective_on=on, vendor_id=vendor.id, reason=reason, until=until)
    return replace(vendor, debarred=True, debarred_until=until), (fact,)


def lift(vendor: Vendor, on: date) -> tuple[Vendor, tuple[Fact, ...]]:
    """Take a vendor off the blacklist (`not-debarred` when it is not on it)."""
    if not vendor.debarred:
        raise refusal("not-debarred", "the vendor is not on the blacklist")
    fact = VendorDebarmentLifted(region=vendor.region, effective_on=on, vendor_id=vendor.id)
    return replace(vendor, debarred=False, debarred_until=None), (fact,)


def contractable(vendor: Vendor, on: date, pack: Pack, jobs: Iterable[str]) -> None:
    """Refuse a vendor that may not sign on the day: blacklisted, not qualified, or without the licence a job needs."""
    if vendor.debarred:
        raise refusal("vendor-debarred", "the vendor is on the blacklist")
    if vendor.standing != "qualified" or (vendor.qualified_until is not None and vendor.qualified_until < on):
        raise refusal("vendor-not-qualified", "the vendor has not passed the selection, or its qualification has run out")
    wanted = set(jobs)
    needs = [need for need in vendor_documents(pack, on) if not need.jobs or wanted.intersection(need.jobs)]
    lacking = missing(vendor.papers, needs, on)
    if lacking:
        rule = RULES["licence-missing"]
        raise refusal("licence-missing", f"{lacking[0].slug} ({rule.name})", article=lacking[0].article)

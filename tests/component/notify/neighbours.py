"""What registry and placement say to the front desk, about people nobody is."""

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from shared.events import Fact, placement, registry
from shared.ids import derived_id, new_id
from shared.privacy import Contact
from tests.support.running import Running

_serial = itertools.count(1)
TODAY = date(2026, 1, 5)
ANSWER_BY = date(2026, 1, 19)


@dataclass
class Person:
    """A generated worker; `email` empty for who has none."""

    region: str = "13.74"
    agency: str = "dlh"
    mail: bool = True
    locale: str = "id"
    worker_id: UUID = field(default_factory=new_id)
    offer_id: UUID = field(default_factory=new_id)
    number: int = field(default_factory=lambda: next(_serial))

    @property
    def name(self) -> str:
        return f"Melati Contoh Nomor{self.number}"

    @property
    def email(self) -> str:
        return f"warga{self.number}@contoh.invalid" if self.mail else ""

    @property
    def question_id(self) -> UUID:
        return derived_id("question", "offer", self.offer_id)

    def registered(self) -> registry.WorkerRegistered:
        return registry.WorkerRegistered(
            region=self.region,
            effective_on=TODAY,
            worker_id=self.worker_id,
            worker_number=f"W-{self.number:05d}",
            agency=self.agency,
            job_family="cleaning",
            kecamatan="13.74.01",
            service_start=date(2012, 3, 1),
        )

    def contact(self, public: str) -> registry.ContactChanged:
        contact = Contact(name=self.name, address_form="Ibu", email=self.email, phone="+628000000001", locale=self.locale)
        return registry.ContactChanged(
            region=self.region,
            effective_on=TODAY,
            contact_id=derived_id("contact", self.worker_id),
            worker_id=self.worker_id,
            sealed=contact.seal(public, self.worker_id),
        )

    def offered(self, answer_by: date = ANSWER_BY, **more: Any) -> placement.OfferMade:
        given: dict[str, Any] = {
            "region": self.region,
            "effective_on": TODAY,
            "offer_id": self.offer_id,
            "worker_id": self.worker_id,
            "round_id": UUID(int=7),
            "contract_id": UUID(int=8),
            "lot_id": UUID(int=9),
            "vendor_id": UUID(int=10),
            "vendor_name": "PT Contoh Karya",
            "terms": 1,
            "agency": "rsud",
            "job": "cleaning",
            "site": "RSUD",
            "wage": 3182955,
            "starts_on": date(2026, 2, 2),
            "answer_by": answer_by,
        }
        return placement.OfferMade(**given | more)

    def withdrawn(self, reason: str) -> placement.OfferWithdrawn:
        return placement.OfferWithdrawn(
            region=self.region, effective_on=TODAY, offer_id=self.offer_id, worker_id=self.worker_id, lot_id=UUID(int=9), reason=reason
        )

    def expired(self) -> placement.OfferExpired:
        return placement.OfferExpired(
            region=self.region, effective_on=TODAY, offer_id=self.offer_id, worker_id=self.worker_id, lot_id=UUID(int=9), evidence="visit"
        )

    def confirmed(self) -> placement.PlacementConfirmed:
        return placement.PlacementConfirmed(
            region=self.region,
            effective_on=TODAY,
            placement_id=derived_id("placement", self.offer_id),
            worker_id=self.worker_id,
            offer_id=self.offer_id,
            contract_id=UUID(int=8),
            lot_id=UUID(int=9),
            vendor_id=UUID(int=10),
            terms=1,
            agency="rsud",
            job="cleaning",
            incumbent=True,
            starts_on=date(2026, 2, 2),
        )

    def erased(self) -> registry.WorkerErased:
        return registry.WorkerErased(region=self.region, effective_on=TODAY, worker_id=self.worker_id)


async def known(notify: Running, *people: Person) -> None:
    """The registry told us of these people."""
    public = notify.environment["JEMBATAN_CONTACTS_PUBLIC_KEY"]
    facts: list[Fact] = [person.registered() for person in people]
    facts += [person.contact(public) for person in people]
    await notify.say(*facts)
    await notify.settle()


async def asked(notify: Running, *people: Person, answer_by: date = ANSWER_BY) -> None:
    """They are known, and each has an offer."""
    await known(notify, *people)
    await notify.say(*(person.offered(answer_by) for person in people))
    await notify.settle()


async def messages(notify: Running, person: Person) -> list[tuple[str, str, str, str]]:
    """Template, channel, state and reason of the person's messages, in order."""
    rows = await notify.rows(
        "SELECT template, channel, state, reason FROM message WHERE worker_id = $1 ORDER BY created_at, template, channel", person.worker_id
    )
    return [(row["template"], row["channel"], row["state"], row["reason"]) for row in rows]


async def facts(notify: Running, kind: type[Any], person: Person) -> list[Any]:
    """Own events of one type about a person."""
    return [fact for fact in await notify.events(kind) if fact.worker_id == person.worker_id]

"""What is heard twice counts once; what cannot be read harms nobody; who is erased leaves nothing behind."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.notify import usecases
from services.notify.domain import ContactStep, OfferStep, PersonStep, Placed, Step
from shared import envelope
from shared.clock import WIB
from shared.events import Cause, Fact, placement, registry
from shared.events.notify import AnswerReceived, MessageFailed
from shared.ids import new_id
from shared.privacy import Contact, new_pair
from shared.subscriptions import APPLIED
from tests.component.notify.neighbours import ANSWER_BY, Person, asked, facts, known, messages
from tests.component.notify.sink import Sink
from tests.support.running import Running

TABLES = ("person", "contact", "question", "link", "answer", "visit", "task", "message", "timer", "event")
SECRET = ("wrapped", "sealed")


async def state(notify: Running, person: Person) -> dict[str, list[str]]:
    """Everything the service holds of a person, without what is random by design."""
    found: dict[str, list[str]] = {}
    for table in TABLES:
        rows = await notify.rows(
            f"SELECT to_jsonb(t) AS row FROM {table} t WHERE to_jsonb(t)::text LIKE ANY($1)",
            [f"%{one}%" for one in (person.worker_id, person.offer_id, person.question_id)],
        )
        plain = [{k: v for k, v in json.loads(row["row"]).items() if k not in SECRET} for row in rows]
        found[table] = sorted(json.dumps(row, sort_keys=True) for row in plain)
    return found


async def test_each_fact_heard_ten_times_counts_once(notify: Running, sink: Sink) -> None:
    person, once = Person(), Person()
    public = notify.environment["JEMBATAN_CONTACTS_PUBLIC_KEY"]

    def story(who: Person) -> list[Fact]:
        corrected = registry.WorkerProfileCorrected(
            region=who.region,
            effective_on=date(2026, 1, 5),
            worker_id=who.worker_id,
            agency="rsud",
            job_family="cleaning",
            kecamatan="13.74.01",
            service_start=date(2012, 3, 1),
        )
        return [who.registered(), corrected, who.contact(public), who.offered(), who.withdrawn("reduced"), who.confirmed()]

    for fact in story(person):
        await notify.say(fact, times=10)
        await notify.settle()
    for fact in story(once):
        await notify.say(fact)
        await notify.settle()
    many, single = await state(notify, person), await state(notify, once)
    assert {table: len(rows) for table, rows in many.items()} == {table: len(rows) for table, rows in single.items()}
    assert await messages(notify, person) == await messages(notify, once)
    assert len(sink.to(person.email)) == len(sink.to(once.email)) == 3


async def test_handlers_themselves_are_repeatable(notify: Running) -> None:
    """Below the machine's own check: the same step again is refused and changes nothing."""
    person = Person()
    await asked(notify, person)
    before = await state(notify, person)
    cause = Cause(new_id(), new_id())
    made = OfferStep(Step.MADE, person.offer_id, person.worker_id, person.region, cause, "rsud", ANSWER_BY, details={})
    async with notify.db.begin("worker", notify.service.scope, "test.repeat") as tx:
        (outcome,) = await usecases.follow_offers(tx, [made])
        assert outcome.slug == "asked-already"
        assert (await usecases.know_people(tx, [PersonStep(person.worker_id, "15.05", cause, agency="x")]))[0].kind == "parked"
        foreign = OfferStep(Step.WITHDRAWN, person.offer_id, person.worker_id, "15.05", cause, reason="x")
        assert (await usecases.follow_offers(tx, [foreign]))[0].kind == "parked"
        unknown = OfferStep(Step.WITHDRAWN, new_id(), person.worker_id, person.region, cause, reason="x")
        assert (await usecases.follow_offers(tx, [unknown]))[0].slug == "question-unknown"
    assert await state(notify, person) == before


@pytest.mark.parametrize("topic", ["registry.events", "registry.contacts", "placement.internal", "placement.events"])
async def test_poison_is_parked_and_harms_nobody(notify: Running, sink: Sink, topic: str) -> None:
    person = Person()
    await known(notify, person)
    before = await _parked(notify)
    poison: Sequence[tuple[bytes | None, list[tuple[str, Any]]]] = [
        (b"{not json", []),
        (b"\xff\xfe\x00", [("ce_id", b"\xff\xfe")]),
        (b"[]", [("ce_type", None)]),
        (b"{}", [("reply_to", b"somewhere"), ("ce_source", b"/jembatan/evil/registry")]),
    ]
    for value, headers in poison:
        await notify.publish(topic, value, key=person.worker_id, headers=headers)
    await notify.say(person.offered())
    await notify.settle()
    assert await messages(notify, person) == [("offer", "mail", "sent", "")]
    hearers = sum(one.stream.topic == topic for one in notify.service.subscriptions)
    assert await _parked(notify) - before == len(poison) * hearers


async def _parked(notify: Running) -> int:
    (row,) = await notify.rows("SELECT count(*) AS n FROM parked WHERE state = 'waiting'")
    return int(row["n"])


async def test_a_contact_sealed_to_another_key_is_parked(notify: Running) -> None:
    person = Person()
    before = await _parked(notify)
    await notify.say(person.registered(), person.contact(new_pair()[1]))
    await notify.settle()
    assert await _parked(notify) == before + 1
    assert await notify.rows("SELECT 1 FROM contact WHERE worker_id = $1", person.worker_id) == []


async def test_who_is_erased_leaves_a_bare_id(notify: Running, sink: Sink) -> None:
    person, queued = Person(), Person()
    await asked(notify, person, queued)
    link = sink.link(person.email)
    assert (await notify.http.get(link)).status_code == 200
    await notify.say(person.erased())
    await notify.settle()
    assert (await notify.http.get(link)).status_code == 404
    (row,) = await notify.rows("SELECT gone, wrapped, agency, worker_number FROM person WHERE worker_id = $1", person.worker_id)
    assert row == {"gone": "erased", "wrapped": None, "agency": "", "worker_number": ""}
    assert await notify.rows("SELECT 1 FROM contact WHERE worker_id = $1", person.worker_id) == []
    assert await notify.rows("SELECT 1 FROM message WHERE worker_id = $1 AND sealed IS NOT NULL", person.worker_id) == []
    assert await notify.rows("SELECT 1 FROM timer WHERE key = $1", person.question_id) == []
    # A contact or an offer that comes afterwards brings nothing back.
    late = Person(worker_id=person.worker_id, number=person.number)
    await notify.say(late.contact(notify.environment["JEMBATAN_CONTACTS_PUBLIC_KEY"]), late.offered())
    await notify.settle()
    assert await notify.rows("SELECT 1 FROM contact WHERE worker_id = $1", person.worker_id) == []
    assert await notify.rows("SELECT 1 FROM question WHERE about = $1", late.offer_id) == []
    assert len(sink.to(person.email)) == 1


async def test_what_is_on_the_printed_list_leaves_it_with_an_erasure(notify: Running) -> None:
    person = Person(mail=False, agency="setwan")
    await asked(notify, person)
    await notify.say(person.erased())
    await notify.settle()
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "agency": "setwan"}, headers=notify.bearer("desk"))
    assert listed.json()["items"] == []
    assert [fact.reason for fact in await facts(notify, MessageFailed, person)] == ["no_address", "person_gone"]


async def test_a_tombstone_deletes_a_contact(notify: Running) -> None:
    person = Person()
    await known(notify, person)
    fact = person.contact(notify.environment["JEMBATAN_CONTACTS_PUBLIC_KEY"])
    row = {
        "id": new_id(),
        "type": fact.kind.type,
        "aggregate_id": fact.contact_id,
        "key": fact.worker_id,
        "version": 2,
        "region": fact.region,
        "recorded_at": datetime.now(UTC),
        "causation_id": None,
        "correlation_id": new_id(),
        "actor": "neighbour",
        "pack": "",
        "traceparent": "",
    }
    headers = envelope.headers_of(row, prefix=notify.prefix, source=notify.kafka.source("registry"))
    await notify.publish("registry.contacts", None, key=fact.worker_id, headers=headers)
    await notify.settle()
    assert await notify.rows("SELECT 1 FROM contact WHERE worker_id = $1", person.worker_id) == []


async def test_nothing_personal_lies_open(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    token = sink.link(person.email).removeprefix("/a/")
    assert (await notify.http.post(f"/a/{token}", json={"says": "yes"})).status_code == 200
    assert len(await facts(notify, AnswerReceived, person)) == 1
    tables = [
        row["table_name"] for row in await notify.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    ]
    assert set(TABLES) <= set(tables)
    secrets = [person.name, person.email, token, "628000000001"]
    for table in tables:
        # Bytes are shown as hexadecimal in this form: both are looked for.
        needles = [f"%{one}%" for secret in secrets for one in (secret, secret.encode().hex())]
        found = await notify.rows(f"SELECT count(*) AS n FROM {table} t WHERE to_jsonb(t)::text ILIKE ANY($1)", needles)
        assert found[0]["n"] == 0, table


async def _statements(notify: Running, size: int) -> dict[str, int]:
    people = [Person() for _ in range(size)]
    pairs = [(person, Cause(new_id(), new_id())) for person in people]
    vault = notify.service.extra["vault"]
    found: dict[str, int] = {}
    steps: dict[str, Any] = {
        "people": lambda tx: usecases.know_people(tx, [PersonStep(p.worker_id, p.region, c, "dlh", "W") for p, c in pairs]),
        "contacts": lambda tx: usecases.keep_contacts(
            tx,
            vault,
            [ContactStep(new_id(), p.worker_id, p.region, c, Contact(name=p.name, address_form="Ibu", email=p.email)) for p, c in pairs],
        ),
        "made": lambda tx: usecases.follow_offers(
            tx,
            [OfferStep(Step.MADE, p.offer_id, p.worker_id, p.region, c, "rsud", ANSWER_BY, details={"job": "cleaning"}) for p, c in pairs],
        ),
        "withdrawn": lambda tx: usecases.follow_offers(
            tx, [OfferStep(Step.WITHDRAWN, p.offer_id, p.worker_id, p.region, c, reason="reduced") for p, c in pairs]
        ),
        "placed": lambda tx: usecases.tell_placed(tx, [Placed(new_id(), p.offer_id, p.worker_id, p.region, c, {}) for p, c in pairs]),
        "terms": lambda tx: usecases.end_terms(tx, [p.question_id for p in people]),
        "reminders": lambda tx: usecases.remind(tx, [p.question_id for p in people]),
        "erased": lambda tx: usecases.know_people(tx, [PersonStep(p.worker_id, p.region, c, gone="erased") for p, c in pairs]),
    }
    for name, work in steps.items():
        async with notify.db.begin("worker", notify.service.scope, "test.statements") as tx:
            outcomes = await work(tx)
            assert outcomes is None or all(outcome == APPLIED for outcome in outcomes), name
            await tx.flush()
            found[name] = tx.statements
    return found


async def test_the_number_of_statements_does_not_grow_with_the_batch(notify: Running) -> None:
    # At night, so that no delivery runs beside it.
    notify.clock.move(datetime(2026, 1, 5, 22, tzinfo=WIB))
    assert await _statements(notify, 2) == await _statements(notify, 60)
    await notify.settle()


def test_every_subscription_is_a_reaction_with_a_name_of_its_own(notify: Running) -> None:
    names = [one.name for one in notify.service.subscriptions]
    assert len(names) == len(set(names))
    assert placement.OfferMade.kind.type in {kind for one in notify.service.subscriptions for kind in one.types}

"""Letters leave once: in the hours for letters, past moody mail servers, and never twice by themselves."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.notify import usecases
from services.notify.channels import Mail
from services.notify.delivery import deliver
from services.notify.domain import MessageState, Sending, Written
from shared import jobs
from shared.clock import WIB
from shared.events.notify import MessageFailed, MessageSent
from shared.ids import new_id
from shared.jobs import JobRun
from tests.component.notify.neighbours import Person, asked, facts, known, messages
from tests.component.notify.sink import Sink, links, text
from tests.support.running import Running

NIGHT = datetime(2026, 1, 5, 22, tzinfo=WIB)
MORNING = datetime(2026, 1, 6, 9, tzinfo=WIB)


async def test_letters_wait_for_the_morning(notify: Running, sink: Sink) -> None:
    person = Person()
    notify.clock.move(NIGHT)
    await asked(notify, person)
    assert await messages(notify, person) == [("offer", "mail", "queued", "")]
    assert sink.to(person.email) == []
    notify.clock.move(MORNING)
    await notify.settle()
    assert await messages(notify, person) == [("offer", "mail", "sent", "")]
    assert len(sink.to(person.email)) == 1


async def test_an_offer_that_ended_before_its_letter_left_is_never_told(notify: Running, sink: Sink) -> None:
    person, both = Person(), Person(mail=False)
    notify.clock.move(NIGHT)
    await asked(notify, person)
    await known(notify, both)
    await notify.say(person.withdrawn("debarred"), both.offered(), both.withdrawn("debarred"))
    await notify.settle()
    notify.clock.move(MORNING)
    await notify.settle()
    assert await messages(notify, person) == [("offer", "mail", "failed", "withdrawn")]
    assert [fact.reason for fact in await facts(notify, MessageFailed, person)] == ["withdrawn"]
    assert sink.to(person.email) == []
    (question,) = await notify.rows("SELECT state FROM question WHERE about = $1", both.offer_id)
    assert question["state"] == "withdrawn"


async def test_a_withdrawal_is_told_to_who_knew_of_the_offer(notify: Running, sink: Sink) -> None:
    told, gone, declined = Person(), Person(), Person()
    await asked(notify, told, gone, declined)
    assert (await notify.http.post(sink.link(declined.email), json={"says": "no"})).status_code == 200
    await notify.say(told.withdrawn("contract_ended"), gone.withdrawn("exited"), declined.withdrawn("contract_ended"))
    await notify.settle()
    assert await messages(notify, told) == [("offer", "mail", "sent", ""), ("withdrawn", "mail", "sent", "")]
    assert "Posisi itu tidak tersedia lagi" in text(sink.to(told.email)[-1])
    for silent in (gone, declined):
        assert await messages(notify, silent) == [("offer", "mail", "sent", "")]
    page = await notify.http.get(_first_link(sink, told))
    assert "ditarik" in page.text
    late = await notify.http.post(_first_link(sink, told), json={"says": "yes"})
    assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (409, "offer-withdrawn")


def _first_link(sink: Sink, person: Person) -> str:
    return links(sink.to(person.email)[0])[0]


async def test_who_has_the_seat_is_told(notify: Running, sink: Sink) -> None:
    person, paper = Person(), Person(mail=False)
    await asked(notify, person, paper)
    await notify.say(person.confirmed(), paper.confirmed())
    await notify.settle()
    letter = sink.to(person.email)[-1]
    assert letter["Subject"] == "Ibu diterima bekerja di PT Contoh Karya"
    assert "2 Februari 2026" in text(letter)
    assert ("placed", "printed", "listed", "no_address") in await messages(notify, paper)


async def test_a_refused_address_ends_on_the_printed_list(notify: Running, sink: Sink) -> None:
    person = Person(agency="pupr")
    sink.mood("refuse")
    await asked(notify, person)
    assert await messages(notify, person) == [("offer", "mail", "failed", "refused")]
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "agency": "pupr"}, headers=notify.bearer("desk"))
    assert [item["reason"] for item in listed.json()["items"]] == ["refused"]


async def test_a_server_that_defers_or_is_away_is_tried_again(notify: Running, sink: Sink) -> None:
    for mood in ("defer", "away"):
        person = Person()
        sink.mood(mood)
        await known(notify, person)
        await notify.say(person.offered())
        await _until(notify, person, "queued", attempts=1)
        sink.mood("accept")
        await notify.settle()
        assert await messages(notify, person) == [("offer", "mail", "sent", "")]
        assert len(sink.to(person.email)) == 1


async def _until(notify: Running, person: Person, state: str, *, attempts: int) -> None:
    async with asyncio.timeout(30):
        while not await notify.rows(
            "SELECT 1 FROM message WHERE worker_id = $1 AND state = $2 AND attempts >= $3", person.worker_id, state, attempts
        ):
            await asyncio.sleep(0.05)


async def test_a_server_that_takes_the_letter_and_falls_silent_leaves_it_unknown(notify: Running, sink: Sink) -> None:
    person = Person(agency="dishub")
    sink.mood("silent")
    await asked(notify, person)
    sink.mood("accept")
    assert await messages(notify, person) == [("offer", "mail", "unknown", "no_reply")]
    other = Person()
    await asked(notify, other)
    assert await messages(notify, other) == [("offer", "mail", "sent", "")]
    assert len(sink.to(person.email)) == 1
    assert await facts(notify, MessageSent, person) == []
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "agency": "dishub"}, headers=notify.bearer("desk"))
    assert [item["reason"] for item in listed.json()["items"]] == ["no_reply"]


async def test_a_letter_in_the_hand_of_a_sender_that_ended_is_never_sent_again(notify: Running, sink: Sink) -> None:
    lost, waiting = Person(), Person()
    notify.clock.move(NIGHT)
    await asked(notify, lost, waiting)
    # As a process leaves it that is killed between the claim and the result.
    await notify.owner.execute(
        "UPDATE message SET state = 'sending', claim = $2, attempts = 1 WHERE worker_id = $1", lost.worker_id, new_id()
    )
    notify.clock.move(MORNING)
    await notify.settle()
    assert await messages(notify, lost) == [("offer", "mail", "unknown", "interrupted")]
    assert await messages(notify, waiting) == [("offer", "mail", "sent", "")]
    assert sink.to(lost.email) == []


async def test_many_letters_leave_once_each(notify: Running, sink: Sink) -> None:
    people = [Person() for _ in range(60)]
    await asked(notify, *people)
    assert [len(sink.to(person.email)) for person in people] == [1] * 60
    counts = await notify.http.get("/v1/messages/counts", headers=notify.bearer("desk"))
    assert counts.json()["states"]["queued"] == counts.json()["states"]["sending"] == 0
    assert counts.json()["states"]["sent"] >= 60
    page = await notify.http.get("/v1/messages", params={"worker_id": str(people[0].worker_id)}, headers=notify.bearer("desk"))
    assert [(item["template"], item["state"]) for item in page.json()["items"]] == [("offer", "sent")]


async def test_who_gets_an_address_later_gets_the_open_offer_by_mail(notify: Running, sink: Sink) -> None:
    person = Person(mail=False)
    await asked(notify, person)
    person.mail = True
    await notify.say(person.contact(notify.environment["JEMBATAN_CONTACTS_PUBLIC_KEY"]))
    await notify.settle()
    assert [row[1:3] for row in await messages(notify, person)] == [("mail", "sent"), ("printed", "listed")]
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "limit": 500}, headers=notify.bearer("desk"))
    assert str(person.worker_id) not in {item["worker_id"] for item in listed.json()["items"]}
    assert (await notify.http.post(sink.link(person.email), json={"says": "yes"})).status_code == 200


async def test_bad_news_waits_over_a_friday_afternoon(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    notify.clock.move(datetime(2026, 1, 9, 15, tzinfo=WIB))
    await notify.say(person.withdrawn("reduced"))
    await notify.settle()
    assert ("withdrawn", "mail", "queued", "") in await messages(notify, person)
    notify.clock.move(datetime(2026, 1, 10, 7, 1, tzinfo=WIB))
    await notify.settle()
    assert ("withdrawn", "mail", "sent", "") in await messages(notify, person)


async def test_two_senders_never_take_the_same_letter(notify: Running) -> None:
    people = [Person(region="15.05") for _ in range(30)]
    notify.clock.move(NIGHT)
    await asked(notify, *people)
    notify.clock.move(MORNING)
    vault, texts = notify.service.extra["vault"], notify.service.extra["texts"]

    async def take() -> set[str]:
        hand = new_id()
        taken: set[str] = set()
        while True:
            async with notify.db.begin("worker", notify.service.scope, "test.claim") as tx:
                claimed = await usecases.claim(tx, "15.05", hand, vault, texts.write, "https://jawab.test")
            if not claimed.taken:
                return taken
            taken |= {str(letter.message_id) for letter in claimed.letters}

    hands = await asyncio.gather(take(), take(), take())
    assert not hands[0] & hands[1] and not hands[1] & hands[2] and not hands[0] & hands[2]
    await notify.settle()
    rows = await notify.rows("SELECT state, count(*) AS n FROM message WHERE worker_id = ANY($1) GROUP BY 1", [p.worker_id for p in people])
    assert sum(row["n"] for row in rows) == 30
    assert {row["state"] for row in rows} <= {"sending", "unknown", "sent"}
    notify.clock.move(MORNING + timedelta(hours=1))


async def _job(notify: Running) -> JobRun:
    """A delivery as the job runner would hand it out."""
    lease, job = new_id(), new_id()
    async with notify.db.begin("worker", notify.service.scope, "test.job") as tx:
        await jobs.enqueue(tx, usecases.DELIVER, "15.05", {}, id=job)
        await tx.run(
            "UPDATE job SET state = 'running', lease = :lease, lease_until = :until WHERE id = :id",
            id=job,
            lease=lease,
            until=tx.stamp.wall + timedelta(hours=1),
        )
        row = await tx.one("SELECT id, kind, region, actor, payload, cursor, progress, attempts FROM job WHERE id = :id", id=job)
    assert row is not None
    return JobRun(notify.db, notify.service.scope, notify.service.files, dict(row), lease)


async def test_a_process_that_stops_finishes_the_letter_on_the_wire_and_gives_the_others_back(notify: Running, sink: Sink) -> None:
    people = [Person(region="15.05") for _ in range(4)]
    notify.clock.move(NIGHT)
    await asked(notify, *people)
    await notify.owner.execute("DELETE FROM timer WHERE kind = $1", usecases.WINDOW)
    run = await _job(notify)
    notify.clock.move(MORNING)
    sink.mood("slow")
    extra = notify.service.extra
    task = asyncio.create_task(
        deliver(run, vault=extra["vault"], texts=extra["texts"], mail=extra["mail"], public_url="https://jawab.test")
    )
    async with asyncio.timeout(30):
        await sink.taken.wait()
    task.cancel()
    asyncio.get_running_loop().call_soon(sink.go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    states = sorted([(await messages(notify, person))[0][2] for person in people])
    assert states == ["queued", "queued", "queued", "sent"]
    sink.mood("accept")
    await notify.owner.execute("UPDATE job SET state = 'queued', lease = NULL, lease_until = NULL WHERE id = $1", run.id)
    await notify.settle()
    assert [len(sink.to(person.email)) for person in people] == [1] * 4


@pytest.mark.parametrize("address", ["a@b.invalid\r\nBcc: c@d.invalid", "ä@b.invalid", "", "a, b@c.invalid", "a@b.invalid>\r\nDATA"])
async def test_an_address_that_is_none_is_refused_and_the_next_letter_goes_on(notify: Running, sink: Sink, address: str) -> None:
    mail: Mail = notify.service.extra["mail"]
    written = Written("Uji", "Isi\n", "<p>Isi</p>", "id")
    letters = [Sending(new_id(), address, written, 1), Sending(new_id(), f"baik{new_id().hex}@contoh.invalid", written, 1)]
    results = await mail.send(letters, lambda: False)
    assert [result.state for result in results] == [MessageState.FAILED, MessageState.SENT]
    assert len(sink.to(letters[1].to)) == 1
    assert sink.to("c@d.invalid") == []

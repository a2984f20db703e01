"""An offer becomes a question, the question an answer."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.events.notify import AnswerReceived, MessageFailed, MessageSent, QuestionAsked, QuestionClosed
from shared.ids import new_id
from tests.component.notify.neighbours import ANSWER_BY, Person, asked, facts, known, messages
from tests.component.notify.sink import Sink, links, text
from tests.support.running import Running

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_an_offer_is_asked_by_mail_and_answered_by_link(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    (fact,) = await facts(notify, QuestionAsked, person)
    assert (fact.about, fact.answer_by, fact.channels) == (person.offer_id, ANSWER_BY, ("mail",))
    assert len(await facts(notify, MessageSent, person)) == 1
    (letter,) = sink.to(person.email)
    assert letter["Subject"] == "Tawaran kerja: petugas kebersihan di RSUD"
    assert text(letter).startswith(f"Ibu {person.name},")
    assert len(links(letter)) == 1
    link = sink.link(person.email)

    for _ in range(3):
        page = await notify.http.get(link)
        assert page.status_code == 200
        assert "Saya bersedia" in page.text
        assert person.name not in page.text
        assert "script" not in page.headers["content-security-policy"].replace("style-src", "")
        assert page.headers["cache-control"] == "no-store"
    assert await facts(notify, AnswerReceived, person) == []
    assert "I accept" in (await notify.http.get(link, params={"lang": "en"})).text

    answer = await notify.http.post(link, content="says=yes", headers=FORM)
    assert answer.status_code == 303
    assert answer.headers["location"] == link
    assert "Jawaban sudah kami terima" in (await notify.http.get(link)).text
    (received,) = await facts(notify, AnswerReceived, person)
    assert (received.about, received.matter, received.says, received.channel) == (person.offer_id, "offer", "yes", "link")
    assert received.received_at == notify.clock.now().business
    assert abs((received.received_wall - datetime.now(UTC)).total_seconds()) < 600

    again = await notify.http.post(link, content="says=yes", headers=FORM)
    assert again.status_code == 303
    other = await notify.http.post(link, content="says=no&reasons=wage", headers=FORM)
    assert other.status_code == 409
    assert "sudah dijawab" in other.text
    assert len(await facts(notify, AnswerReceived, person)) == 1


async def test_a_no_carries_its_reasons_also_as_json(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    link = sink.link(person.email)
    refused = await notify.http.post(link, json={"says": "no", "reasons": ["none of yours"]})
    assert refused.status_code == 422
    assert refused.json()["type"].endswith("/bad-answer")
    answer = await notify.http.post(link, json={"says": "no", "reasons": ["wage", "distance"]})
    assert (answer.status_code, answer.json()["state"]) == (200, "answered")
    (received,) = await facts(notify, AnswerReceived, person)
    assert (received.says, received.reasons) == ("no", ("wage", "distance"))


async def test_nonsense_on_a_link_is_refused_without_an_echo(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    link = sink.link(person.email)
    for body in (
        "",
        "says=maybe",
        "says=yes&says=no",
        "says=yes&x=1",
        "says=%ff%fe",
        "\udcff".encode("utf-8", "surrogateescape"),
        "a" * 9000,
    ):
        answer = await notify.http.post(link, content=body, headers=FORM)
        assert answer.status_code in (413, 422), body
        assert "maybe" not in answer.text
    for path in ("/a/" + "x" * 43, link[:-1] + ("A" if link[-1] != "A" else "B")):
        assert (await notify.http.get(path)).status_code == 404
        assert (await notify.http.post(path, content="says=yes", headers=FORM)).status_code == 404
        problem = await notify.http.post(path, json={"says": "yes"})
        assert problem.json()["type"].endswith("/link-unknown")
    assert (await notify.http.get("/a/short")).status_code == 422
    assert await facts(notify, AnswerReceived, person) == []


async def test_racing_answers_make_one_fact(notify: Running, sink: Sink) -> None:
    person = Person()
    await asked(notify, person)
    link = sink.link(person.email)
    answers = await asyncio.gather(*(notify.http.post(link, json={"says": "yes" if n % 2 else "no"}) for n in range(12)))
    assert {answer.status_code for answer in answers} == {200, 409}
    assert len(await facts(notify, AnswerReceived, person)) == 1
    assert len(await notify.rows("SELECT 1 FROM answer WHERE worker_id = $1", person.worker_id)) == 1


async def test_who_has_no_mail_is_on_the_printed_list_and_answers_at_the_desk(notify: Running) -> None:
    person = Person(mail=False, agency="bkpsdm")
    await asked(notify, person)
    assert await messages(notify, person) == [("offer", "printed", "listed", "no_address")]
    (failed,) = await facts(notify, MessageFailed, person)
    assert (failed.channel, failed.reason) == ("printed", "no_address")
    officer = notify.bearer("agency_officer", agencies=("bkpsdm",))
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk"}, headers=officer)
    assert listed.status_code == 200, listed.text
    (entry,) = [item for item in listed.json()["items"] if item["worker_id"] == str(person.worker_id)]
    assert (entry["name"], entry["address_form"], entry["offer_id"]) == (person.name, "Ibu", str(person.offer_id))
    assert entry["worker_number"] == f"W-{person.number:05d}"
    assert "PT Contoh Karya menawari kerja petugas kebersihan" in entry["line"]
    assert all(item["agency"] == "bkpsdm" for item in listed.json()["items"])
    page = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "format": "html"}, headers=officer)
    assert person.name in page.text
    noted = await notify.rows("SELECT purpose FROM audit WHERE kind = 'contacts.shown'")
    assert {row["purpose"] for row in noted} == {"desk"}

    body = {"offer_id": str(person.offer_id), "says": "yes"}
    desk = notify.bearer("desk", key=str(new_id()))
    answer = await notify.http.post("/v1/desk/answers", json=body, headers=desk)
    assert (answer.status_code, answer.json()["state"], answer.json()["says"]) == (200, "answered", "yes")
    repeat = await notify.http.post("/v1/desk/answers", json=body, headers=desk)
    assert repeat.json() == answer.json()
    (received,) = await facts(notify, AnswerReceived, person)
    assert received.channel == "desk"
    (entry,) = [item for item in (await _printed(notify, officer)) if item["worker_id"] == str(person.worker_id)]
    assert entry["open"] is False
    listed = await notify.http.get("/v1/printed-list", params={"purpose": "desk", "open": "true"}, headers=officer)
    assert not [item for item in listed.json()["items"] if item["worker_id"] == str(person.worker_id)]


async def _printed(notify: Running, headers: dict[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await notify.http.get("/v1/printed-list", params={"purpose": "desk"}, headers=headers)).json()["items"]
    return found


async def test_no_door_crosses_region_agency_or_role(notify: Running) -> None:
    person = Person(agency="dlh")
    await asked(notify, person)
    question = f"/v1/questions/{person.question_id}"
    answer = {"question_id": str(person.question_id), "says": "yes"}
    visit = {"question_id": str(person.question_id), "visited_on": "2026-01-05"}
    elsewhere = notify.bearer("desk", regions=("15.05",))
    other = notify.bearer("agency_officer", agencies=("rsud",))
    assert (await notify.http.get(question, headers=elsewhere)).status_code == 404
    assert (await notify.http.post("/v1/desk/answers", json=answer, headers=elsewhere)).status_code == 404
    assert (await notify.http.get("/v1/questions", params={"region": "13.74"}, headers=elsewhere)).status_code == 403
    assert (await notify.http.get(question, headers=other)).status_code == 404
    assert (await notify.http.post("/v1/desk/visits", json=visit, headers=other)).status_code == 403
    assert (await notify.http.get("/v1/questions", params={"agency": "dlh"}, headers=other)).status_code == 403
    mine = await notify.http.get("/v1/questions", params={"limit": 500}, headers=other)
    assert str(person.question_id) not in {item["id"] for item in mine.json()["items"]}
    officer = notify.bearer("agency_officer", agencies=("dlh",))
    assert (await notify.http.post("/v1/desk/answers", json=answer, headers=officer)).status_code == 403
    assert (await notify.http.get(question, headers=officer)).json()["agency"] == "dlh"
    assert (await notify.http.get(question, headers=notify.bearer("treasurer"))).status_code == 403
    assert (await notify.http.get(question)).status_code == 401
    assert await facts(notify, AnswerReceived, person) == []


async def test_questions_come_in_pages(notify: Running) -> None:
    people = [Person(region="15.05", agency="dinkes") for _ in range(5)]
    await asked(notify, *people)
    headers = notify.bearer("desk", regions=("15.05",))
    seen: list[str] = []
    cursor = None
    while True:
        page = await notify.http.get("/v1/questions", params={"limit": 2} | ({"cursor": cursor} if cursor else {}), headers=headers)
        seen += [item["about"] for item in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert {str(person.offer_id) for person in people} <= set(seen)
    assert len(seen) == len(set(seen))
    bad = await notify.http.get("/v1/questions", params={"cursor": "zzz"}, headers=headers)
    assert bad.status_code == 422


async def test_a_preference_is_taken_at_the_desk(notify: Running) -> None:
    person = Person()
    await known(notify, person)
    headers = notify.bearer("desk")
    body = {"worker_id": str(person.worker_id), "families": ["technical", "cleaning"]}
    taken = await notify.http.post("/v1/desk/preferences", json=body, headers=headers)
    assert taken.status_code == 201, taken.text
    (received,) = await facts(notify, AnswerReceived, person)
    assert (received.matter, received.about, received.families) == ("preference", person.worker_id, ("technical", "cleaning"))
    wrong = await notify.http.post("/v1/desk/preferences", json=body | {"families": ["piloting"]}, headers=headers)
    assert (wrong.status_code, wrong.json()["type"].rpartition("/")[2]) == (422, "unknown-family")
    nobody = await notify.http.post("/v1/desk/preferences", json=body | {"worker_id": str(new_id())}, headers=headers)
    assert nobody.status_code == 404


async def test_a_term_without_evidence_becomes_a_task_and_a_visit_closes_it(notify: Running, sink: Sink) -> None:
    person, seen, elsewhere = Person(), Person(), Person()
    await asked(notify, person, seen, elsewhere, answer_by=date(2026, 1, 6))
    headers = notify.bearer("agency_officer", agencies=("dlh",))
    early = {"question_id": str(seen.question_id), "visited_on": "2026-01-05", "evidence": "slip"}
    visited = await notify.http.post("/v1/desk/visits", json=early, headers=headers)
    assert (visited.status_code, visited.json()["state"], visited.json()["reached"]) == (201, "open", "slip")
    # Somebody who answered another question since was reached as well.
    other = Person(worker_id=elsewhere.worker_id, number=elsewhere.number)
    await notify.say(other.offered(date(2026, 1, 30)))
    await notify.settle()
    assert (await notify.http.post(sink.link(other.email), json={"says": "no"})).status_code == 200

    notify.clock.move(date(2026, 1, 7))
    await notify.settle()
    assert [fact.evidence for fact in await facts(notify, QuestionClosed, seen)] == ["slip"]
    assert [fact.evidence for fact in await facts(notify, QuestionClosed, elsewhere)] == ["answered"]
    assert await facts(notify, QuestionClosed, person) == []
    tasks = await notify.http.get("/v1/tasks", params={"limit": 500}, headers=headers)
    mine = [item for item in tasks.json()["items"] if item["worker_id"] == str(person.worker_id)]
    assert [(item["task"], item["agency"], item["offer_id"]) for item in mine] == [("reach_person", "dlh", str(person.offer_id))]
    late = await notify.http.post(sink.link(person.email), content="says=yes", headers=FORM)
    assert late.status_code == 409
    assert "lewat batas waktu" in late.text

    visit = {"question_id": str(person.question_id), "visited_on": "2026-01-07"}
    future = await notify.http.post("/v1/desk/visits", json=visit | {"visited_on": "2026-01-08"}, headers=headers)
    assert (future.status_code, future.json()["type"].rpartition("/")[2]) == (422, "visit-date")
    absent = await notify.http.post("/v1/desk/visits", json=visit | {"met": False}, headers=headers)
    assert absent.json()["state"] == "open"
    met = await notify.http.post("/v1/desk/visits", json=visit, headers=headers)
    assert (met.status_code, met.json()["state"]) == (201, "closed")
    assert [fact.evidence for fact in await facts(notify, QuestionClosed, person)] == ["visit"]
    twice = await notify.http.post("/v1/desk/visits", json=visit, headers=headers)
    assert twice.json()["type"].endswith("/question-closed")
    tasks = await notify.http.get("/v1/tasks", params={"limit": 500}, headers=headers)
    assert str(person.worker_id) not in {item["worker_id"] for item in tasks.json()["items"]}

    await notify.say(person.expired())
    await notify.settle()
    assert ("expired", "mail", "sent", "") in await messages(notify, person)
    assert "Nama Ibu tetap terdaftar" in text(sink.to(person.email)[-1])


async def test_a_reminder_goes_to_who_has_not_answered(notify: Running, sink: Sink) -> None:
    silent, quick = Person(), Person(locale="en")
    # Soon, so that the clock does not pass what other tests wait for.
    await asked(notify, silent, quick, answer_by=date(2026, 1, 9))
    assert sink.to(quick.email)[0]["Subject"].startswith("Job offer")
    assert (await notify.http.post(sink.link(quick.email), json={"says": "yes"})).status_code == 200
    first = sink.link(silent.email)
    notify.clock.move(date(2026, 1, 9) - timedelta(days=3))
    await notify.settle()
    assert await messages(notify, silent) == [("offer", "mail", "sent", ""), ("reminder", "mail", "sent", "")]
    assert await messages(notify, quick) == [("offer", "mail", "sent", "")]
    second = sink.link(silent.email)
    assert second != first
    # Both links lead to the same question.
    assert (await notify.http.post(first, json={"says": "yes"})).status_code == 200
    assert (await notify.http.post(second, json={"says": "no"})).status_code == 409

"""The round: sealed, drawn, computed, signed by another officer, offered, answered; agreements, confirmations, the first day."""

import asyncio
import re
import time
from collections.abc import Sequence
from datetime import date
from typing import Any

from deploy.local.scenario.driver import after
from deploy.local.scenario.people import Person
from deploy.local.scenario.stage import Stage, Step, fingerprint
from shared.regulation import rules
from shared.regulation.sources import build

TITLE = "round"
BUDGET = 120.0
LINK = re.compile(r"https?://\S+/a/[\w-]+")
AT_ONCE = 8
TIMED = 40


def term(stage: Stage) -> date:
    """Last local day on which an offer of the round may be answered."""
    seal = stage.figures.rounds.seal_on
    return after(seal, rules.answer_days(build(stage.region), seal))


def steps(stage: Stage) -> list[Step]:
    """From the choices at the desk to the first day of work."""
    when = stage.figures.rounds
    return [
        Step(after(when.seal_on, -2), TITLE, "choices", lambda: choices(stage)),
        Step(when.seal_on, TITLE, "round", lambda: run(stage)),
        Step(after(when.seal_on, 1), TITLE, "answers", lambda: answers(stage, silent=True)),
        Step(after(when.seal_on, 2), TITLE, "agreements", lambda: agreements(stage, first=True)),
        Step(after(when.seal_on, 7), TITLE, "visits", lambda: visits(stage)),
        Step(after(term(stage), 1), TITLE, "after the term", lambda: answers(stage, silent=False)),
        Step(after(term(stage), 1), TITLE, "never asked", lambda: never_asked(stage)),
        Step(after(term(stage), 2), TITLE, "last agreements", lambda: agreements(stage)),
        Step(when.starts_on, TITLE, "first day", lambda: started(stage)),
    ]


async def choices(stage: Stage) -> None:
    """People without a legal seat of their own family come to the desk: some add another family, some do not want the scheme."""
    office, others = stage.office, stage.figures.others
    desk, clerk = office.token("desk", "a"), office.token("people_officer", "a")
    adding = [(worker, person) for worker, person in stage.persons.items() if person.adds]
    refusing = [w for w, p in stage.persons.items() if p.pool and p.will == "refuse" and p.family in others.families]
    await _gather(
        [office.post("notify", "/v1/desk/preferences", desk, {"worker_id": worker, "families": [p.family, p.adds]}) for worker, p in adding]
    )
    no = {"given": False, "channel": "desk"}
    await _gather([office.post("registry", f"/v1/people/{worker}/consent", clerk, no) for worker in refusing])
    assert len(adding) == others.adding and len(refusing) == others.refusing, (len(adding), len(refusing))


async def run(stage: Stage) -> None:
    """Seal people and capacity, open, draw, compute, sign."""
    office = stage.office
    opener, signer = office.token("placement_signer", "a"), office.token("placement_signer", "b")
    roll = await office.post("registry", "/v1/rolls", office.token("people_officer", "a"), {"region": stage.region})
    seals = "/v1/capacity-seals"
    capacity = await office.post("vendor", seals, office.token("commitment_officer", "a"), {"region": stage.region})
    await office.driver.quiet()
    body = {
        "region": stage.region,
        "roll_seal_id": roll["seal_id"],
        "capacity_seal_id": capacity["seal_id"],
        "starts_on": stage.figures.rounds.starts_on.isoformat(),
        "answer_by": term(stage).isoformat(),
    }
    opened = await office.post("placement", "/v1/rounds", opener, body)
    path = f"/v1/rounds/{opened['id']}"
    stage.notes["round"] = opened["id"]

    async def state(*wanted: str) -> Any:
        async def ready() -> Any:
            found = await office.get("placement", path)
            assert found["state"] != "failed", found
            return found if found["state"] in wanted else None

        return await office.driver.until(f"the round to be {wanted}", ready)

    await state("frozen")
    dice = {"r": fingerprint("dice", stage.region, opened["commitment"]).hex()}
    await office.post("placement", f"{path}/draw", office.token("council_member", "a"), dice)
    computed = await state("computed")
    sign = {"run_sha256": computed["run_sha256"]}
    found = await office.refused("placement", f"{path}/signature", opener, sign)
    stage.refusal("a round signed by the officer who opened it", found, "round-same-officer")
    signed = await office.post("placement", f"{path}/signature", signer, sign)
    stage.notes["signed"] = signed
    stage.said(f"{stage.region}: round of {computed['people']} people and {computed['seats']} seats: {computed['placed']} offers signed")
    await office.driver.quiet()


async def answers(stage: Stage, *, silent: bool) -> None:
    """Everybody with an open offer answers, by the link in the mail or at the desk; freed seats go on, so until nothing is open.

    With `silent`, those who keep silent do not answer.
    """
    office = stage.office
    reader = office.token("placement_signer", "b")
    for _ in range(12):
        await office.driver.quiet()
        offers = [offer async for offer in office.list("placement", "/v1/offers", reader, state="open")]
        due = [(offer, stage.persons[offer["worker_id"]]) for offer in offers]
        if silent:
            due = [(offer, person) for offer, person in due if person.will != "silent"]
        if not due:
            return
        questions = await _questions(stage)
        await _gather([_answer(stage, offer, person, questions[offer["id"]], timed=at < TIMED) for at, (offer, person) in enumerate(due)])
    raise AssertionError(f"{stage.region}: offers stay open after twelve waves of answers")


async def never_asked(stage: Stage) -> None:
    """Whoever does not want the scheme and was never offered a seat says so at the desk: a no counts without an offer too."""
    office, said = stage.office, stage.notes.get("refused_offer", set())
    clerk = office.token("people_officer", "a")
    families = stage.figures.others.families
    left = [w for w, p in stage.persons.items() if p.pool and p.will == "refuse" and p.family not in families and w not in said]
    no = {"given": False, "channel": "desk"}
    await _gather([office.post("registry", f"/v1/people/{worker}/consent", clerk, no) for worker in left])
    stage.notes["never_asked"] = len(left)


async def _questions(stage: Stage) -> dict[str, dict[str, Any]]:
    desk = stage.office.token("desk", "a")
    return {question["about"]: question async for question in stage.office.list("notify", "/v1/questions", desk, state="open")}


async def _answer(stage: Stage, offer: dict[str, Any], person: Person, question: dict[str, Any], *, timed: bool) -> None:
    says = "no_scheme" if person.will == "refuse" else "yes"
    office, started = stage.office, time.perf_counter()
    if says == "no_scheme":
        stage.notes.setdefault("refused_offer", set()).add(offer["worker_id"])
    link = _link(stage, person, offer)
    if link:
        await office.driver.call("GET", link)
        await office.driver.call("POST", link, data={"says": says}, headers={"accept": "text/html"})
        stage.notes["by_link"] = stage.notes.get("by_link", 0) + 1
    else:
        body = {"question_id": question["id"], "says": says}
        await office.post("notify", "/v1/desk/answers", office.token("desk", "a"), body)
        stage.notes["by_desk"] = stage.notes.get("by_desk", 0) + 1
    if says == "yes" and timed:
        reader = office.token("placement_signer", "b")

        async def accepted() -> bool:
            found = await office.get("placement", f"/v1/offers/{offer['id']}", reader)
            return bool(found["state"] != "open")

        await office.driver.until("the accepted offer", accepted)
        stage.waits.append(time.perf_counter() - started)


def _link(stage: Stage, person: Person, offer: dict[str, Any]) -> str:
    mails = stage.office.driver.place.mails(person.email) if person.email else ()
    links = [found.group(0) for mail in mails for found in [LINK.search(mail.text)] if found]
    used: set[str] = stage.notes.setdefault("links", set())
    fresh = [link for link in links if link not in used]
    if not fresh:
        return ""
    used.update(links)
    return fresh[-1]


async def visits(stage: Stage) -> None:
    """The agency visits those who keep silent and records it; only that lets an offer expire at its term."""
    office = stage.office
    desk = office.token("desk", "a")
    open_ = [question async for question in office.list("notify", "/v1/questions", desk, state="open")]
    today = office.driver.place.business_now().date().isoformat()
    await _gather(
        [office.post("notify", "/v1/desk/visits", desk, {"question_id": question["id"], "visited_on": today}) for question in open_]
    )
    stage.notes["visited"] = len(open_)


async def agreements(stage: Stage, *, first: bool = False) -> None:
    """Each vendor signs with those who accepted; less than the offered wage is refused."""
    office = stage.office
    await office.driver.quiet()
    for plan in stage.figures.vendors:
        vendor = stage.notes["vendors"][plan.name]
        token = office.token("vendor_user", "a", vendor=vendor)
        accepted = [found async for found in office.list("vendor", "/v1/accepted-offers", token, state="to_sign")]
        items = [
            {
                "offer_id": offer["offer_id"],
                "number": f"PKWT/{stage.region}/{offer['offer_id'][-12:]}",
                "agreement": "pkwt",
                "wage": offer["wage"],
                "starts_on": offer["starts_on"],
                "ends_on": offer["contract_ends_on"],
            }
            for offer in accepted
        ]
        if first and items:
            less = await office.post("vendor", "/v1/work-agreements", token, {"items": [items[0] | {"wage": items[0]["wage"] - 1}]})
            (found,) = less["items"]
            assert found["outcome"] == "refused" and found["slug"] == "wage-below-offer", found
            what = {"what": "a work agreement with a lower wage than offered", "slug": found["slug"]}
            stage.refused.append(what | {"rule": found.get("rule") or found["slug"], "article": found.get("article") or ""})
        for start in range(0, len(items), 500):
            done = await office.post("vendor", "/v1/work-agreements", token, {"items": items[start : start + 500]})
            assert all(item["outcome"] == "recorded" for item in done["items"]), done
    await office.driver.quiet()


async def started(stage: Stage) -> None:
    """The first working day: whose day has come has started."""
    office = stage.office
    await office.driver.quiet()
    reader, today = office.token("placement_signer", "b"), office.driver.place.business_now().date().isoformat()
    held = [found async for found in office.list("placement", "/v1/placements", reader)]
    # Who accepted after the first term begins later: people get their full days to answer.
    wrong = [found for found in held if found["state"] != ("started" if found["starts_on"] <= today else "confirmed")]
    assert held and not wrong, wrong[:3]
    stage.notes["started"] = sum(found["state"] == "started" for found in held)


async def _gather(calls: Sequence[Any]) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(call: Any) -> None:
        async with gate:
            await call

    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(one(call))

"""Told: everybody with an offer was written to in plain Bahasa Indonesia, or stands on the printed list of the agency."""

from collections import Counter

from deploy.local.scenario.driver import after
from deploy.local.scenario.stage import Stage, Step

TITLE = "told"
BUDGET = 30.0
FORBIDDEN = ("gagal", "ditolak", "tidak layak", "sisa", "pasti", "dijamin")


def steps(stage: Stage) -> list[Step]:
    """After the first day of work."""
    return [Step(after(stage.figures.rounds.starts_on, 1), TITLE, "messages", lambda: messages(stage))]


async def messages(stage: Stage) -> None:
    """Messages by state, the mails read as their readers would, the printed list of those without mail."""
    office = stage.office
    desk = office.token("desk", "a")
    stage.notes["messages"] = Counter()
    async for message in office.list("notify", "/v1/messages", desk):
        stage.notes["messages"][message["state"]] += 1
    offers = [offer async for offer in office.list("placement", "/v1/offers", office.token("placement_signer", "b"))]
    read = 0
    for worker in {offer["worker_id"] for offer in offers}:
        person = stage.persons[worker]
        if not person.email:
            continue
        mails = office.driver.place.mails(person.email)
        assert mails, f"{worker} has a mail address and got no mail"
        for mail in mails:
            read += 1
            assert person.nik not in mail.text and person.nik not in mail.subject, "a mail with a NIK in it"
            assert not any(word in mail.text.lower() for word in FORBIDDEN), mail.text
    assert read, "nobody was written to"
    stage.notes["mails_read"] = read
    printed = [entry async for entry in office.list("notify", "/v1/printed-list", desk, purpose="desk")]
    without = {offer["worker_id"] for offer in offers if not stage.persons[offer["worker_id"]].email}
    listed = {entry["worker_id"] for entry in printed}
    assert without <= listed, f"{len(without - listed)} people without mail are on no printed list"
    stage.notes["printed"] = len(listed & without)

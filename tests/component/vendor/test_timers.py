"""What happens on a day by itself, told as one year so that the clock only moves forward."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.events.registry import RulepackActivated
from shared.ids import new_id
from shared.regulation import sources
from shared.regulation.rules import wage_floor
from tests.component.vendor.office import REGION, Office
from tests.support.running import Running
from tests.support.servers import Servers


async def rules_without_next_year(running: Running) -> None:
    """The rules as they stood before the governor decided the floor of 2026."""
    pack = sources.build(REGION)
    early = msgspec.structs.replace(pack, figures={**pack.figures, "wage_floor": pack.figures["wage_floor"][:1]})
    sources.write(early, running.folder / "packs")
    fact = RulepackActivated(region=REGION, effective_on=date(2025, 1, 1), rulepack_id=new_id(), sha256=early.sha256)
    await running.say(fact)
    await running.settle()


async def findings(office: Office) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await office.get("/v1/findings", "inspector"))["items"]
    return found


async def test_a_year_passes(servers: Servers) -> None:
    async with Running("vendor", servers, start=datetime(2025, 11, 20, 2, tzinfo=UTC)) as running:
        await rules_without_next_year(running)
        office = Office(running)
        old, new = wage_floor(office.pack, date(2025, 12, 31)), wage_floor(office.pack, date(2026, 1, 1))
        assert old < new

        async def to(day: date) -> None:
            running.clock.move(day)
            await running.settle()

        vendor, punished = await office.vendor(), await office.vendor()
        lines = [await office.line(10**9, year=2025, released={4: 10**9}), await office.line(10**9)]
        period = {"starts_on": "2025-12-01", "ends_on": "2026-11-30"}
        low = await office.draft(vendor, *lines, lots=[office.lot(3, wage=old)], **period)
        fair = await office.draft(vendor, *lines, lots=[office.lot(2, wage=new)], **period)
        for drafted in (low, fair):
            assert (await office.sign(drafted["id"])).status_code == 200

        # A debarment with a term ends by itself on the day after it.
        term = {"reason": "wages_withheld", "decree": "SK 1", "until": "2025-12-20"}
        await office.done(f"/v1/vendors/{punished}/debarment", term, "procurement_officer")
        await to(date(2025, 12, 20))
        assert (await office.get(f"/v1/vendors/{punished}", "procurement_officer"))["state"] == "debarred"
        await to(date(2025, 12, 21))
        assert (await office.get(f"/v1/vendors/{punished}", "procurement_officer"))["state"] == "qualified"
        assert len(await running.events("vendor.debarment_lifted")) == 1

        # The same facts under the same rules: nothing on 31 December, a shortfall on 1 January.
        await running.activate_pack(REGION, date(2025, 12, 22))
        await to(date(2025, 12, 31))
        assert await findings(office) == []
        await to(date(2026, 1, 1))
        (found,) = await findings(office)
        assert (found["finding"], found["contract_id"], found["judged_on"]) == ("wage_below_floor", low["id"], "2026-01-01")
        assert (found["floor"], found["wage"], found["seats"]) == (new, old, 3)
        assert (found["shortfall_per_seat"], found["shortfall"]) == (new - old, 3 * (new - old))
        assert "88E" in found["article"] and found["source"]
        (case,) = await running.events("case.opened")
        assert (str(case.case_id), case.case, str(case.contract_id)) == (found["id"], "wage_below_floor", low["id"])
        (listed,) = (await office.get("/v1/cases", "mediator"))["items"]
        assert listed["id"] == found["id"]

        # Who accepted and is not signed by the agreed day is a finding too.
        offer = office.accepted({**low, "terms": 1}, starts_on=date(2026, 2, 2))
        await running.say(offer)
        await to(date(2026, 3, 1))
        (missed,) = [one for one in await findings(office) if one["finding"] == "agreements_unsigned"]
        assert (missed["contract_id"], missed["people"]) == (low["id"], 1)
        (owed,) = [one for one in (await office.get("/v1/obligations", "inspector"))["items"] if one["contract_id"] == low["id"]]
        assert owed["state"] == "missed"

        # An end that is announced waits for its day; then the months after are free again.
        body = {"effective_on": "2026-04-15", "basis": "kesepakatan"}
        announced = await office.done(f"/v1/contracts/{fair['id']}/end", body, "commitment_officer")
        assert (announced["state"], announced["ending_on"]) == ("signed", "2026-04-15")
        await to(date(2026, 4, 15))
        ended = await office.get(f"/v1/contracts/{fair['id']}", "commitment_officer")
        assert (ended["state"], ended["end_reason"], ended["ended_on"]) == ("ended", "terminated", "2026-04-15")
        assert ended["committed"] == 2 * 5 * office.price()

        # The other one runs out.
        await to(date(2026, 11, 30))
        assert (await office.get(f"/v1/contracts/{low['id']}", "commitment_officer"))["state"] == "signed"
        await to(date(2026, 12, 1))
        assert (await office.get(f"/v1/contracts/{low['id']}", "commitment_officer"))["end_reason"] == "expired"
        reasons = {str(fact.contract_id): fact.reason for fact in await running.events("contract.ended")}
        assert reasons == {low["id"]: "expired", fair["id"]: "terminated"}
        assert await running.rows("SELECT kind FROM timer WHERE key = ANY($1)", [UUID(low["id"]), UUID(fair["id"])]) == []
        assert await running.rows("SELECT budget_line_id FROM ledger GROUP BY budget_line_id HAVING sum(amount) <> 0") == []
        differs = (
            "SELECT b.id FROM budget_line b LEFT JOIN ledger l ON l.budget_line_id = b.id AND l.account = 'committed'"
            " GROUP BY b.id HAVING b.committed <> coalesce(sum(l.amount), 0)"
        )
        assert await running.rows(differs) == []

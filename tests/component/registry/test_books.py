"""The books: the balance as of two days, the typed total, the seal, the rule packs."""

from datetime import date
from typing import Any

import pytest_asyncio

from shared.regulation import rules, sources
from tests.component.registry.files import person, send, send_people, table, workers
from tests.support.running import Running

REGION = "15.05"
TODAY = date(2026, 1, 5)
NIKS: list[str] = []


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def books(registry: Running) -> Running:
    """Twenty people of a region that no other test writes to, and what was decreed about them."""
    pack = sources.build(REGION)
    agency, place = min(rules.agencies(pack, TODAY)), min(rules.kecamatan(pack, TODAY))
    rows = [person(agency=agency, kecamatan=place) for _ in range(20)]
    rows[19] |= {"service_end": "2025-12-31"}
    done = await send_people(registry, rows, region=REGION)
    assert done["new"] == 20, done
    n = NIKS[:] = [row["nik"] for row in rows]
    proposals = [{"nik": one, "route": "paruh_waktu", "effective_on": "2025-08-25", "withdrawn": ""} for one in n[6:12]]
    exits = [{"nik": one, "route": "paruh_waktu", "effective_on": "2025-12-01"} for one in n[6:11]]
    exits.append({"nik": n[12], "route": "asn", "effective_on": "2025-02-01"})
    leavings = [
        {"nik": n[13], "reason": "died", "effective_on": "2025-12-15"},
        {"nik": n[14], "reason": "retired", "effective_on": "2025-12-15"},
    ]
    files = {
        "stops": [decree(one, "2025-04-30") for one in n[:6]],
        "recalls": [decree(one, "2025-08-20") for one in n[:2]],
        "proposals": proposals,
        "exits": exits,
        "untraced": [{"nik": n[13], "effective_on": "2025-03-01"}],
        "leavings": leavings,
    }
    for kind, content in files.items():
        done = await send(registry, kind, table(content), region=REGION)
        assert (done["new"], done["rejected"]) == (len(content), {}), done
    return registry


async def balance(books: Running, **query: str) -> dict[str, Any]:
    """The balance as the door shows it."""
    answer = await books.http.get(f"/v1/regions/{REGION}/balance", params=query, headers=books.bearer("executive", regions=(REGION,)))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def decree(nik: str, on: str) -> dict[str, str]:
    """A decree about one person."""
    return {"nik": nik, "decree_number": "800/1/2025", "decree_date": on, "effective_on": on}


async def test_the_balance_of_any_day_holds_everybody_once(books: Running) -> None:
    total = {"region": REGION, "opening": 20, "on": "2024-11-30", "source": "uji"}
    officer = books.bearer("people_officer", regions=(REGION,))
    assert (await books.http.post("/v1/control-totals", json=total, headers=officer)).status_code == 201

    def columns(b: dict[str, Any]) -> tuple[Any, ...]:
        assert (b["opening"], b["people"], b["difference"]) == (20, 20, 0)
        return b["asn"], b["paruh_waktu"], sum(b["left"].values()), b["serving"], b["pool"], b["proposed"], b["untraced"]

    assert columns(await balance(books, on="2024-11-30")) == (0, 0, 0, 20, 0, 0, 0)
    assert columns(await balance(books, on="2025-04-29")) == (1, 0, 0, 18, 1, 0, 1)
    assert columns(await balance(books, on="2025-04-30")) == (1, 0, 0, 12, 7, 0, 1)
    assert columns(await balance(books, on="2025-08-25")) == (1, 0, 0, 8, 11, 6, 1)
    assert columns(await balance(books, on="2025-12-30")) == (1, 5, 2, 7, 5, 1, 0)
    assert columns(await balance(books, on="2025-12-31")) == (1, 5, 2, 6, 6, 1, 0)
    assert (await balance(books))["left"] == {"died": 1, "retired": 1}

    # What was not yet known then is not in what was known then.
    before = books.clock.now().business
    books.clock.move(date(2026, 1, 20))
    await send(books, "leavings", table([{"nik": NIKS[15], "reason": "resigned", "effective_on": "2025-12-20"}]), region=REGION)
    assert columns(await balance(books, on="2025-12-31", as_of=before.isoformat())) == (1, 5, 2, 6, 6, 1, 0)
    assert columns(await balance(books, on="2025-12-31")) == (1, 5, 3, 5, 6, 1, 0)

    # A total that does not fit shows who is missing.
    total |= {"opening": 21}
    await books.http.post("/v1/control-totals", json=total, headers=officer)
    assert (await balance(books))["difference"] == 1


async def test_people_are_listed_by_the_column_they_are_counted_in(books: Running) -> None:
    counted = await balance(books)
    officer = books.bearer("people_officer", regions=(REGION,))
    for state in ("serving", "pool", "proposed", "asn", "paruh_waktu", "left"):
        answer = await books.http.get(f"/v1/people?region={REGION}&state={state}&limit=500", headers=officer)
        wanted = sum(counted["left"].values()) if state == "left" else counted[state]
        assert len(answer.json()["items"]) == wanted, state


async def test_a_roll_pins_the_last_version_of_everything_told(books: Running) -> None:
    officer = books.bearer("people_officer", regions=(REGION,))
    answer = await books.http.post("/v1/rolls", json={"region": REGION}, headers=officer)
    assert answer.status_code == 201
    seal = answer.json()
    chunks = [one for one in await books.events("roll.sealed") if str(one.seal_id) == seal["seal_id"]]
    assert len(chunks) == seal["chunks"] == 1 and seal["people"] == 20
    pinned = dict(zip(chunks[0].ids, chunks[0].versions, strict=True))
    kept = ["worker", "selection", "eligibility", "consent", "credential"]
    rows = await books.rows("SELECT aggregate_id, max(version) AS v FROM event WHERE aggregate = ANY($1) GROUP BY 1", kept)
    assert pinned == {row["aggregate_id"]: row["v"] for row in rows} and len(pinned) == seal["count"]
    again = (await books.http.post("/v1/rolls", json={"region": REGION}, headers=officer)).json()
    assert again["roll_id"] == seal["roll_id"] and again["seal_id"] != seal["seal_id"]


async def test_a_rule_pack_takes_two_officers_and_counts_from_its_day(books: Running) -> None:
    region = "99.01"
    pack = sources.build(region)
    first, second = (books.bearer("people_officer", regions=(region,), subject=one) for one in ("a", "b"))
    body = {"region": region, "sha256": pack.sha256, "effective_on": "2025-06-01"}
    missing = await books.http.post("/v1/packs", json=body, headers=first)
    assert missing.status_code == 409 and missing.json()["type"].endswith("/pack-missing")
    early = await books.http.post(f"/v1/imports?region={region}&kind=people", content=b"nik\n", headers=first)
    assert early.status_code == 503 and early.json()["type"].endswith("/pack-missing")
    sources.write(pack, books.folder / "packs")
    draft = await books.http.post("/v1/packs", json=body, headers=first)
    assert draft.status_code == 201 and draft.json()["state"] == "draft"
    door = f"/v1/packs/{draft.json()['pack_id']}/activation"
    refused = await books.http.post(door, json={}, headers=first)
    assert refused.status_code == 409 and refused.json()["type"].endswith("/same-officer")
    assert (await books.http.post(door, json={}, headers=second)).json()["state"] == "active"
    (fact,) = [one for one in await books.events("rulepack.activated") if one.region == region]
    assert (fact.sha256, fact.effective_on) == (pack.sha256, date(2025, 6, 1))
    rows = [person(agency="rsud", kecamatan="99.01.01") for _ in range(2)]
    assert (await send_people(books, rows, region=region))["new"] == 2
    assert len(await workers(books, rows, region=region)) == 2
    listed = (await books.http.get(f"/v1/packs?region={region}", headers=first)).json()["items"]
    assert [one["state"] for one in listed] == ["active"]

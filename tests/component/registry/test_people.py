"""People one by one: who may open them, what is written about it, and that the erased stay erased."""

from datetime import date
from typing import Any
from uuid import UUID

from shared.events.placement import OfferAccepted, OfferWithdrawn, PlacementConfirmed, PlacementEnded
from shared.ids import new_id
from tests.component.registry.files import person, send, send_people, table, workers
from tests.support.running import Running

VENDOR = new_id()


def confirmed(worker: UUID, vendor: UUID = VENDOR, **more: Any) -> PlacementConfirmed:
    """A neighbour's fact."""
    values: dict[str, Any] = {
        "region": "13.74",
        "effective_on": date(2026, 1, 5),
        "placement_id": new_id(),
        "worker_id": worker,
        "offer_id": new_id(),
        "contract_id": new_id(),
        "lot_id": new_id(),
        "vendor_id": vendor,
        "terms": 1,
        "agency": "rsud",
        "job": "cleaning",
        "incumbent": True,
        "starts_on": date(2026, 1, 5),
    }
    return PlacementConfirmed(**(values | more))


async def taken(registry: Running, count: int = 1, **more: str) -> tuple[list[dict[str, str]], list[UUID]]:
    """So many people in the books."""
    rows = [person(**more) for _ in range(count)]
    await send_people(registry, rows)
    return rows, await workers(registry, rows)


async def audited(registry: Running, kind: str, worker: UUID) -> list[str]:
    """The purposes under which something was written to the audit about a worker."""
    rows = await registry.rows("SELECT purpose FROM audit WHERE kind = $1 AND aggregate_id = $2 ORDER BY seq", kind, worker)
    return [row["purpose"] for row in rows]


async def test_a_person_is_opened_for_a_purpose_and_the_reading_is_audited(registry: Running) -> None:
    (row,), (worker,) = await taken(registry)
    officer = registry.bearer("people_officer")
    assert (await registry.http.get(f"/v1/people/{worker}", headers=officer)).status_code == 422
    answer = await registry.http.get(f"/v1/people/{worker}?purpose=case", headers=officer)
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["nik"], shown["name"], shown["email"], shown["column"]) == (row["nik"], row["name"], row["email"], "serving")
    assert shown["eligibility"]["verdict"] == "eligible"
    assert answer.headers["etag"] == '"1"'
    assert await audited(registry, "person.read", worker) == ["case"]


async def test_names_are_listed_and_searched_for_a_purpose_only(registry: Running) -> None:
    (row,), (worker,) = await taken(registry, name="Ratna Ayu Pelangi")
    officer = registry.bearer("people_officer")
    plain = (await registry.http.get("/v1/people?region=13.74&limit=500", headers=officer)).json()["items"]
    assert worker in {UUID(one["worker_id"]) for one in plain} and {one["name"] for one in plain} == {None}
    assert (await registry.http.get("/v1/people?region=13.74&name=pelangi", headers=officer)).status_code == 422
    found = (await registry.http.get("/v1/people?region=13.74&name=PELANGI%20ratna&purpose=desk", headers=officer)).json()["items"]
    assert [(one["worker_id"], one["name"]) for one in found] == [(str(worker), row["name"])]
    assert await audited(registry, "person.name_read", worker) == ["desk"]
    nobody = await registry.http.get("/v1/people?region=13.74&name=pelangi%20senja&purpose=desk", headers=officer)
    assert nobody.json()["items"] == []


async def test_lists_are_paged_by_worker_number_without_loss(registry: Running) -> None:
    _, ids = await taken(registry, 7, agency="setwan")
    officer = registry.bearer("people_officer")
    seen: list[str] = []
    cursor = ""
    while True:
        answer = (await registry.http.get(f"/v1/people?region=13.74&agency=setwan&limit=3{cursor}", headers=officer)).json()
        seen += [one["worker_id"] for one in answer["items"]]
        if not answer["next"]:
            break
        cursor = f"&cursor={answer['next']}"
    assert len(seen) == len(set(seen)) and set(map(str, ids)) <= set(seen)


async def test_an_agencys_officer_sees_only_the_own_agencys_people(registry: Running) -> None:
    _, (worker,) = await taken(registry, agency="dishub")
    mine = registry.bearer("agency_officer", agencies=("dishub",))
    other = registry.bearer("agency_officer", agencies=("dlh",))
    assert (await registry.http.get(f"/v1/people/{worker}?purpose=desk", headers=mine)).status_code == 200
    assert (await registry.http.get(f"/v1/people/{worker}?purpose=desk", headers=other)).status_code == 403
    listed = (await registry.http.get("/v1/people?region=13.74", headers=other)).json()["items"]
    assert {one["agency"] for one in listed} <= {"dlh"}


async def test_another_regions_officer_finds_nobody(registry: Running) -> None:
    _, (worker,) = await taken(registry)
    foreign = registry.bearer("people_officer", regions=("15.05",))
    assert (await registry.http.get(f"/v1/people/{worker}?purpose=case", headers=foreign)).status_code == 404
    assert (await registry.http.get("/v1/people?region=13.74", headers=foreign)).status_code == 403
    assert (await registry.http.post(f"/v1/people/{worker}/erasure", json={"ground": "request"}, headers=foreign)).status_code == 404
    assert (await registry.http.post("/v1/imports?region=13.74&kind=people", content=b"x", headers=foreign)).status_code == 403


async def test_a_vendor_opens_only_its_own_people(registry: Running) -> None:
    _, (mine, offered, theirs, gone) = await taken(registry, 4)
    offer = OfferAccepted(
        region="13.74",
        effective_on=date(2026, 1, 5),
        offer_id=new_id(),
        worker_id=offered,
        contract_id=new_id(),
        lot_id=new_id(),
        vendor_id=VENDOR,
        terms=1,
        starts_on=date(2026, 1, 10),
    )
    withdrawn = OfferAccepted(
        **{name: getattr(offer, name) for name in offer.__struct_fields__} | {"offer_id": new_id(), "worker_id": gone}
    )
    await registry.say(
        confirmed(mine),
        confirmed(theirs, vendor=new_id()),
        offer,
        withdrawn,
        OfferWithdrawn(
            region="13.74",
            effective_on=date(2026, 1, 5),
            offer_id=withdrawn.offer_id,
            worker_id=gone,
            lot_id=withdrawn.lot_id,
            reason="reduced",
        ),
    )
    await registry.settle()
    body = {"region": "13.74", "purpose": "work_agreement", "worker_ids": [str(one) for one in (mine, offered, theirs, gone)]}
    answer = await registry.http.post("/v1/identities/lookup", json=body, headers=registry.bearer("vendor_user", vendor=VENDOR))
    assert answer.status_code == 200
    found = answer.json()
    assert {one["worker_id"] for one in found["people"]} == {str(mine), str(offered)} and found["unknown"] == 2
    assert all(len(one["nik"]) == 16 for one in found["people"])
    assert await audited(registry, "person.looked_up", offered) == ["payroll", "work_agreement"]
    case = await registry.http.post(
        "/v1/identities/lookup", json=body | {"purpose": "case"}, headers=registry.bearer("vendor_user", vendor=VENDOR)
    )
    assert case.status_code == 403


async def test_the_nik_is_given_only_where_the_purpose_needs_it(registry: Running) -> None:
    _, (worker,) = await taken(registry)
    body = {"region": "13.74", "purpose": "desk", "worker_ids": [str(worker)]}
    (one,) = (await registry.http.post("/v1/identities/lookup", json=body, headers=registry.bearer("service"))).json()["people"]
    assert one["name"] and one["nik"] is None


async def test_consent_is_told_when_it_changes(registry: Running) -> None:
    _, (worker,) = await taken(registry)
    officer = registry.bearer("people_officer")
    said = [{"given": True}, {"given": False}, {"given": False}, {"given": True}]
    changed = []
    for one in said:
        answer = await registry.http.post(f"/v1/people/{worker}/consent", json=one | {"channel": "desk"}, headers=officer)
        assert answer.status_code == 200
        changed.append(answer.json()["changed"])
    assert changed == [False, True, False, True]
    told = [one.given for one in await registry.events("consent.changed") if one.worker_id == worker]
    assert told == [False, True]


async def test_a_repeated_request_with_the_same_key_is_answered_the_same(registry: Running) -> None:
    _, (worker,) = await taken(registry)
    headers = registry.bearer("people_officer", key=str(new_id()))
    body = {"given": False, "channel": "desk"}
    answers = [await registry.http.post(f"/v1/people/{worker}/consent", json=body, headers=headers) for _ in range(2)]
    assert [one.json() for one in answers] == [{"worker_id": str(worker), "given": False, "changed": True}] * 2


async def test_the_erased_are_gone_and_an_old_file_does_not_bring_them_back(registry: Running) -> None:
    (row,), (worker,) = await taken(registry, job_family="driver")
    paper = {"nik": row["nik"], "credential": "sim", "class": "A", "valid_from": "2024-01-01", "valid_until": "2027-01-01"}
    await send(registry, "credentials", table([paper]))
    officer = registry.bearer("people_officer")
    await registry.http.get(f"/v1/people/{worker}?purpose=case", headers=officer)
    answer = await registry.http.post(f"/v1/people/{worker}/erasure", json={"ground": "request"}, headers=officer)
    assert answer.status_code == 200 and answer.json()["erased"]
    assert (await registry.http.get(f"/v1/people/{worker}?purpose=case", headers=officer)).status_code == 404
    assert [one.worker_id for one in await registry.events("worker.erased") if one.worker_id == worker] == [worker]
    gone = await registry.rows("SELECT gone FROM event WHERE key = $1 AND type = 'contact.changed.v1' ORDER BY seq", worker)
    assert [one["gone"] for one in gone] == [False, True]
    assert await registry.rows("SELECT key FROM timer WHERE key IN (SELECT id FROM credential WHERE worker_id = $1)", worker) == []
    again = await send_people(registry, [row])
    assert (again["new"], again["rejected"]) == (0, {"erased_before": 1})
    await registry.settle()


async def test_nobody_is_erased_while_holding_a_seat(registry: Running) -> None:
    _, (worker,) = await taken(registry)
    fact = confirmed(worker)
    await registry.say(fact)
    await registry.settle()
    officer = registry.bearer("people_officer")
    answer = await registry.http.post(f"/v1/people/{worker}/erasure", json={"ground": "request"}, headers=officer)
    assert answer.status_code == 409 and answer.json()["type"].endswith("/placement-active") and answer.json()["article"]
    ended = PlacementEnded(
        region="13.74",
        effective_on=date(2026, 1, 5),
        placement_id=fact.placement_id,
        worker_id=worker,
        lot_id=fact.lot_id,
        reason="resigned",
    )
    await registry.say(ended)
    await registry.settle()
    assert (await registry.http.post(f"/v1/people/{worker}/erasure", json={"ground": "request"}, headers=officer)).status_code == 200


async def test_a_merge_takes_two_officers_and_later_files_reach_the_survivor(registry: Running) -> None:
    (_, double), (survivor, merged) = await taken(registry, 2)
    first, second = registry.bearer("people_officer", subject="a"), registry.bearer("people_officer", subject="b")
    body = {"survivor_id": str(survivor), "merged_id": str(merged), "reason": "mistyped_nik"}
    proposal = await registry.http.post("/v1/merges", json=body, headers=first)
    assert proposal.status_code == 201
    door = f"/v1/merges/{proposal.json()['merge_id']}/approval"
    refused = await registry.http.post(door, json={}, headers=first)
    assert refused.status_code == 409 and refused.json()["type"].endswith("/same-officer")
    assert (await registry.http.post(door, json={}, headers=second)).json()["state"] == "approved"
    assert (await registry.http.post(door, json={}, headers=second)).status_code == 409
    (told,) = [one for one in await registry.events("worker.merged") if one.worker_id == merged]
    assert told.survivor_id == survivor
    await send(registry, "leavings", table([{"nik": double["nik"], "reason": "retired", "effective_on": "2026-01-02"}]))
    assert [one.worker_id for one in await registry.events("worker.left") if one.worker_id in (survivor, merged)] == [survivor]


async def test_why_names_every_step(registry: Running) -> None:
    (row,), (worker,) = await taken(registry)
    decree = {"decree_number": "800/1", "decree_date": "2025-07-28", "effective_on": "2025-08-01"}
    await send(registry, "stops", table([{"nik": row["nik"]} | decree]))
    why = (await registry.http.get(f"/v1/people/{worker}/why", headers=registry.bearer("people_officer"))).json()
    assert (why["column"], why["reason"]) == ("pool", "laid_off")
    assert [(step["what"], step["value"]) for step in why["steps"]] == [("registered", "cleaning"), ("service", "laid_off")]
    assert why["steps"][1]["decree_number"] == "800/1" and why["eligibility"]["article"]
    before = (await registry.http.get(f"/v1/people/{worker}/why?on=2025-07-31", headers=registry.bearer("people_officer"))).json()
    assert before["column"] == "serving"

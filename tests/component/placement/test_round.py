"""A round's way through the public doors, on real Kafka and Postgres."""

import asyncio
import sys
from datetime import date
from pathlib import Path

import services.placement
from shared.events import placement
from tests.component.placement.world import World


async def test_a_round_goes_from_seal_to_started_placement_and_anybody_can_check_it(world: World, tmp_path: Path) -> None:
    await world.people(["ani", "budi"])
    await world.people(["cici"], agency="dlh", since=date(2020, 1, 1))
    await world.people(["dodi"], family="technical")
    await world.contract("k1", [("rsud", "rsud", "cleaning", 2)])
    signed = await world.signed_round()
    assert signed["state"] == "signed"
    assert (signed["people"], signed["lots"], signed["seats"], signed["placed"], signed["unplaced"]) == (4, 1, 2, 2, 2)
    assert signed["offers"] == {"offers": 2}

    open_ = await world.open_offers()
    assert set(open_) == {world.id("ani"), world.id("budi")}
    stands = await world.stands()
    assert stands[world.id("cici")] == ("waiting", "no_seat")
    assert stands[world.id("dodi")] == ("waiting", "no_legal_basis")
    assert stands[world.id("ani")] == ("waiting", "offer_open")

    folder = tmp_path / "run"
    folder.mkdir()
    listed = await world.get(f"/v1/rounds/{signed['id']}/files")
    names = {f["name"] for f in listed["items"]}
    assert "signature.json" in names and "openings.jsonl" not in names
    for name in names:
        answer = await world.app.http.get(f"/v1/rounds/{signed['id']}/files/{name}")
        assert answer.status_code == 200
        (folder / name).write_bytes(answer.content)
    verify = Path(services.placement.__path__[0]) / "matching" / "verify.py"
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", str(verify), str(folder), stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()

    await world.app.say(*[world.answer(o, "yes") for o in open_.values()])
    await world.app.settle()
    await world.app.say(*[world.agreement(o) for o in open_.values()])
    await world.app.settle()
    assert len(await world.events(placement.PlacementConfirmed)) == 2
    # The day of the start is today: the timer has fired.
    assert len(await world.events(placement.PlacementStarted)) == 2
    states = await world.events(placement.PlacementState)
    assert [s.state for s in states if s.worker_id == world.id("ani")] == ["confirmed", "started"]
    stands = await world.stands()
    assert stands[world.id("ani")] == stands[world.id("budi")] == ("placed", "")
    pool = await world.pool()
    assert pool["total"] == len(stands)
    assert pool["placed"] == sum(column == "placed" for column, _ in stands.values())
    assert (await world.get(f"/v1/rounds/{signed['id']}"))["state"] == "closed"
    await world.sound()

    why = await world.get(f"/v1/rounds/{signed['id']}/people/{world.id('cici')}", "placement_signer")
    assert why["outcome"] == "waiting" and why["reason"] == "no_seat"
    assert why["explanation"]["refusals"][0]["field"] == "incumbent"
    assert why["explanation"]["nearest_change"]["seats"] >= 1
    opening = await world.app.http.get(f"/v1/rounds/{signed['id']}/openings/openings.jsonl", headers=world.app.bearer("auditor"))
    assert opening.status_code == 200 and str(world.id("ani")) in opening.text
    hidden = await world.app.http.get(f"/v1/rounds/{signed['id']}/files/openings.jsonl")
    assert hidden.status_code == 404


async def test_a_round_waits_and_names_what_is_missing(world: World) -> None:
    people = await world.people(["ani"])
    contract = await world.contract("k1", [("rsud", "rsud", "cleaning", 1)])
    whole = list(world.roll), list(world.capacity)
    # A person nobody has told of, a version not heard yet, a contract at a later version; one chunk of the roll is held back.
    world.roll += [(world.id("nobody"), 1)]
    world.roll = [(id_, version + 1 if id_ == people[0] else version) for id_, version in world.roll]
    world.capacity = [(contract, 2)]
    refused = await world.open_round(status=409)
    assert refused["type"].endswith("/round-waits")
    said = {error["field"]: error for error in refused["errors"]}
    assert set(said) == {"people", "contracts"}
    assert str(world.id("nobody")) in said["people"]["text"] and str(people[0]) in said["people"]["text"]
    assert str(contract) in said["contracts"]["text"]
    # A seal that never came.
    refused = await world.open_round(status=409, seals=(world.id("no seal"), world.id("no seal either")))
    assert {(error["field"], error["code"]) for error in refused["errors"]} == {("roll", "seal-unknown"), ("capacity", "seal-unknown")}
    world.roll, world.capacity = whole
    opened = await world.open_round()
    assert opened["state"] == "frozen" and opened["people"] == 1
    assert (await world.open_round(status=409))["type"].endswith("/round-open-already")


async def test_a_round_does_not_open_over_a_parked_record_of_the_region(world: World) -> None:
    await world.people(["ani"])
    await world.contract("k1", [("rsud", "rsud", "cleaning", 1)])
    seals = await world.seal()
    await world.app.settle()
    await world.app.owner.execute(
        'INSERT INTO parked (id, consumer, kind, reason, topic, partition, "offset", region, record, parked_at)'
        " VALUES ($1, 'placement.people', 'failed', 'test', 't', 0, 0, '13.74', '', now())",
        world.id("parked"),
    )
    try:
        refused = await world.open_round(status=409, seals=seals)
        assert [(error["field"], error["code"]) for error in refused["errors"]] == [("parked", "parked")]
    finally:
        await world.app.owner.execute("DELETE FROM parked WHERE id = $1", world.id("parked"))
    assert (await world.open_round(seals=seals))["state"] == "frozen"


async def test_four_eyes_on_a_round(world: World) -> None:
    await world.people(["ani"])
    await world.contract("k1", [("rsud", "rsud", "cleaning", 1)])
    opened = await world.open_round()
    path = f"/v1/rounds/{opened['id']}"
    assert opened["commitment"] and opened["instance_hash"] and not opened["run_sha256"]
    sha = {"run_sha256": "0" * 64}
    early = await world.post(f"{path}/signature", sha, "placement_signer", subject="signer", status=409)
    assert early["type"].endswith("/round-state")
    same = await world.post(f"{path}/draw", {"r": "ab" * 32}, "auditor", subject="opener", status=409)
    assert same["type"].endswith("/round-same-officer") and same["article"]
    await world.post(f"{path}/draw", {"r": "ab" * 32}, "placement_signer", subject="x", status=403)
    await world.post(f"{path}/draw", {"r": "short"}, "auditor", subject="x", status=422)
    await world.post(f"{path}/draw", {"r": "ab" * 32}, "council_member", subject="council", status=202)
    again = await world.post(f"{path}/draw", {"r": "cd" * 32}, "auditor", subject="auditor", status=409)
    assert again["type"].endswith("/round-state")
    await world.app.settle()
    run = await world.get(path)
    seen = {"run_sha256": run["run_sha256"]}
    same = await world.post(f"{path}/signature", seen, "placement_signer", subject="opener", status=409)
    assert same["type"].endswith("/round-same-officer")
    other = await world.post(f"{path}/signature", sha, "placement_signer", subject="signer", status=409)
    assert other["type"].endswith("/run-changed")
    assert not await world.offers()
    lottery = (await world.app.http.get(f"{path}/files/lottery.json")).json()
    assert lottery["commitment"] == opened["commitment"] and lottery["instance_hash"] == opened["instance_hash"]
    assert lottery["second"] == "ab" * 32
    signed = await world.post(f"{path}/signature", seen, "placement_signer", subject="signer")
    assert signed["offers"] == {"offers": 1}
    late = await world.post(f"{path}/cancellation", {"reason": "too_late"}, "placement_signer", status=409)
    assert late["type"].endswith("/round-state")


async def test_dates_of_a_round_and_who_may_open_it(world: World) -> None:
    await world.people(["ani"])
    await world.contract("k1", [("rsud", "rsud", "cleaning", 1)])
    past = await world.open_round(date(2026, 1, 4), status=409)
    assert past["type"].endswith("/starts-in-the-past") and past["errors"][0]["field"] == "starts_on"
    past = await world.open_round(status=409, answer_by="2026-01-04")
    assert past["type"].endswith("/answer-by-in-the-past")
    body = {
        "region": "15.05",
        "roll_seal_id": str(world.id("x")),
        "capacity_seal_id": str(world.id("y")),
        "starts_on": "2026-01-05",
    }
    await world.post("/v1/rounds", body, "placement_signer", status=403)
    await world.post("/v1/rounds", {**body, "region": "13.74"}, "auditor", status=403)
    await world.get("/v1/rounds", "placement_signer", region="15.05", status=403)


async def test_an_excluded_person_is_not_in_the_round(world: World) -> None:
    await world.people(["ani", "budi"])
    await world.contract("k1", [("rsud", "rsud", "cleaning", 2)])
    exclude = [{"worker_id": str(world.id("ani")), "reason": "papers_looked_at"}]
    signed = await world.signed_round(exclude=exclude)
    assert (signed["people"], signed["placed"]) == (1, 1)
    assert set(await world.open_offers()) == {world.id("budi")}


async def test_credentials_age_and_legal_basis_decide_who_may_sit_where(world: World) -> None:
    await world.people(["aman", "bagas", "cakra", "dana", "eka"], family="guard", agency="satpolpp")
    for name, kta_until, guard_until in (
        ("aman", date(2027, 1, 1), date(2040, 1, 1)),  # everything in force
        ("bagas", date(2025, 3, 1), date(2040, 1, 1)),  # KTA ran out less than a year ago: tolerated
        ("cakra", date(2024, 12, 1), date(2040, 1, 1)),  # KTA ran out over a year ago
        ("dana", date(2027, 1, 1), date(2026, 1, 4)),  # the 56th birthday is the day of the start
    ):
        await world.credential(name, "gada_pratama", until=None)
        await world.credential(name, "kta", until=kta_until)
        await world.credential(name, "guard_until", until=guard_until)
    await world.people(["fajar", "galih"], family="driver", agency="dishub")
    await world.credential("fajar", "sim", "BI")
    await world.credential("galih", "sim", "C")
    await world.people(["hana"], family="administrative", agency="setda")
    await world.people(["indah"], family="pramusaji", agency="setda", since=date(2024, 1, 1))
    await world.app.say(world.wishes(world.id("indah"), "pramusaji", "cleaning"))
    await world.contract(
        "k1",
        [("g", "satpolpp", "guard", 5), ("d", "dishub", "driver", 2), ("c", "setda", "cleaning", 1), ("a", "setda", "administrative", 1)],
    )
    await world.signed_round()
    assert set(await world.open_offers()) == {world.id(n) for n in ("aman", "bagas", "fajar", "indah")}
    stands = await world.stands()
    assert stands[world.id("cakra")] == stands[world.id("eka")] == ("waiting", "no_kta")
    assert stands[world.id("dana")] == ("ineligible", "age")
    assert stands[world.id("galih")] == ("waiting", "sim_class")
    assert stands[world.id("hana")] == ("waiting", "no_legal_basis")
    rounds = await world.get("/v1/rounds", "placement_signer", region="13.74")
    why = await world.get(f"/v1/rounds/{rounds['items'][0]['id']}/people/{world.id('galih')}", "placement_signer")
    assert why["explanation"]["nearest_change"]["change"] == "sim_class"
    assert why["explanation"]["nearest_change"]["seat"] == str(world.lots["d"].lot_id)

"""A round's way through the public doors, on real Kafka and Postgres."""

import subprocess
import sys
from datetime import date
from pathlib import Path
from uuid import UUID

from services.placement.matching import verify
from shared.events import placement
from tests.component.placement.world import START, World, worker


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
    assert set(open_) == {worker("ani"), worker("budi")}
    stands = await world.stands()
    assert stands[worker("cici")] == ("waiting", "no_seat")
    assert stands[worker("dodi")] == ("waiting", "no_legal_basis")
    assert stands[worker("ani")] == ("waiting", "offer_open")

    folder = tmp_path / "run"
    folder.mkdir()
    listed = await world.get(f"/v1/rounds/{signed['id']}/files")
    names = {f["name"] for f in listed["items"]}
    assert "signature.json" in names and "openings.jsonl" not in names
    for name in names:
        answer = await world.app.http.get(f"/v1/rounds/{signed['id']}/files/{name}")
        assert answer.status_code == 200
        (folder / name).write_bytes(answer.content)
    checked = subprocess.run([sys.executable, "-I", verify.__file__, str(folder)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    await world.app.say(*[world.answer(o, "yes") for o in open_.values()])
    await world.app.settle()
    await world.app.say(*[world.agreement(o) for o in open_.values()])
    await world.app.settle()
    assert len(await world.app.events(placement.PlacementConfirmed)) == 2
    # The day of the start is today: the timer has fired.
    assert len(await world.app.events(placement.PlacementStarted)) == 2
    states = await world.app.events(placement.PlacementState)
    assert [s.state for s in states if s.worker_id == worker("ani")] == ["confirmed", "started"]
    assert (await world.pool())["placed"] == 2
    assert (await world.get(f"/v1/rounds/{signed['id']}"))["state"] == "closed"
    await world.sound()

    why = await world.get(f"/v1/rounds/{signed['id']}/people/{worker('cici')}", "placement_signer")
    assert why["outcome"] == "waiting" and why["reason"] == "no_seat"
    assert why["explanation"]["refusals"][0]["field"] == "incumbent"
    assert why["explanation"]["nearest_change"]["seats"] >= 1
    opening = await world.app.http.get(
        f"/v1/rounds/{signed['id']}/openings/openings.jsonl", headers=world.app.bearer("auditor")
    )
    assert opening.status_code == 200 and str(worker("ani")) in opening.text
    hidden = await world.app.http.get(f"/v1/rounds/{signed['id']}/files/openings.jsonl")
    assert hidden.status_code == 404
    assert UUID(signed["id"])
    assert START

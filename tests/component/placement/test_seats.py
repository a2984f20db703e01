"""Offers and placements after the signature: answers, terms, agreements, departures, contracts, reductions."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.clock import WIB
from shared.events import placement, registry, vendor
from shared.ids import derived_id
from tests.component.placement.world import REGION, START, World


async def _round(world: World, seats: int, names: str = "abcd") -> dict[str, Any]:
    """People of falling tenure at one lot; their open offers by name after the signature."""
    for number, name in enumerate(names):
        await world.people([name], since=date(2005 + number, 1, 1))
    await world.contract("k1", [("lot", "rsud", "cleaning", seats)])
    await world.signed_round()
    return await _open(world, names)


async def _open(world: World, names: str = "abcd") -> dict[str, Any]:
    found = await world.open_offers()
    return {name: found[world.id(name)] for name in names if world.id(name) in found}


async def test_answers_in_time_count_others_are_refused_and_a_freed_seat_goes_on(world: World) -> None:
    offers = await _round(world, 2)
    assert list(offers) == ["a", "b"]
    last = date.fromisoformat(offers["a"]["answer_by"])
    night = datetime(last.year, last.month, last.day, 23, 59, 59, tzinfo=WIB)
    too_late = datetime.fromtimestamp(night.timestamp() + 1, WIB)
    await world.app.say(
        world.answer(offers["a"], "yes", worker_id=world.id("c")),
        world.answer(offers["a"], "maybe"),
        world.answer(offers["a"], "yes", at=too_late),
        world.answer({"id": str(world.id("no offer")), "worker_id": str(world.id("a"))}, "yes"),
        world.answer(offers["b"], "no", reasons=("far",)),
        world.answer(offers["b"], "yes"),
    )
    await world.app.settle()
    assert await world.slugs() == ["answer-late", "answer-unknown", "offer-closed", "offer-foreign", "offer-unknown"]
    assert [f.reasons for f in await world.events(placement.OfferDeclined)] == [("far",)]
    offers |= await _open(world)
    assert list(offers) == ["a", "b", "c"] and offers["a"]["state"] == "open"

    # A term passes only with evidence; who declined or kept silent is not asked again for the same lot.
    await world.app.say(world.term(offers["c"], evidence=""))
    await world.app.settle()
    assert (await world.slugs()).count("no-evidence") == 1
    await world.app.say(world.term(offers["c"]), world.answer(offers["c"], "yes"))
    await world.app.settle()
    offers |= await _open(world)
    assert list(offers) == ["a", "b", "c", "d"]
    world.app.clock.move(night)
    await world.app.say(world.answer(offers["a"], "yes", at=night), world.answer(offers["d"], "yes"), world.answer(offers["d"], "no"))
    await world.app.settle()
    assert {f.worker_id for f in await world.events(placement.OfferAccepted)} == {world.id("a"), world.id("d")}
    # Whoever says yes after the day named starts on the day of the yes.
    offers |= {name: await world.get(f"/v1/offers/{offers[name]['id']}", "placement_signer") for name in "ad"}
    assert offers["a"]["starts_on"] == offers["d"]["starts_on"] == last.isoformat()

    await world.app.say(
        world.agreement(offers["a"], starts_on=date(2026, 3, 1)),
        world.agreement(offers["b"]),
        world.agreement(offers["d"]),
    )
    await world.app.settle()
    assert {"agreement-differs", "offer-not-accepted"} <= set(await world.slugs())
    stands = await world.stands()
    assert [stands[world.id(n)] for n in "abcd"] == [
        ("waiting", "accepted"),
        ("waiting", "declined_offer"),
        ("waiting", "no_answer"),
        ("placed", ""),
    ]
    # The round stays open for the accepted offer, and closes with its agreement.
    assert not await world.events(placement.RoundClosed)
    again = msgspec.structs.replace(world.agreement(offers["a"]), work_agreement_id=derived_id("second", offers["a"]["id"]))
    await world.app.say(again)
    await world.app.settle()
    assert len(await world.events(placement.RoundClosed)) == 1
    assert {f.worker_id for f in await world.events(placement.PlacementStarted)} == {world.id("a"), world.id("d")}


def _exit(world: World, name: str, on: date = START) -> registry.WorkerExited:
    return registry.WorkerExited(region=REGION, effective_on=on, worker_id=world.id(name), route="asn")


def _consent(world: World, name: str, given: bool) -> registry.ConsentChanged:
    return registry.ConsentChanged(
        region=REGION,
        effective_on=START,
        consent_id=derived_id("consent", world.id(name)),
        worker_id=world.id(name),
        given=given,
        channel="desk",
    )


async def test_departures_withdraw_offers_end_placements_and_bar_new_offers(world: World) -> None:
    for number, name in enumerate("abcdef"):
        await world.people([name], since=date(2005 + number, 1, 1))
    await world.contract("k1", [("lot", "rsud", "cleaning", 4)])
    opened = await world.open_round()
    path = f"/v1/rounds/{opened['id']}"
    await world.post(f"{path}/draw", {"r": "5a" * 32}, "auditor", subject="auditor", status=202)
    await world.app.settle()
    run = await world.get(path)
    # a leaves between the run and the signature: no offer is made, and the seat goes on to e.
    await world.say(_exit(world, "a"))
    await world.app.settle()
    signed = await world.post(f"{path}/signature", {"run_sha256": run["run_sha256"]}, "placement_signer", subject="signer")
    assert signed["offers"] == {"offers": 3, "person-gone": 1}
    await world.app.settle()
    offers = await _open(world, "abcdef")
    assert list(offers) == ["b", "c", "d", "e"]

    # b leaves with an open offer; c accepts, then takes the consent back; d is placed, then exits; f gets what comes free.
    await world.app.say(world.answer(offers["c"], "yes"), world.answer(offers["d"], "yes"))
    await world.app.settle()
    await world.app.say(world.agreement(offers["d"]))
    await world.app.settle()
    await world.say(_exit(world, "b"), _consent(world, "c", False), _exit(world, "d"))
    await world.app.settle()
    withdrawn = {f.worker_id: f.reason for f in await world.events(placement.OfferWithdrawn)}
    assert withdrawn == {world.id("b"): "exited", world.id("c"): "consent_withdrawn"}
    assert [(f.worker_id, f.reason) for f in await world.events(placement.PlacementEnded)] == [(world.id("d"), "exited")]
    assert list(await _open(world, "abcdef")) == ["e", "f"]
    stands = await world.stands()
    assert stands[world.id("c")] == ("declined", "")
    assert all(world.id(name) not in stands for name in "abd")
    # An agreement or an answer that comes too late changes nothing.
    await world.app.say(world.agreement(offers["c"]), world.answer(offers["b"], "yes"))
    await world.app.settle()
    assert {"offer-not-accepted", "offer-closed"} <= set(await world.slugs())
    assert (await world.lot("lot"))["taken"] == 2
    # Given again, the consent opens the way to the free seat at the next look.
    await world.say(_consent(world, "c", True))
    await world.app.say(world.answer((await _open(world, "e"))["e"], "no"))
    await world.app.settle()
    assert "c" not in await _open(world)  # c was asked for this lot in this round before


async def test_the_end_of_a_contract_withdraws_and_ends(world: World) -> None:
    offers = await _round(world, 3)
    await world.app.say(world.answer(offers["a"], "yes"), world.answer(offers["b"], "yes"))
    await world.app.settle()
    await world.app.say(world.agreement(offers["a"]))
    await world.app.settle()
    await world.say(
        vendor.ContractEnded(
            region=REGION, effective_on=START, contract_id=world.contracts["k1"], vendor_id=world.vendors["PT Contoh"], reason="terminated"
        )
    )
    await world.app.settle()
    assert {f.worker_id: f.reason for f in await world.events(placement.OfferWithdrawn)} == {
        world.id("b"): "contract_ended",
        world.id("c"): "contract_ended",
    }
    assert [(f.worker_id, f.reason) for f in await world.events(placement.PlacementEnded)] == [(world.id("a"), "contract_ended")]
    lot = await world.lot("lot")
    assert (lot["taken"], lot["open"]) == (0, False)
    stands = await world.stands()
    assert stands[world.id("a")] == ("waiting", "contract_ended")
    await world.app.say(world.agreement(offers["b"]))
    await world.app.settle()
    assert "offer-not-accepted" in await world.slugs()
    # The work goes on under another contract: who was interrupted there comes first (pengalihan pekerja).
    await world.people(["z"], agency="rsud", since=date(1999, 1, 1))
    await world.contract("k2", [("next", "rsud", "cleaning", 1)], of="PT Teladan", successor_of=world.contracts["k1"])
    await world.signed_round()
    assert list(await _open(world, "abcdz")) == ["a"]


async def test_a_debarred_vendor_loses_offers_and_keeps_running_placements(world: World) -> None:
    offers = await _round(world, 3)
    await world.app.say(world.answer(offers["a"], "yes"), world.answer(offers["b"], "yes"))
    await world.app.settle()
    await world.app.say(world.agreement(offers["a"]))
    await world.app.settle()
    told = {"region": REGION, "effective_on": START, "vendor_id": world.vendors["PT Contoh"]}
    await world.app.say(vendor.VendorDebarred(**told, reason="unpaid wages"))  # type: ignore[arg-type]
    await world.app.settle()
    assert {f.worker_id: f.reason for f in await world.events(placement.OfferWithdrawn)} == {
        world.id("b"): "debarred",
        world.id("c"): "debarred",
    }
    assert not await world.events(placement.PlacementEnded)
    assert (await world.lot("lot"))["taken"] == 1
    assert not await world.open_offers()
    # Not even in a new round, until the ban is lifted.
    signed = await world.signed_round()
    assert signed["lots"] == 0
    await world.app.say(vendor.VendorDebarmentLifted(**told))  # type: ignore[arg-type]
    await world.app.settle()
    assert (await world.signed_round())["offers"] == {"offers": 2}


async def test_a_reduction_takes_seats_as_they_come_free(world: World) -> None:
    offers = await _round(world, 3)
    lot, contract = world.lots["lot"], world.contracts["k1"]
    request = derived_id("request", world.tag)
    await world.say(
        vendor.ContractReductionRequested(
            region=REGION,
            effective_on=START,
            contract_id=contract,
            vendor_id=world.vendors["PT Contoh"],
            request_id=request,
            lot_id=lot.lot_id,
            seats=2,
        )
    )
    await world.app.settle()
    assert not await world.events(placement.LotSeatsReleased)
    shown = await world.lot("lot")
    assert (shown["capacity"], shown["taken"], shown["released"], shown["owed"]) == (3, 3, 0, 2)
    await world.app.say(world.answer(offers["a"], "yes"), world.answer(offers["b"], "no"), world.answer(offers["c"], "no"))
    await world.app.settle()
    released = await world.events(placement.LotSeatsReleased)
    assert [(f.request_id, f.seats) for f in released] == [(request, 1), (request, 1)]
    assert not await world.open_offers()  # d gets nothing: the seats are given back
    shown = await world.lot("lot")
    assert (shown["taken"], shown["released"], shown["owed"]) == (1, 2, 0)
    await world.say(
        vendor.ContractAmended(
            region=REGION,
            effective_on=START,
            contract_id=contract,
            vendor_id=world.vendors["PT Contoh"],
            terms=2,
            starts_on=START,
            ends_on=date(2026, 12, 31),
            lots=(msgspec.structs.replace(lot, seats=1, covered_seats=1),),
        )
    )
    await world.app.settle()
    shown = await world.lot("lot")
    assert (shown["capacity"], shown["taken"], shown["released"], shown["owed"]) == (1, 1, 0, 0)
    # The agreement of the offer that named the first terms still counts.
    await world.app.say(world.agreement(offers["a"]))
    await world.app.settle()
    assert (await world.stands())[world.id("a")] == ("placed", "")


async def test_a_dispute_holds_the_seat(world: World) -> None:
    offers = await _round(world, 1, "ab")
    await world.app.say(world.answer(offers["a"], "yes"))
    await world.app.settle()
    await world.app.say(world.agreement(offers["a"]))
    await world.app.settle()
    (placed,) = (await world.get("/v1/placements", "placement_signer", region=REGION, contract_id=str(world.contracts["k1"])))["items"]
    path = f"/v1/placements/{placed['id']}/dispute"
    held = await world.post(path, {"reason": "no_notice"}, "mediator")
    assert held["state"] == "disputed"
    assert (await world.lot("lot"))["taken"] == 1
    again = await world.post(path, {"reason": "twice"}, "mediator", status=409)
    assert again["type"].endswith("/placement-state")
    await world.post(path, {"reason": "not_mine"}, "placement_signer", status=403)
    going = await world.post(f"{path}/closure", {"outcome": "continues"}, "mediator")
    assert going["state"] == "confirmed"
    await world.app.settle()
    assert (await world.get(f"/v1/placements/{placed['id']}", "placement_signer"))["state"] == "started"
    await world.post(path, {"reason": "dismissed_again"}, "mediator")
    ended = await world.post(f"{path}/closure", {"outcome": "ended"}, "mediator")
    assert (ended["state"], ended["reason"]) == ("ended", "dispute_ended")
    await world.app.settle()
    states = [f.state for f in await world.events(placement.PlacementState)]
    assert states == ["confirmed", "started", "disputed", "confirmed", "started", "disputed", "ended"]


async def test_the_pool_is_dated(world: World) -> None:
    names = ["stopped", "recalled", "proposed", "back", "exited", "untraced", "refusing", "barred"]
    ids = dict(zip(names, await world.people(names, end=None), strict=True))
    on = {"april": date(2025, 4, 30), "august": date(2025, 8, 1), "recall": date(2025, 8, 20), "proposal": date(2025, 8, 25)}
    decree: dict[str, Any] = {"region": REGION, "decree_number": "800/1", "decree_date": date(2025, 4, 1)}
    facts: list[Any] = [
        registry.WorkerLaidOff(**decree, effective_on=on["april"], worker_id=ids[name])
        for name in ("stopped", "recalled", "proposed", "back", "exited", "refusing", "barred")
    ]
    facts += [
        registry.WorkerRecalled(**decree, effective_on=on["recall"], worker_id=ids["recalled"]),
        registry.WorkerProposed(region=REGION, effective_on=on["proposal"], worker_id=ids["proposed"], route="paruh_waktu"),
        registry.WorkerProposed(region=REGION, effective_on=on["proposal"], worker_id=ids["back"], route="paruh_waktu"),
        registry.WorkerProposed(region=REGION, effective_on=date(2025, 9, 1), worker_id=ids["back"], route="paruh_waktu", withdrawn=True),
        registry.WorkerExited(region=REGION, effective_on=date(2025, 12, 31), worker_id=ids["exited"], route="paruh_waktu"),
        _verdict(ids["untraced"], "unknown", "untraced"),
        _verdict(ids["barred"], "ineligible", "appointment_barred"),
        replace_consent(ids["refusing"]),
    ]
    await world.say(*facts)
    await world.app.settle()

    def of(stands: dict[UUID, tuple[str, str]]) -> dict[str, tuple[str, str]]:
        return {name: stands[id_] for name, id_ in ids.items() if id_ in stands}

    assert of(await world.stands(on="2025-04-29")) == {"untraced": ("waiting", "untraced")}
    everybody = of(await world.stands(on="2025-08-25"))
    assert everybody == {
        "stopped": ("waiting", "not_asked"),
        "proposed": ("waiting", "proposed"),
        "back": ("waiting", "proposed"),
        "exited": ("waiting", "not_asked"),
        "untraced": ("waiting", "untraced"),
        "refusing": ("declined", ""),
        "barred": ("ineligible", "appointment_barred"),
    }
    assert set(of(await world.stands(on="2025-08-19"))) == set(names)
    later = of(await world.stands(on="2025-12-31"))
    assert later["back"] == ("waiting", "not_asked") and "exited" not in later
    # As known before all this was recorded, nobody was there.
    assert of(await world.stands(on="2025-12-31", known_at=world.began.isoformat())) == {}
    erased = registry.WorkerErased(region=REGION, effective_on=START, worker_id=ids["stopped"])
    await world.say(erased)
    await world.app.settle()
    assert "stopped" not in of(await world.stands(on="2025-12-31"))
    for table in ("person", "person_history", "credential", "right_history", "course", "preference"):
        assert not await world.app.rows(f"SELECT 1 FROM {table} WHERE worker_id = $1", ids["stopped"])


def _verdict(worker_id: UUID, verdict: str, reason: str) -> registry.EligibilityDecided:
    return registry.EligibilityDecided(
        region=REGION,
        effective_on=date(2024, 12, 1),
        eligibility_id=derived_id("eligibility", worker_id),
        worker_id=worker_id,
        verdict=verdict,
        reasons=(reason,),
        rule="scheme",
    )


def replace_consent(worker_id: UUID) -> registry.ConsentChanged:
    """No to the scheme as a whole."""
    return registry.ConsentChanged(
        region=REGION,
        effective_on=date(2025, 8, 20),
        consent_id=derived_id("consent", worker_id),
        worker_id=worker_id,
        given=False,
        channel="desk",
    )

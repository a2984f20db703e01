"""A large world is computed beside the service: requests and heartbeats go on."""

import asyncio
import random
from datetime import date

import msgspec

from services.placement.domain.eligibility import Job, Person, Place, Rules
from services.placement.usecases import compute
from services.placement.usecases.compute import Market
from services.placement.usecases.pool import Matching

PEOPLE, LOTS = 10_000, 100


async def test_a_large_round_does_not_hold_the_event_loop() -> None:
    dice = random.Random(20)
    families = [f"f{n}" for n in range(7)]
    rules = Rules(date(2026, 1, 2), {f: Job(f, True, ()) for f in families}, {}, 40, ("incumbent", "years", "nearness"))
    places = [Place(f"lot{n:04}", f"a{n % 40}", families[n % 7], "k", 3_000_000 + n, PEOPLE // LOTS) for n in range(LOTS)]
    facts = [
        msgspec.json.encode(
            Person(f"w{n:06}", f"a{dice.randrange(40)}", (f := dice.choice(families)), "k", date(2000 + n % 20, 1, 1), (f,))
        ).decode()
        for n in range(PEOPLE)
    ]
    beats = 0
    done = False

    async def heartbeat() -> None:
        nonlocal beats
        while not done:
            await asyncio.sleep(0.005)
            beats += 1

    pool = Matching()
    try:
        await pool.run(compute.warm)
        beat = asyncio.create_task(heartbeat())
        frozen = await pool.run(compute.freeze, facts, places, rules, b"s" * 32)
        market = Market([(w, e) for w, e, _ in frozen.rows], [(p.id, p.seats) for p in places], rules.priority, b"s" * 32)
        run = await pool.run(compute.compute, market, b"o" * 32, b"r" * 32, "0" * 64)
        done = True
        await beat
    finally:
        pool.close()
    assert len(run.seats) > PEOPLE * 0.9
    # Counted, not timed: seconds of computing pass, and the loop would beat a handful of times if it did the work itself.
    assert beats > 50

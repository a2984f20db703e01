"""Timers fire once, by business time; jobs go on where they were."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from shared.clock import WIB
from shared.jobs import JobRunner
from tests.support.running import Running
from tests.support.servers import Servers
from tests.support.toy.jobs import GATE, JOBS


async def until(what: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(600):
        if found := await what():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("it never came")


async def test_a_timer_fires_when_business_time_has_come_and_not_before(toy: Running) -> None:
    headers = toy.bearer("procurement_officer")
    keys = (await toy.http.post("/v1/timers", json={"count": 3, "minutes": 60}, headers=headers)).json()["keys"]
    await toy.settle()
    assert not await toy.rows("SELECT 1 FROM mark WHERE id::text = ANY($1)", keys)
    toy.clock.move(toy.clock.now().business + timedelta(minutes=61))
    await toy.settle()
    assert len(await toy.rows("SELECT 1 FROM mark WHERE id::text = ANY($1)", keys)) == 3
    assert not await toy.rows("SELECT 1 FROM timer WHERE key::text = ANY($1)", keys)


async def test_two_runners_fire_each_timer_once(servers: Servers, toy: Running) -> None:
    async with Running("vendor", servers, package="tests.support.toy", replica_of=toy, roles="api,timers"):
        headers = toy.bearer("procurement_officer")
        keys = (await toy.http.post("/v1/timers", json={"count": 2000}, headers=headers)).json()["keys"]
        # `mark` has the key as its primary key: firing twice would fail, and the failing timer would stay.
        await toy.settle()
    assert len(await toy.rows("SELECT 1 FROM mark WHERE id::text = ANY($1)", keys)) == 2000
    assert not await toy.rows("SELECT 1 FROM timer WHERE attempts > 0")


async def test_a_timer_that_fails_stands_alone_and_is_tried_again(toy: Running) -> None:
    headers = toy.bearer("procurement_officer")
    keys = (await toy.http.post("/v1/timers", json={"count": 20, "fail": [7]}, headers=headers)).json()["keys"]
    await until(lambda: toy.rows("SELECT 1 FROM timer WHERE attempts > 0 AND key::text = $1", keys[7]))
    await until(lambda: _all(toy, keys, 19))
    async with toy.db.begin("worker", toy.service.scope, "test") as tx:
        assert await tx.run("DELETE FROM timer WHERE key = CAST(:key AS uuid)", key=keys[7]) == 1


async def _all(toy: Running, keys: list[str], number: int) -> bool:
    return len(await toy.rows("SELECT 1 FROM mark WHERE id::text = ANY($1)", keys)) == number


async def test_a_daily_timer_comes_back_each_day_and_once_after_a_jump(toy: Running) -> None:
    async def midnights() -> int:
        return len(await toy.rows("SELECT 1 FROM mark WHERE what = 'midnight'"))

    await toy.settle()
    before = await midnights()
    day = toy.clock.now().business.astimezone(WIB).date()
    toy.clock.move(day + timedelta(days=1))
    await toy.settle()
    assert await midnights() == before + 1
    toy.clock.move(day + timedelta(days=40))
    await toy.settle()
    assert await midnights() == before + 2


async def test_a_job_runs_in_steps_and_says_how_it_went(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", "people_officer")
    job = (await toy.http.post("/v1/work", json={"steps": 5}, headers=headers)).json()["job"]
    await toy.settle()
    found = (await toy.http.get(f"/v1/jobs/{job}", headers=headers)).json()
    assert found["state"] == "done" and found["progress"] == {"done": 5, "of": 5} and found["result"]["done"] == 5
    listed = (await toy.http.get("/v1/jobs", params={"kind": "count", "limit": 1}, headers=headers)).json()
    assert listed["items"][0]["id"] == job
    elsewhere = toy.bearer("people_officer", regions=("15.05",))
    assert (await toy.http.get(f"/v1/jobs/{job}", headers=elsewhere)).status_code == 404


async def test_a_job_that_is_refused_fails_with_the_reason(toy: Running) -> None:
    headers = toy.bearer("procurement_officer", "people_officer")
    job = (await toy.http.post("/v1/work", json={"kind": "refuse"}, headers=headers)).json()["job"]
    await toy.settle()
    found = (await toy.http.get(f"/v1/jobs/{job}", headers=headers)).json()
    assert (found["state"], found["error"]) == ("failed", "no-way")


async def test_a_lost_lease_keeps_nothing_of_the_step_and_another_goes_on(servers: Servers, toy: Running) -> None:
    GATE.clear()
    headers = toy.bearer("procurement_officer", "people_officer")
    job = (await toy.http.post("/v1/work", json={"kind": "wait"}, headers=headers)).json()["job"]
    await until(lambda: toy.rows("SELECT 1 FROM job WHERE id::text = $1 AND cursor LIKE '%waited%'", job))
    # The holder seems dead: its lease runs out while it waits.
    async with toy.db.begin("worker", toy.service.scope, "test") as tx:
        await tx.run("UPDATE job SET lease_until = :past WHERE id = CAST(:id AS uuid)", past=tx.stamp.wall - timedelta(seconds=1), id=job)
    other = JobRunner(toy.db, "vendor", JOBS, toy.service.files)
    await until(other.work_one)
    GATE.set()
    await toy.settle()
    found = (await toy.http.get(f"/v1/jobs/{job}", headers=headers)).json()
    assert found["state"] == "done"
    marks = await toy.rows("SELECT what FROM mark WHERE what IN ('before', 'after')")
    assert sorted(row["what"] for row in marks) == ["after", "before"]


async def test_stopping_returns_the_lease_and_the_job_goes_on_elsewhere(servers: Servers, toy: Running) -> None:
    GATE.clear()
    headers = toy.bearer("procurement_officer", "people_officer")
    async with Running("vendor", servers, package="tests.support.toy") as first:
        job = (await first.http.post("/v1/work", json={"kind": "wait"}, headers=first.bearer("procurement_officer"))).json()["job"]
        await until(lambda: first.rows("SELECT 1 FROM job WHERE id::text = $1 AND cursor LIKE '%waited%'", job))
        first.service.begin_stopping()
        await first.service._stop_tasks()
        rows = await first.rows("SELECT state, lease, attempts FROM job WHERE id::text = $1", job)
        assert rows == [{"state": "queued", "lease": None, "attempts": 0}]
        other = JobRunner(first.db, "vendor", JOBS, first.service.files)
        assert await other.work_one()
        assert (await first.rows("SELECT state FROM job WHERE id::text = $1", job))[0]["state"] == "done"
    assert headers
    GATE.set()

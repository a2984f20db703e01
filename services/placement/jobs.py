"""Long work: freezing a round's instance, computing it, letting free seats go on. The engine runs in the matching process."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from shared.identity import Scope
from shared.jobs import Handler, JobRun
from shared.logs import kind, logger
from shared.service import Service

from . import metrics
from .usecases import compute, rounds
from .usecases.pool import Matching
from .usecases.rounds import Lottery

log = logger("rounds")


async def freeze(matching: Matching, lottery: Lottery, run: JobRun) -> Mapping[str, Any]:
    """Possible seats of everybody, and the instance's hash; then somebody else may draw."""
    round_id = UUID(run.payload["round_id"])
    async with run.step() as tx:
        draft = await rounds.draft(tx, round_id)
    if draft is None:
        return {"state": "gone"}
    try:
        frozen = await matching.run(compute.freeze, draft.facts, draft.places, draft.rules, lottery.salt(round_id))
    except ValueError as error:
        return await _failed(run, round_id, "instance-refused", error)
    start = int(run.cursor.get("start", 0))
    while True:
        async with run.step() as tx:
            start = await rounds.keep_piece(tx, round_id, frozen, start)
            await run.save(tx, cursor={"start": start}, progress={"people": len(frozen.rows)})
            if not start:
                await rounds.frozen(tx, round_id, frozen.instance_hash)
                break
    return {"people": len(frozen.rows), "instance_hash": frozen.instance_hash}


async def calculate(matching: Matching, lottery: Lottery, run: JobRun) -> Mapping[str, Any]:
    """The canonical run and its certificate."""
    round_id = UUID(run.payload["round_id"])
    async with run.step() as tx:
        found, row = await rounds.held(tx, round_id, lock=False)
        if found.state != "drawn":
            return {"state": found.state}
        market = await rounds.market(tx, lottery, round_id, row)
    began = time.monotonic()
    try:
        result = await matching.run(compute.compute, market, lottery.secret(round_id), bytes.fromhex(row["second"]), row["pack"])
    except ValueError as error:
        return await _failed(run, round_id, "run-refused", error)
    metrics.ROUND_SECONDS.set(time.monotonic() - began)
    async with run.step() as tx:
        await rounds.computed(tx, run.files, round_id, result)
    return {"placed": len(result.seats), "run_sha256": result.run_sha256}


async def refill(matching: Matching, lottery: Lottery, scope: Scope, run: JobRun) -> Mapping[str, Any]:
    """Free seats go on by the same rule and the same lottery, to who still looks for one."""
    async with run.step() as tx:
        left = await rounds.left(tx, lottery, run.region)
    seats: list[tuple[str, int, bool]] = []
    if left is not None:
        secret, second = lottery.secret(left.round_id), bytes.fromhex(left.second)
        seats = await matching.run(compute.refill, left.whole, left.rest, secret, second)
    async with run.step() as tx:
        return await rounds.go_on(tx, scope, run.region, left, seats)


async def _failed(run: JobRun, round_id: UUID, problem: str, error: ValueError) -> Mapping[str, Any]:
    log.error("the engine refused", problem=problem, error=kind(error))
    async with run.step() as tx:
        await rounds.failed(tx, round_id, problem)
    return {"problem": problem}


def jobs(service: Service) -> Mapping[str, Handler]:
    """The handlers, with the matching process and the lottery's key."""
    matching, lottery = service.extra["matching"], service.extra["lottery"]
    return {
        "freeze": partial(freeze, matching, lottery),
        "compute": partial(calculate, matching, lottery),
        "refill": partial(refill, matching, lottery, service.scope),
    }

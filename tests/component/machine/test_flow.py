"""From a commit to the other side's tables."""

from shared.events.registry import EVENTS
from tests.component.machine.harness import Toy, actor, story, until, viewer, workers


async def test_what_is_committed_arrives_in_order(t: Toy) -> None:
    t.relay()
    t.bus(viewer(), actor())
    people = workers(20)
    for worker in people:
        await t.registry.write(*story(worker, 3))
    await t.delivered(60)
    told = {row["told"] for row in await t.vendor.rows("SELECT told FROM view")}
    assert told == {"1:- 2:2 3:3"}
    await until(lambda: t.vendor.number("SELECT count(*) FROM event"), "20 reactions")
    assert len(await t.records(EVENTS)) == 60
    assert await t.registry.number("SELECT count(*) FROM pending") == 0

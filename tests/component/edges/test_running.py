"""The support of all component tests does what it says."""

from datetime import date

from shared.events import registry
from shared.events.registry import WorkerLeft
from shared.ids import new_id
from shared.subscriptions import Subscription
from tests.support.running import Running


async def test_a_neighbours_facts_are_heard_once_however_often_they_are_sent(toy: Running) -> None:
    ids = [new_id() for _ in range(5)]
    await toy.say(*(WorkerLeft(worker_id=i, region="13.74", effective_on=date(2026, 1, 5), reason="resigned") for i in ids), times=3)
    await toy.settle()
    assert {row["id"] for row in await toy.rows("SELECT id FROM left_worker")} >= set(ids)
    versions = await toy.rows("SELECT version FROM position WHERE consumer = 'vendor.left_workers' AND aggregate_id = ANY($1)", ids)
    assert [row["version"] for row in versions] == [1] * 5


async def test_an_activated_pack_counts_from_its_day(toy: Running) -> None:
    sha256 = await toy.activate_pack("13.74", date(2025, 7, 1))
    async with toy.db.begin("worker", toy.service.scope, "test") as tx:
        assert (await tx.pack("13.74")).sha256 == sha256
    assert (await toy.system.get("/readyz")).status_code == 200


async def test_every_service_but_the_registry_hears_which_pack_counts(toy: Running) -> None:
    names = [one.name for one in toy.service.subscriptions if isinstance(one, Subscription)]
    assert names == ["vendor.left_workers", "vendor.packs"]
    assert toy.service.subscriptions[-1].types == {registry.RulepackActivated.kind.type}

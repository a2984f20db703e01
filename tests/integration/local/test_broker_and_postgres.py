"""The embedded servers keep what they acknowledged."""

import signal
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from deploy.local.kafka import Broker, FetchError, aot, fetch, home
from deploy.local.postgres import Postgres
from deploy.local.processes import Processes
from deploy.local.servers.web import serving

RECORDS = 100


async def _produce(bootstrap: str, values: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    for value in values:
        await producer.send_and_wait("kept", str(value).encode())
    await producer.stop()


async def _consume(bootstrap: str, count: int) -> list[int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition("kept", 0)])
    found = [int((await consumer.getone()).value) for _ in range(count)]
    await consumer.stop()
    return found


async def test_kafka_keeps_acknowledged_records_through_kill_9_and_stop(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        broker = Broker(processes, tmp_path / "kafka")
        await broker.start()
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
        await admin.close()
        await _produce(broker.bootstrap, range(RECORDS))
        await broker.kill()
        assert broker.process.returncode == -signal.SIGKILL
        await broker.start()
        assert await _consume(broker.bootstrap, RECORDS) == list(range(RECORDS))
        await broker.stop()
        # 128 + 15: the JVM ended in order after SIGTERM
        assert broker.process.returncode == 143


async def test_postgres_keeps_commits_through_kill_9_and_listens_on_loopback_only(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        server = Postgres(processes, tmp_path / "postgres")
        await server.start()
        connection = await asyncpg.connect(server.admin_dsn)
        await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("SHOW unix_socket_directories") == ""
        assert await connection.fetchval("SHOW fsync") == "on"
        await server.kill()
        await server.start()
        connection = await asyncpg.connect(server.admin_dsn)
        assert await connection.fetchval("SELECT count(*) FROM kept") == 1
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.admin_dsn.replace("postgres:", "postgres:x", 1))
        # an open connection does not hold up the stop
        await server.stop()
        assert server.process.returncode == 0


async def test_the_jars_are_fetched_whole_and_a_forged_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    source = await asyncio.to_thread(home)

    async def forged(_: Request) -> Response:
        return PlainTextResponse("not the jar that was pinned")

    routes = [Mount("/good", StaticFiles(directory=source.folder / "m2")), Route("/bad/{path:path}", forged)]
    async with serving(Starlette(routes=routes)) as url:
        monkeypatch.setattr(fetch, "ATTEMPTS", 1)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setenv("JEMBATAN_MAVEN_URL", f"{url}/bad")
        with pytest.raises(FetchError, match="JEMBATAN_MAVEN_URL"):
            await asyncio.to_thread(home)
        monkeypatch.setenv("JEMBATAN_MAVEN_URL", f"{url}/good")
        first, second = await asyncio.gather(asyncio.to_thread(home), asyncio.to_thread(home))
    assert first == second
    assert [jar.name for jar in first.jars] == [jar.name for jar in source.jars]
    assert len(list((first.folder / "libs").iterdir())) == len(fetch.locked_jars()) == 46
    # a damaged jar is noticed although it is there, and healed from the verified copy
    first.jars[0].unlink()
    first.jars[0].write_bytes(b"damaged")
    monkeypatch.delenv("JEMBATAN_MAVEN_URL")
    assert fetch.digest_of((await asyncio.to_thread(home)).jars[0]) == fetch.locked_jars()[0].sha256


@pytest.mark.slow
async def test_the_start_up_cache_is_made_once_and_used(tmp_path: Path) -> None:
    """Slow: the JVM writes the cache in 8 s of a whole core."""
    assert await aot.make()
    async with Processes(tmp_path) as processes:
        broker = Broker(processes, tmp_path / "kafka")
        await broker.start()
        assert any("-XX:AOTCache=" in part for part in psutil.Process(broker.process.pid).cmdline())
        assert "AOT cache" not in broker.process.tail(200)  # the JVM would say that it cannot use it
        assert await aot.in_background(processes) is None

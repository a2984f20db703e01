"""A service as a process: ready by its roles, and an orderly end."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from shared.serve import serve
from tests.support.running import Running, environment
from tests.support.servers import Servers
from tests.support.toy.main import create_app

NOWHERE = "127.0.0.1:1"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def apart(servers: Servers) -> AsyncIterator[Running]:
    """Database and topics for processes."""
    async with Running("vendor", servers, package="tests.support.toy", in_process=False) as running:
        yield running


async def test_sigterm_is_unready_at_once_answers_what_runs_and_ends_with_0(apart: Running) -> None:
    one = await apart.spawn()
    await one.ready()
    headers = apart.bearer("procurement_officer")
    async with httpx2.AsyncClient(base_url=one.url, timeout=30) as http:
        body = {"region": "13.74", "name": "in flight", "wait": 2}
        running = asyncio.create_task(http.post("/v1/things", json=body, headers=headers))
        for _ in range(600):
            if await apart.rows("SELECT 1 FROM pg_locks WHERE relation = 'thing'::regclass AND mode = 'RowExclusiveLock'"):
                break
            await asyncio.sleep(0.05)
        one.process.send_signal(signal.SIGTERM)
        assert (await one.ready(503))["missing"] == ["stopping"]
        assert (await running).status_code == 201
    assert await asyncio.wait_for(one.process.wait(), 30) == 0
    lines = [json.loads(line) for line in one.log.read_text().splitlines()]
    told = [line for line in lines if line["logger"] == "jembatan.serve"]
    assert [line["event"] for line in told[:3]] == ["settings", "started", "stopping"]
    assert all({"time", "level", "service", "logger", "event"} <= set(line) for line in told[:3])
    settings = next(line for line in lines if line["event"] == "settings")
    assert settings["worker_url"] == settings["mac_key"] == "***"
    assert apart.environment["JEMBATAN_MAC_KEY"] not in one.log.read_text()


async def test_a_process_without_doors_that_waits_for_its_clock_can_be_stopped(apart: Running) -> None:
    one = await apart.spawn(roles="jobs", clock_url=f"http://{NOWHERE}", environment="demo")
    body = await one.ready(503)
    assert body["roles"] == ["jobs"] and "starting" in body["missing"]
    async with httpx2.AsyncClient(base_url=one.url) as http:
        with pytest.raises(httpx2.ConnectError):
            await http.get("/v1/things")
    one.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(one.process.wait(), 30) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"JEMBATAN_CLOCK_URL": "http://x", "JEMBATAN_ENVIRONMENT": "production"}, "JEMBATAN_SETTINGS"),
        ({"JEMBATAN_MAC_KEY": "not a key"}, "JEMBATAN_SETTINGS"),
        ({"JEMBATAN_HTTP_PORT": "many"}, "JEMBATAN_HTTP_PORT"),
    ],
)
async def test_wrong_settings_end_in_one_line_without_the_value(
    toy: Running, settings: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with environment(toy.environment | settings), pytest.raises(SystemExit) as end:
        serve(create_app)
    assert end.value.code == 1
    line = capsys.readouterr().err
    assert len(line.splitlines()) == 1 and said in line and "not a key" not in line


@pytest.mark.parametrize(
    ("roles", "ready", "away"),
    [
        ("api,consumer,relay,timers,jobs", True, ["kafka (relay)", "kafka (consumer)"]),
        ("api", True, []),
        ("consumer", False, ["kafka (consumer)"]),
        ("relay", False, ["kafka (relay)"]),
        ("timers", True, []),
        ("jobs", True, []),
    ],
)
async def test_without_kafka_each_role_answers_for_itself(servers: Servers, toy: Running, roles: str, ready: bool, away: list[str]) -> None:
    async with Running("vendor", servers, package="tests.support.toy", replica_of=toy, roles=roles, kafka_bootstrap=NOWHERE) as one:
        answer = await one.system.get("/readyz")
        body = answer.json()
        assert (answer.status_code == 200) is ready
        assert body["degraded" if "api" in roles else "missing"] == away
        assert (await one.system.get("/livez")).status_code == 200
        if "api" in roles:
            thing = {"region": "13.74", "name": f"no Kafka, {len(roles)}"}
            assert (await one.http.post("/v1/things", json=thing, headers=one.bearer("procurement_officer"))).status_code == 201


async def test_without_postgres_nothing_is_ready_and_requests_are_put_off(servers: Servers, toy: Running) -> None:
    nowhere = f"postgresql://nobody:nothing@{NOWHERE}/none"
    async with Running("vendor", servers, package="tests.support.toy", replica_of=toy, api_url=nowhere, worker_url=nowhere) as one:
        answer = await one.system.get("/readyz")
        assert answer.status_code == 503 and "database" in answer.json()["missing"]
        assert (await one.system.get("/livez")).status_code == 200
        listed = await one.http.get("/v1/things", headers=one.bearer("procurement_officer"))
        assert listed.status_code == 503 and listed.json()["type"].endswith("/not-now")


async def test_an_active_pack_that_is_not_mounted_keeps_the_doors_unready(toy: Running) -> None:
    async with toy.db.begin("worker", toy.service.scope, "test") as tx:
        await tx.run(
            "INSERT INTO pack_active (region, from_day, sha256, event_id, activated_at)"
            " VALUES ('99.98', '2025-01-01', :sha, gen_random_uuid(), :at)",
            sha="f" * 64,
            at=tx.stamp.wall,
        )
    answer = await toy.system.get("/readyz")
    async with toy.db.begin("worker", toy.service.scope, "test") as tx:
        await tx.run("DELETE FROM pack_active WHERE region = '99.98'")
    assert answer.status_code == 503 and answer.json()["missing"] == ["pack 99.98"]
    assert (await toy.system.get("/readyz")).status_code == 200


async def test_importing_a_service_does_not_import_what_only_tools_need() -> None:
    heavy = ["typer", "alembic", "openpyxl", "ortools", "opentelemetry.sdk", "jinja2", "numpy", "pandas", "hypothesis"]
    code = f"import sys, tests.support.toy.main; print([m for m in {heavy} if m in sys.modules])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert out.decode().strip() == "[]"

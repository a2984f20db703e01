"""The installation comes up, its parts can be killed and started again, and nothing is left. With stand-in services."""

import json
import sys
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest

from deploy.local.installation import Unit, issuer_of
from deploy.local.processes import ProcessError
from deploy.local.provision import SERVICES
from deploy.local.stack import OPENING, RUNNING, Commands, Stack
from shared.identity import Verifier
from shared.regulation import load

STAND_IN = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Doors(BaseHTTPRequestHandler):
    def do_GET(self):
        told = {name: value for name, value in os.environ.items() if name.startswith("JEMBATAN_")}
        body = json.dumps({"pid": os.getpid(), "environment": told}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer(("127.0.0.1", int(os.environ["JEMBATAN_METRICS_PORT"])), Doors).serve_forever()
"""


def _stand_in(unit: Unit) -> list[str]:
    return [sys.executable, "-S", "-c", STAND_IN]


NOTHING = [sys.executable, "-S", "-c", ""]
COMMANDS = Commands(serve=_stand_in, migrate=lambda _: NOTHING, topics=lambda: NOTHING)


async def _ask(client: httpx2.AsyncClient, unit: Unit) -> tuple[int, dict[str, str]]:
    answer = (await client.get(f"{unit.metrics_url}/readyz")).json()
    return answer["pid"], answer["environment"]


def _regions(packs: Path) -> set[str]:
    return {load(packs, pack.stem).region for pack in packs.glob("*.json")}


async def test_an_installation_comes_up_survives_kills_and_goes_down(tmp_path: Path) -> None:
    said: list[str] = []
    async with Stack(tmp_path, durable=False, commands=COMMANDS, say=said.append) as stack, httpx2.AsyncClient() as client:
        assert [unit.service for unit in stack.units] == list(SERVICES)
        told = {unit.service: await _ask(client, unit) for unit in stack.units}
        environments = {service: environment for service, (_, environment) in told.items()}
        # each key only where it is needed, and no owner's URL anywhere
        assert all("JEMBATAN_OWNER_URL" not in environment for environment in environments.values())
        for name, holders in {
            "JEMBATAN_INDEX_KEY": {"registry"},
            "JEMBATAN_KEK": {"registry", "notify"},
            "JEMBATAN_CONTACTS_PRIVATE_KEY": {"notify"},
            "JEMBATAN_CONTACTS_PUBLIC_KEY": {"registry"},
            "JEMBATAN_SIGNING_KEY": {"placement"},
            "JEMBATAN_SMTP_URL": {"notify"},
            "JEMBATAN_ACTOR_KEY": set(SERVICES),
        }.items():
            assert {service for service in SERVICES if name in environments[service]} == holders, name
        assert len({environment["JEMBATAN_MAC_KEY"] for environment in environments.values()}) == 4
        # what the services are told is true
        vendor = environments["vendor"]
        connection = await asyncpg.connect(vendor["JEMBATAN_WORKER_URL"])
        assert await connection.fetchval("SELECT current_database()") == "jembatan_vendor"
        await connection.close()
        assert (await client.get(vendor["JEMBATAN_CLOCK_URL"] + "/now")).json() == {"now": OPENING.isoformat()}
        verifier = Verifier(Path(vendor["JEMBATAN_ISSUERS_FILE"]), tmp_path / "keys", b"k" * 32)
        token = stack.mint("padang-panjang", "budi", ["desk"], ["13.74", "15.05"])
        caller = await verifier.verify(token)
        assert caller.scope.roles == {"desk"} and caller.scope.regions == {"13.74"}
        assert _regions(Path(vendor["JEMBATAN_PACKS_FOLDER"])) >= {"13.74", "15.05"}
        # another process of this account finds the way
        published = tmp_path / RUNNING
        described = json.loads(published.read_text())
        assert published.stat().st_mode & 0o077 == 0 and set(described["services"]) == set(SERVICES)
        reader = await asyncpg.connect(described["databases"]["vendor"])
        assert await reader.fetchval("SELECT current_database()") == "jembatan_vendor"
        await reader.close()
        other = issuer_of(tmp_path, "padang-panjang").mint("ani", ["desk"], ["13.74"])
        assert (await verifier.verify(other)).scope.regions == {"13.74"}
        # kill, start, restart
        await stack.kill("vendor")
        assert [unit.service for unit in stack.down()] == ["vendor"]
        await stack.start("vendor")
        await stack.restart("notify")
        again = {unit.service: (await _ask(client, unit))[0] for unit in stack.units}
        assert {service for service in SERVICES if again[service] != told[service][0]} == {"vendor", "notify"}
        assert stack.down() == []
        assert set(stack.seconds) == {"setup", "ready"}
        assert "Postgres: the embedded one" in said
        with pytest.raises(ProcessError, match="another installation"):
            await Stack(tmp_path, commands=COMMANDS).__aenter__()
        children = [child.pid for child in stack.processes.running]
    assert stack.exits == [("notify", 0), *stack.exits[1:]] and {code for _, code in stack.exits} == {0}
    assert not published.exists()
    assert not [pid for pid in children if psutil.pid_exists(pid)]


async def test_roles_apart_have_a_process_each_and_a_failing_service_ends_all(tmp_path: Path) -> None:
    def serve(unit: Unit) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit('cannot start: the reason')"] if unit.name == "vendor-relay-2" else _stand_in(unit)

    stack = Stack(tmp_path, apart=True, replicas=2, durable=False, commands=Commands(serve, COMMANDS.migrate, COMMANDS.topics))
    assert len(stack.units) == 4 * 5 * 2
    assert (
        len({unit.name for unit in stack.units}) == len({port for unit in stack.units for port in (unit.http_port, unit.metrics_port)}) / 2
    )
    assert {stack.url("vendor") for _ in range(4)} == {unit.url for unit in stack.of("vendor", "api")}
    assert len(stack.metrics_urls("vendor")) == 10
    with pytest.raises(ProcessError, match="the reason"):
        await stack.__aenter__()
    assert stack.processes.running == []


def test_the_scenario_finds_in_the_stack_what_it_needs() -> None:
    """mypy checks it: a Stack is a Place."""
    from deploy.local.scenario.driver import Place

    def place(stack: Stack) -> Place:
        return stack

    assert callable(place)

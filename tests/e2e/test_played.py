"""One played scenario, looked at from outside: what leaks out of it, and what another region's officers get to see of it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio

from deploy.local import invariants
from deploy.local.scenario.driver import Driver
from deploy.local.scenario.figures import read
from deploy.local.scenario.office import Office
from deploy.local.scenario.people import Person, people_rows
from deploy.local.scenario.play import Play, first_day
from deploy.local.scenario.stage import Stage, Step
from deploy.local.stack import Stack
from shared.identity import ROLES
from shared.regulation.sources import build
from tests.support.borders import Asked, Filler, Route, routes
from tests.support.crossing import UUIDS, Known, kept, prepare
from tests.support.mishaps import Mishap, headers_of, mishaps, uploads
from tests.support.places import bytes_of, entropy, files, pages, tables, topics
from tests.support.planted import Scanner, marked, texts_of

REGION, OTHER = "99.01", "13.74"
AT_ONCE = 8
PUBLIC = frozenset(
    {
        "placement GET /v1/rounds/{round_id}",
        "placement GET /v1/rounds/{round_id}/files",
        "placement GET /v1/rounds/{round_id}/files/{name}",
        "notify GET /a/{token}",
        "notify POST /a/{token}",
    }
)
"""Doors without a token: a round's certificate is for anybody, an answer link for whoever holds it."""
ONE_BY_ONE = frozenset({"vendor POST /v1/work-agreements", "vendor POST /v1/refusals"})
"""Routes that answer for each item of a list; every item must be refused."""
NOTHING_TRIED = frozenset({"no-permission", "invalid", "malformed", "unauthenticated"})
"""Refusals that come before anybody looks at what was asked for."""
REPORT = Path("var/leaks/report.json")
LOOKED_AT = {"topics": 10, "columns": 500, "logs": 4, "metrics": 16, "answers": 1000, "records": 400, "values": 20000}
"""Kind of place -> how many there are at the least."""
VAULTS = (
    ("registry", "person", "sealed"),
    ("registry", "person", "wrapped"),
    ("registry", "reject", "sealed"),
    ("notify", "contact", "sealed"),
    ("notify", "message", "sealed"),
    ("notify", "person", "wrapped"),
)
pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.timeout(600)]


@dataclass(slots=True)
class World:
    """The played stack, the region's stage on it, and what there is to ask for."""

    stack: Stack
    stage: Stage
    known: Mapping[str, Sequence[str]]
    documents: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def routes(self) -> list[Route]:
        """Every route of every service."""
        return [route for service, document in self.documents.items() for route in routes(service, document)]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The scenario of the invented region, with people whose names are found nowhere by chance."""
    folder = tmp_path_factory.mktemp("played")
    async with Stack(folder / "stack", opening=first_day((REGION,)), durable=False) as stack:
        play = Play(stack, (REGION,), 3, folder / "runs", lambda _: None, alter=marked)

        async def between(step: Step) -> None:
            if step.name == "agreements":
                await refuse_one(play.stages[0])

        play.between = between
        await play.run()
        stage = play.stages[0]
        stage.office.driver = Driver(stack)
        try:
            yield World(stack, stage, await prepare(stage), await documents(stack))
        finally:
            await stage.office.driver.close()


async def refuse_one(stage: Stage) -> None:
    """A vendor says that it cannot take somebody: a case, which the scenario has not."""
    office = stage.office
    await office.driver.quiet()
    for plan in stage.figures.vendors:
        token = office.token("vendor_user", "a", vendor=stage.notes["vendors"][plan.name])
        async for offer in office.list("vendor", "/v1/accepted-offers", token, state="to_sign"):
            item = {"offer_id": offer["offer_id"], "ground": "credential_invalid"}
            done = await office.post("vendor", "/v1/refusals", token, {"items": [item]})
            assert done["items"][0]["outcome"] == "opened", done
            return
    raise AssertionError("nobody has accepted before the first agreements")


async def documents(stack: Stack) -> dict[str, Mapping[str, Any]]:
    """The OpenAPI document of each running service."""
    async with httpx2.AsyncClient(timeout=30) as client:
        return {service: (await client.get(f"{stack.url(service)}/openapi.json")).json() for service in invariants.SERVICES}


def filler(world: World) -> Filler:
    """Requests for the things of the region, as somebody of the other region would make them."""
    return Filler(world.known, REGION, OTHER, world.stack.business_now().date().isoformat())


async def send(client: httpx2.AsyncClient, world: World, route: Route, asked: Asked, token: str = "", **headers: str) -> httpx2.Response:
    """One request, once."""
    if token:
        headers["authorization"] = f"Bearer {token}"
    if asked.content is not None:
        headers["content-type"] = "application/x-www-form-urlencoded" if route.path.startswith("/a/") else "text/csv"
    body: dict[str, Any] = {"json": asked.json} if asked.json is not None else {"content": asked.content}
    url = f"{world.stack.url(route.service)}{asked.path}"
    return await client.request(route.method, url, params=asked.params, headers=headers, **body)


def slug(answer: httpx2.Response) -> str:
    """What the problem is called; nothing for an answer that is none."""
    return str(answer.json()["type"]).rsplit("/", 1)[-1] if "problem" in answer.headers.get("content-type", "") else ""


async def test_without_a_token_only_the_public_doors_answer(world: World) -> None:
    fill, found = filler(world), Counter[str]()
    async with httpx2.AsyncClient(timeout=60) as client:
        for route in world.routes:
            answer = await send(client, world, route, fill.requests(route)[0])
            if route.title in PUBLIC:
                assert answer.status_code not in (401, 403) and answer.status_code < 500, (route.title, answer.text)
                found["public"] += 1
            else:
                assert answer.status_code == 401 and slug(answer) == "unauthenticated", (route.title, answer.status_code, answer.text)
                found["closed"] += 1
    assert found["public"] == len(PUBLIC) and found["closed"] > 60, found


async def test_no_officer_of_another_region_sees_or_moves_anything(world: World, record_property: Any) -> None:
    await rules_of_the_other(world)
    before = await kept(world.stack.reader_dsns(), REGION)
    names = [text for plan in world.stage.figures.vendors for text in (plan.name, plan.contract)]
    known = Known.of(world.stage, before.ids, [*names, *world.known["worker_number"]])
    fill, wrong, tried = filler(world), list[str](), defaultdict[str, set[str]](set)
    gate, counted = asyncio.Semaphore(AT_ONCE), Counter[str]()
    vendor = UUID(world.known["vendor_id"][0])
    tokens = {
        role: world.stack.mint(
            "padang-panjang",
            f"stranger-{role}",
            [role],
            [OTHER],
            ["setda"] if role == "agency_officer" else (),
            # the harder case: a vendor of theirs, known to the other issuer
            vendor if role == "vendor_user" else None,
        )
        for role in sorted(ROLES)
    }

    def judge(route: Route, role: str, asked: Asked, answer: httpx2.Response) -> str:
        called = slug(answer)
        told = f"{role} {route.title} {asked.sent()[:300]}: {answer.status_code} {called} {answer.text[:300]}"
        refused = 400 <= answer.status_code < 500
        if route.title in ONE_BY_ONE and not refused:
            refused = all(item["outcome"] == "refused" for item in answer.json()["items"])
        if answer.status_code >= 500 or (asked.foreign and not refused):
            wrong.append(told)
        if seen := known.seen(f"{answer.text} {answer.headers}", asked.sent()):
            wrong.append(f"{seen[:3]} shown: {told}")
        if called not in NOTHING_TRIED:
            tried[route.title].add(called or str(answer.status_code))
        return called

    async def ask(client: httpx2.AsyncClient, route: Route, role: str) -> None:
        async with gate:
            for at, asked in enumerate(fill.requests(route)):
                answer = await send(client, world, route, asked, tokens[role])
                counted["asked"] += 1
                if judge(route, role, asked, answer) == "no-permission" and at:
                    # the role has no business here, however it asks
                    return

    closed = [route for route in world.routes if route.title not in PUBLIC]
    async with httpx2.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as group:
        for route in closed:
            for role in tokens:
                group.create_task(ask(client, route, role))
    await world.stage.office.driver.quiet()
    record_property("routes", len(closed))
    record_property("asked", counted["asked"])
    assert not wrong, "\n".join([f"{len(wrong)} of {counted['asked']}", *wrong[:1000]])
    untried = sorted({route.title for route in closed} - set(tried))
    assert not untried, f"never got as far as the things themselves: {untried}"
    assert len(closed) > 60 and len(before.ids) > 300 and before.rows > 500, (len(closed), len(before.ids), before.rows)
    after = await kept(world.stack.reader_dsns(), REGION)
    moved = sorted(table for table, digest in before.digests.items() if after.digests[table] != digest)
    assert not moved, f"somebody from outside changed {moved}"


async def rules_of_the_other(world: World) -> None:
    """The other region is at work too: with its rules in force, no request ends for want of them."""
    office = Office(world.stage.office.driver, read(OTHER))
    first, second = office.token("people_officer", "a"), office.token("people_officer", "b")
    draft = {"region": OTHER, "sha256": build(OTHER).sha256, "effective_on": date(2024, 1, 1).isoformat()}
    pack = await office.post("registry", "/v1/packs", first, draft)
    await office.post("registry", f"/v1/packs/{pack['pack_id']}/activation", second, {})
    await office.driver.quiet()


async def test_an_answer_kept_under_a_key_is_given_to_its_caller_only(world: World) -> None:
    office, stack = world.stage.office, world.stack
    worker, placement = world.known["worker_id"][-1], world.known["placement_id"][-1]
    line = {"region": REGION, "agency": "setda", "account": "5.1.02.02.01.0099", "year": 2026, "ceiling": 1}
    total = {"region": REGION, "opening": 1, "on": "2026-01-01", "source": "BA-1/2026"}
    creating = [
        ("registry", "/v1/control-totals", "people_officer", total),
        ("vendor", "/v1/budget-lines", "treasurer", line),
        ("placement", f"/v1/placements/{placement}/dispute", "mediator", {"reason": "no_notice"}),
        ("notify", "/v1/desk/preferences", "desk", {"worker_id": worker, "families": ["cleaning"]}),
    ]
    async with httpx2.AsyncClient(timeout=60) as client:
        for service, path, role, body in creating:

            async def post(token: str, at: str = f"{stack.url(service)}{path}", body: Any = body) -> httpx2.Response:
                headers = {"authorization": f"Bearer {token}", "idempotency-key": "the same key"}
                return await client.post(at, json=body, headers=headers)

            first = await post(office.token(role, "a"))
            assert first.status_code in (200, 201), (path, first.text)
            again = await post(office.token(role, "a"))
            assert again.headers.get("idempotent-replay") == "true" and again.content == first.content, (path, again.text)
            # a colleague; then the same subject, as the other region's issuer names it
            colleague = await post(office.token(role, "b"))
            assert "idempotent-replay" not in colleague.headers, path
            stranger = await post(stack.mint("padang-panjang", f"{role}-a", [role], [OTHER]))
            assert stranger.status_code in (403, 404) and "idempotent-replay" not in stranger.headers, (path, stranger.text)
            ids = set(UUIDS.findall(first.text)) - {worker, placement}
            assert not ids & set(UUIDS.findall(stranger.text)), (path, stranger.text)
    await office.driver.quiet()


async def test_nothing_personal_is_outside_the_vaults(world: World) -> None:
    stage, stack = world.stage, world.stack
    person = next(one for one in stage.people if one.email and one.phone and stack.mails(one.email))
    scanner = Scanner(
        [
            *texts_of(stage.people),
            *(("token", token.rsplit(".", 1)[-1]) for token in stage.office.tokens.values()),
            *(("link", link) for link in world.known["token"]),
        ]
    )
    await everything_wrong(world, person, scanner)
    await stage.office.driver.quiet()
    async for topic, content, records in topics(stack):
        scanner.look("topics", topic, content)
        scanner.count("records", records)
    async for service, table, column, content, rows in tables(stack.reader_dsns()):
        scanner.look("columns", f"{service}.{table}.{column}", content)
        scanner.count("values", rows)
    for kind, name, content in files(stack):
        scanner.look(kind, name, content)
    async for name, content in pages(stack):
        scanner.look("metrics", name, content)
    report = {"needles": scanner.needles, "places": scanner.places, "bytes": scanner.looked, "leaks": len(scanner.found)}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=1))
    assert not scanner.found, "\n".join([str(report), *(str(one) for one in scanner.found[:40])])
    # zero looked at is a failure
    for kind, least in LOOKED_AT.items():
        assert scanner.places.get(kind, 0) >= least and scanner.looked.get(kind, 1), (kind, report)
    await known_again(world, person)
    await sealed(stack)


async def everything_wrong(world: World, person: Person, scanner: Scanner) -> None:
    """All the mishaps on all the routes, as an officer with every role and as a vendor's; each refusal is looked at."""
    region = world.stage.region
    roles = sorted(set(ROLES) - {"agency_officer", "vendor_user"})
    tokens = [
        world.stack.mint("pusat", "everybody", roles, [region]),
        world.stack.mint("pusat", "agent", ["vendor_user"], [region], (), UUID(world.known["vendor_id"][0])),
    ]
    fill, gate = Filler(world.known, region, region, world.stack.business_now().date().isoformat()), asyncio.Semaphore(AT_ONCE)
    good = next(iter(people_rows([person])))
    wrong = [*mishaps(world.routes, fill, person), *uploads(region, person, good)]
    wrong += [
        Mishap(route.service, route.method, fill.requests(route)[0].path, "header", {"headers": headers})
        for route in world.routes[:: max(len(world.routes) // 12, 1)]
        for headers in headers_of(person)
    ]

    async def one(client: httpx2.AsyncClient, mishap: Mishap, token: str) -> None:
        options = dict(mishap.options)
        headers = {"authorization": f"Bearer {token}"} | dict(options.pop("headers", {}))
        async with gate:
            url = f"{world.stack.url(mishap.service)}{mishap.path}"
            answer = await client.request(mishap.method, url, headers=headers, **options)
        told = f"{mishap.service} {mishap.method} {mishap.path} ({mishap.what}): {answer.status_code}"
        assert answer.status_code < 500 or slug(answer) == "pack-missing", (told, answer.text)
        if answer.status_code >= 400:
            scanner.look("answers", told, repr(answer.headers).encode() + b"\n" + answer.content)
        else:
            # what may be read by who asks is no leak; that it was taken is seen in what is kept
            scanner.count("taken", 1)

    async with httpx2.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as group:
        for mishap in wrong:
            for token in tokens if mishap.what.startswith(("text", "query")) else tokens[:1]:
                group.create_task(one(client, mishap, token))


async def known_again(world: World, person: Person) -> None:
    """The same scanner finds the same secrets where they may be: in the mail, and in what an officer opens for a purpose."""
    mail = Scanner(texts_of([person]))
    for message in world.stack.mails(person.email):
        mail.look("mail", "sink", message.raw + message.text.encode())
    opened = Scanner(texts_of([person]))
    token = world.stage.office.token("people_officer", "a")
    shown = await world.stage.office.text("registry", f"/v1/people/{world.stage.workers[person.nik]}", token, purpose="audit")
    opened.look("answer", "person", shown.encode())
    assert {one.what for one in mail.found} >= {"name", "mail"}, mail.places
    assert {one.what for one in opened.found} == {"nik", "name", "mail", "phone"}, shown


async def sealed(stack: Stack) -> None:
    """What the vaults hold is ciphertext: it has no more order than dice."""
    for service, table, column in VAULTS:
        content = await bytes_of(stack.reader_dsns()[service], table, column)
        assert len(content) > 2000, (service, table, column, len(content))
        assert entropy(content) > 7.5, (service, table, column, entropy(content))

"""The commands. Each imports what it needs when it runs."""

import asyncio
import importlib
import importlib.util
import inspect
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from shared.cli import pack
from shared.cli.where import Target, target, targets
from shared.cli.words import Stop

SERVICES = ("registry", "vendor", "placement", "notify")
LOCAL = "deploy.local.commands"

Env = Annotated[
    list[Path],
    typer.Option("--env", help="A file of NAME=VALUE settings of one service; may be repeated.", default_factory=list, show_default=False),
]
Service = Annotated[str, typer.Option("--service", help="Only this service.")]
Row = Annotated[UUID, typer.Argument(help="The id that `parked list` shows.")]


def build(arguments: Sequence[str] = ()) -> typer.Typer:
    """The application. Local commands and services' own are imported only when one of them is asked for."""
    app = typer.Typer(
        name="jembatan",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Carries laid-off workers into outsourced jobs. Settings come from the environment (JEMBATAN_*) or from files (--env).",
    )
    app.command()(status)
    app.command()(migrate)
    app.command()(token)
    app.command()(resend)
    app.command()(rebuild)
    app.command()(contracts)
    app.command()(serve)
    app.add_typer(_topics(), name="topics")
    app.add_typer(_parked(), name="parked")
    app.add_typer(pack.app, name="pack")
    asked = next((argument for argument in arguments if not argument.startswith("-")), "")
    for name, text in (("up", "Start everything on this machine and leave it running."), ("demo", "Play the demonstration and check it.")):
        if importlib.util.find_spec("deploy") and importlib.util.find_spec("deploy.local") and importlib.util.find_spec(LOCAL):
            if asked == name:
                app.command(name)(getattr(importlib.import_module(LOCAL), name))
            else:
                app.command(name, help=f"{text}\n\nExample: jembatan {name}")(_elsewhere)
    if asked in SERVICES and importlib.util.find_spec(f"services.{asked}.cli"):
        app.add_typer(importlib.import_module(f"services.{asked}.cli").app, name=asked)
    return app


def _elsewhere() -> None:
    """Stands in the list of commands; the real one is imported when it is asked for."""


def status(env: Env, service: Service = "", as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Show lags, log age, parked, gaps, jobs and timers. Ends with 1 when something needs a person.

    Example: jembatan status --service registry
    """
    from shared.cli import status as screen

    if not screen.run(env, service, as_json):
        raise typer.Exit(1)


def migrate(
    service: Annotated[str, typer.Argument(help="registry, vendor, placement or notify.")],
    env: Env,
    revision: Annotated[str, typer.Option(help="How far up.")] = "head",
) -> None:
    """Bring a service's database to the newest revision, as its owner (JEMBATAN_OWNER_URL).

    Example: jembatan migrate registry
    """
    from shared.migrating import upgrade

    if service not in SERVICES:
        raise Stop(f"no such service; name one of {', '.join(SERVICES)}")
    import os

    url = os.environ.get("JEMBATAN_OWNER_URL", "") if not env else target(env, service).get("OWNER_URL")
    if not url:
        raise Stop("JEMBATAN_OWNER_URL is not set: migrations run as the owner of the database")
    before, after = asyncio.run(upgrade(service, url, revision))
    typer.echo(f"{service}: {before or 'empty'} -> {after}" if before != after else f"{service}: at {after} already")


def token(
    role: Annotated[list[str], typer.Argument(help="One or more roles.")],
    region: Annotated[list[str], typer.Option(help="Regions (PP.KK), or provinces (PP) for an inspector.")] = ["13.74"],  # noqa: B006 - typer reads it, nobody changes it
    agency: Annotated[list[str], typer.Option(help="Agencies, for an agency officer.")] = [],  # noqa: B006 - typer reads it, nobody changes it
    vendor: Annotated[str, typer.Option(help="The vendor's id, for a vendor user.")] = "",
    subject: Annotated[str, typer.Option(help="Whose token.")] = "demo",
    minutes: Annotated[int, typer.Option(min=1, max=1440)] = 60,
    folder: Annotated[Path | None, typer.Option(help="Where `up` or `demo` keeps its files.")] = None,
) -> None:
    """Mint a token with a local issuer's key; for demonstrations, production has its own identity provider.

    Example: jembatan token people_officer --region 13.74
    """
    import json

    if importlib.util.find_spec("deploy") is None:
        raise Stop("no local issuer here: ask your identity provider for a token")
    from deploy.local.servers.issuer import Issuer

    places = [folder] if folder else [Path("var/up"), Path("var/demo")]
    place = next((one for one in places if (one / "issuers.json").is_file()), None)
    if place is None:
        raise Stop("no local issuer found: start `jembatan up` first, or name its folder with --folder")
    for entry in json.loads((place / "issuers.json").read_text()):
        if all(one in entry["regions"] or one[:2] in entry["regions"] for one in region):
            keys = Path(entry["jwks_file"])
            issuer = Issuer(keys.name.removesuffix(".jwks.json"), entry["issuer"], keys.parent)
            typer.echo(issuer.mint(subject, role, region, agency, vendor or None, ttl=minutes * 60))
            return
    raise Stop("no local issuer may grant these regions: leave out --region, or name one that `jembatan up` printed")


def resend(
    env: Env,
    service: Service = "",
    aggregate: Annotated[UUID | None, typer.Option(help="All events of this aggregate.")] = None,
    since: Annotated[datetime | None, typer.Option(help="All events recorded since (UTC).")] = None,
) -> None:
    """Publish events again, marked as replay; subscribers drop what they have.

    Example: jembatan resend --service registry --aggregate 0192d3a4-7c1e-7b0a-9f3e-6a656d626174
    """
    from shared import resend as again

    if (aggregate is None) == (since is None):
        raise Stop("name either --aggregate or --since")
    one = target(env, service)

    async def work() -> int:
        async with one.database() as db, db.begin("worker", one.operator(), "events.resend") as tx:
            if aggregate is not None:
                return await again.resend_aggregate(tx, aggregate)
            assert since is not None
            return await again.resend_since(tx, since.replace(tzinfo=UTC) if since.tzinfo is None else since)

    number = asyncio.run(work())
    typer.echo(f"{number} events wait to be sent again" if number else "nothing to send again: is it the right service?")


def rebuild(
    projection: Annotated[str, typer.Argument(help="The consumer's name, as `status` shows it.")], env: Env, service: Service = ""
) -> None:
    """Empty a projection and read its topic from the beginning. What depends on it is refused meanwhile.

    Example: jembatan rebuild placement.people --service placement
    """
    from shared import rebuild as again

    one = target(env, service)
    known = {found.name: found for found in _subscriptions(one.service)}
    if projection not in known:
        raise Stop(f"{one.service} has no such consumer; it has {', '.join(sorted(known))}")

    async def work() -> int:
        async with one.database() as db:
            return await again.begin(db, one.kafka(), known[projection], one.operator())

    typer.echo(f"{projection}: generation {asyncio.run(work())} begun; `jembatan status` shows when it is done")


class _Anything:
    """Stands for a service's own resources, which a subscription's name and tables do not depend on."""

    def __getattr__(self, _name: str) -> "_Anything":
        return self

    def __getitem__(self, _name: str) -> "_Anything":
        return self

    def __call__(self, *_: Any, **__: Any) -> "_Anything":
        return self


def _subscriptions(service: str) -> list[Any]:
    from shared import packs

    room = importlib.import_module(f"services.{service}.subscribers")
    given = room.SUBSCRIPTIONS if hasattr(room, "SUBSCRIPTIONS") else room.subscriptions
    own = [] if service == "registry" else [packs.subscription(service)]
    if callable(given):
        given = given(*(_Anything() for _ in inspect.signature(given).parameters))
    return [*given, *own]


def contracts(
    check: Annotated[bool, typer.Option("--check", help="Only compare; end with 1 when files differ from the code.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Freeze the present contracts: a promise from now on.")] = False,
) -> None:
    """Write schemas and samples of every event from the code.

    Example: jembatan contracts --check
    """
    from shared import contracts as files

    if release:
        frozen = files.release()
        typer.echo(f"released: {', '.join(frozen)}" if frozen else "nothing to release: every contract is as released")
        return
    if not check:
        files.write()
    wrong = [str(one) for one in files.drift()]
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise Stop("contracts differ from the code: run `jembatan contracts` and commit the files")
    typer.echo("contracts are as the code says")


def serve(service: Annotated[str, typer.Argument(help="registry, vendor, placement or notify.")]) -> None:
    """Run a service in this process, with the settings of the environment.

    Example: JEMBATAN_ROLES=api jembatan serve registry
    """
    from shared.serve import serve as run

    if service not in SERVICES:
        raise Stop(f"no such service; name one of {', '.join(SERVICES)}")
    run(importlib.import_module(f"services.{service}.main").create_app)


def _topics() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="The installation's topics, from deploy/topics.yaml.")

    def place(env: list[Path]) -> Any:
        import os

        found = targets(env)[0] if env or os.environ.get("JEMBATAN_SERVICE") else Target("", dict(os.environ))
        return found.kafka()

    @app.command()
    def apply(env: Env, replication: Annotated[int, typer.Option(help="Copies of each partition; -1: as the broker says.")] = -1) -> None:
        """Make what is missing and put settings right; nothing is ever deleted.

        Example: jembatan topics apply --replication 3
        """
        from shared import topics

        kafka = place(env)
        found = asyncio.run(topics.apply(kafka, topics.wanted(kafka.prefix, partitions=kafka.partitions), replication=replication))
        typer.echo(f"{len(found.missing)} topics made, {len(found.settings)} put right")
        if found.partitions:
            raise Stop("; ".join(found.partitions))

    @app.command()
    def diff(env: Env) -> None:
        """Show what the broker has otherwise; ends with 1 when something differs.

        Example: jembatan topics diff
        """
        from shared import topics

        kafka = place(env)
        lines = asyncio.run(topics.diff(kafka, topics.wanted(kafka.prefix, partitions=kafka.partitions))).lines
        for line in lines:
            typer.echo(line)
        if lines:
            raise Stop("topics differ from deploy/topics.yaml: run `jembatan topics apply`")
        typer.echo("topics are as deploy/topics.yaml says")

    return app


def _parked() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, help="Records that could not be applied and wait for a decision.")

    @app.command("list")
    def list_(
        env: Env,
        service: Service = "",
        consumer: str = "",
        kind: str = "",
        state: str = "waiting",
        limit: Annotated[int, typer.Option(max=1000)] = 100,
    ) -> None:
        """List parked records: where they came from and why they wait, nothing of their content.

        Example: jembatan parked list --service placement --kind poison
        """
        from shared import parking

        async def look(one: Target) -> list[parking.Row]:
            async with one.database() as db, db.begin("worker", one.operator(), "parked.list") as tx:
                return await parking.listed(tx, consumer=consumer, kind=kind, state=state, limit=limit)

        for one in targets(env, service):
            for row in asyncio.run(look(one)):
                typer.echo(
                    f"{row.id}  {one.service}  {row.consumer}  {row.kind}: {row.reason}  {row.topic}/{row.partition}@{row.offset}"
                    f"  aggregate {row.aggregate_id or '-'} v{row.version or '-'}  {row.parked_at.isoformat(timespec='seconds')}"
                )

    @app.command()
    def show(
        row: Row,
        env: Env,
        service: Service = "",
        content: Annotated[bool, typer.Option("--content", help="Open the record; this is audited.")] = False,
    ) -> None:
        """Show one parked record.

        Example: jembatan parked show 0192d3a4-7c1e-7b0a-9f3e-6a656d626174 --service notify
        """
        import json
        from dataclasses import asdict

        from pydantic import SecretStr

        from shared import parking
        from shared.settings import key_bytes

        one = target(env, service)
        sealer = parking.Sealer(key_bytes(SecretStr(one.need("MAC_KEY")), "JEMBATAN_MAC_KEY")) if content else None

        async def work() -> Any:
            async with one.database() as db, db.begin("worker", one.operator(), "parked.show") as tx:
                return await parking.show(tx, row, sealer)

        found, kept = asyncio.run(work())
        typer.echo(json.dumps(asdict(found) | ({"record": parking.readable(kept)} if kept else {}), indent=1, default=str))

    @app.command()
    def replay(row: Row, env: Env, service: Service = "") -> None:
        """Let the consumer try it again, with those of its aggregate before it.

        Example: jembatan parked replay 0192d3a4-7c1e-7b0a-9f3e-6a656d626174 --service notify
        """
        _decide(env, service, row, "replay")

    @app.command()
    def discard(row: Row, env: Env, service: Service = "", yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
        """Give a record up for good: a counted exception to "nothing is lost".

        Example: jembatan parked discard 0192d3a4-7c1e-7b0a-9f3e-6a656d626174 --service notify --yes
        """
        if not yes:
            typer.confirm("The event will never be applied here. Discard it?", abort=True)
        _decide(env, service, row, "discard")

    return app


def _decide(env: list[Path], service: str, row: UUID, what: str) -> None:
    from shared import parking

    one = target(env, service)

    async def work() -> None:
        async with one.database() as db, db.begin("worker", one.operator(), f"parked.{what}") as tx:
            await getattr(parking, what)(tx, row)

    asyncio.run(work())
    typer.echo(f"{row}: {'the consumer tries it at its next turn' if what == 'replay' else 'discarded'}")

"""Which services a command is about, and how to reach them: from the environment, or from files of settings."""

import contextlib
import getpass
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared.cli.words import Stop

if TYPE_CHECKING:
    from shared.db import Database
    from shared.identity import Scope
    from shared.kafka import Kafka

USUAL = Path("var/up/env")


@dataclass(frozen=True, slots=True)
class Target:
    """One service's settings, as far as the command line needs them."""

    service: str
    values: dict[str, str]

    def get(self, name: str, default: str = "") -> str:
        """A setting, by its name without the prefix."""
        return self.values.get(f"JEMBATAN_{name}", default)

    def need(self, name: str) -> str:
        """A setting that must be there."""
        found = self.get(name)
        if not found:
            raise Stop(f"JEMBATAN_{name} is not set: run this with the settings of the service, or name a file with --env")
        return found

    def kafka(self) -> "Kafka":
        """Where its brokers are."""
        from shared.kafka import Kafka

        return Kafka(
            tuple(part.strip() for part in self.need("KAFKA_BOOTSTRAP").split(",")),
            self.get("TOPIC_PREFIX", "jembatan"),
            self.get("INSTALLATION", "local"),
            int(self.get("TOPIC_PARTITIONS", "12")),
        )

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator["Database"]:
        """Its database, as the worker."""
        from shared.clock import clock_for
        from shared.db import Database

        clock = clock_for(self.get("CLOCK_URL"), self.get("ENVIRONMENT", "development"))
        url = self.need("WORKER_URL")
        await clock.start()
        db = Database(self.service, api_url=self.get("API_URL", url), worker_url=url, clock=clock, pool=2)
        try:
            yield db
        finally:
            await db.close()
            await clock.stop()

    def operator(self) -> "Scope":
        """Who types the command, as a pseudonym, with every permission: the audit log keeps it."""
        from pydantic import SecretStr

        from shared.identity import Scope
        from shared.identity.tokens import pseudonym
        from shared.settings import key_bytes

        key = key_bytes(SecretStr(self.need("ACTOR_KEY")), "JEMBATAN_ACTOR_KEY")
        return replace(Scope.system(self.service), actor=pseudonym(key, "command line", getpass.getuser()))


def _read(path: Path) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals:
            raise Stop(f"{path}:{number}: not NAME=VALUE; correct the line")
        values[name.strip()] = value.strip().strip('"').strip("'")
    return values


def targets(files: Iterable[Path] = (), service: str = "") -> list[Target]:
    """The services meant: those of the files named; else of the environment; else of `var/up/env/*.env`."""
    chosen = list(files)
    if not chosen and not os.environ.get("JEMBATAN_SERVICE") and USUAL.is_dir():
        chosen = sorted(USUAL.glob("*.env"))
    found: list[Target] = []
    for path in chosen:
        if not path.is_file():
            raise Stop(f"there is no file {path}: name an existing one with --env")
        values = _read(path)
        found.append(Target(values.get("JEMBATAN_SERVICE", path.stem), values))
    if not chosen and os.environ.get("JEMBATAN_SERVICE"):
        values = {name: value for name, value in os.environ.items() if name.startswith("JEMBATAN_")}
        found.append(Target(values["JEMBATAN_SERVICE"], values))
    if service:
        found = [one for one in found if one.service == service]
    if not found:
        raise Stop("no settings found: set JEMBATAN_SERVICE and the rest, name files with --env, or start `jembatan up`")
    return found


def target(files: Iterable[Path] = (), service: str = "") -> Target:
    """The one service meant."""
    found = targets(files, service)
    if len(found) > 1:
        raise Stop(f"which service? name one of {', '.join(one.service for one in found)} with --service")
    return found[0]

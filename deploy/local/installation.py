"""What the four services of one machine are told: addresses, keys, files. Environment variables, as anywhere else."""

import base64
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.local.processes import free_port
from deploy.local.provision import SERVICES, Dsns
from deploy.local.servers import Issuer
from shared.identity import ROLES as GRANTABLE
from shared.privacy.boxes import new_pair
from shared.regulation import sources

PROCESS_ROLES = ("api", "consumer", "relay", "timers", "jobs")

ISSUERS: Mapping[str, tuple[str, ...]] = {"padang-panjang": ("13.74",), "muaro-jambi": ("15.05",), "pusat": ()}
"""The token issuers of the demonstration and the regions each may grant; none means all, for offices above the regions."""


@dataclass(frozen=True)
class Unit:
    """One process of a service: its roles (all of them unless they run apart), its ports."""

    service: str
    roles: tuple[str, ...]
    name: str
    """Unique in the installation, and the name of its log."""
    http_port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """The doors; only a unit with the role `api` has them."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def metrics_url(self) -> str:
        """Probes and metrics, without a path."""
        return f"http://127.0.0.1:{self.metrics_port}"


@dataclass(frozen=True)
class Addresses:
    """What all processes of an installation share."""

    bootstrap: str
    """host:port of Kafka."""
    clock_url: str
    smtp_url: str
    public_url: str
    """Where links in messages lead."""


def units(*, apart: bool = False, replicas: int = 1, services: Sequence[str] = SERVICES) -> Iterator[Unit]:
    """One process per service; `apart`, one per role of each service; `replicas` of each."""
    for service in services:
        for roles in [(role,) for role in PROCESS_ROLES] if apart else [PROCESS_ROLES]:
            for replica in range(1, replicas + 1):
                parts = [service, *(roles if apart else ()), *([str(replica)] if replicas > 1 else ())]
                yield Unit(service, roles, "-".join(parts))


def key() -> str:
    """32 random bytes in base64url without padding."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def signing_key() -> str:
    """A fresh RSA key (3072 bits) as PEM."""
    made = generate_private_key(65537, 3072)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def issuer_of(folder: Path, name: str) -> Issuer:
    """An issuer of the installation in this folder; another process of the same account mints the same tokens."""
    return Issuer(name, f"https://{name}.id.jembatan.example", folder / "issuers")


class Installation:
    """The files and keys of one run, and the environment made of them."""

    def __init__(self, folder: Path, *, issuers: Mapping[str, Iterable[str]] = ISSUERS, topic_prefix: str = "jembatan") -> None:
        """Writes issuers, their keys and the compiled rule packs of every known region below `folder`."""
        self.folder = folder
        self.topic_prefix = topic_prefix
        self.issuers_file = folder / "issuers.json"
        self.packs_folder = folder / "packs"
        self.issuers: dict[str, Issuer] = {}
        """By name."""
        private, public = new_pair()
        # one key for all services, so that one caller has one pseudonym in every audit trail
        actor = key()
        self._keys: dict[str, dict[str, str]] = {service: {"JEMBATAN_MAC_KEY": key(), "JEMBATAN_ACTOR_KEY": actor} for service in SERVICES}
        self._keys["registry"] |= {
            "JEMBATAN_KEK": key(),
            "JEMBATAN_INDEX_KEY": key(),
            "JEMBATAN_CONTACTS_PUBLIC_KEY": public,
        }
        self._keys["notify"] |= {"JEMBATAN_KEK": key(), "JEMBATAN_CONTACTS_PRIVATE_KEY": private}
        self._keys["placement"] |= {"JEMBATAN_SIGNING_KEY": signing_key()}
        self._write(issuers)

    def _write(self, issuers: Mapping[str, Iterable[str]]) -> None:
        known = sources.regions()
        trusted = []
        for name, regions in issuers.items():
            self.issuers[name] = issuer_of(self.folder, name)
            granted = sorted(regions) or sorted({*known, *(region[:2] for region in known)})
            trusted.append(self.issuers[name].trust(sorted(GRANTABLE), granted))
        self.issuers_file.write_text(json.dumps(trusted, indent=1))
        for region in known:
            sources.write(sources.build(region), self.packs_folder)

    def environment(self, unit: Unit, dsns: Dsns, addresses: Addresses, *, pool: int = 8) -> dict[str, str]:
        """The whole environment of a process: nothing of ours that begins with JEMBATAN_ goes through.

        `pool`: database connections per role.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JEMBATAN_")}
        environment = {
            **inherited,
            "PYTHONUNBUFFERED": "1",
            "JEMBATAN_SERVICE": unit.service,
            "JEMBATAN_ENVIRONMENT": "demo",
            "JEMBATAN_INSTALLATION": "demo",
            "JEMBATAN_ROLES": ",".join(unit.roles),
            "JEMBATAN_API_URL": dsns.api,
            "JEMBATAN_WORKER_URL": dsns.worker,
            "JEMBATAN_DATABASE_POOL": str(pool),
            "JEMBATAN_KAFKA_BOOTSTRAP": addresses.bootstrap,
            "JEMBATAN_TOPIC_PREFIX": self.topic_prefix,
            "JEMBATAN_HTTP_PORT": str(unit.http_port),
            "JEMBATAN_METRICS_PORT": str(unit.metrics_port),
            "JEMBATAN_CLOCK_URL": addresses.clock_url,
            "JEMBATAN_ISSUERS_FILE": str(self.issuers_file),
            "JEMBATAN_PACKS_FOLDER": str(self.packs_folder),
            "JEMBATAN_CACHE_FOLDER": str(self.folder / "cache" / unit.name),
            **self._keys[unit.service],
        }
        if unit.service == "notify":
            environment |= {"JEMBATAN_SMTP_URL": addresses.smtp_url, "JEMBATAN_PUBLIC_URL": addresses.public_url}
        return environment

    def administration(self, unit: Unit, dsns: Dsns, addresses: Addresses) -> dict[str, str]:
        """As `environment`, with the owner's URL, which no running service is given: for migrations and topics."""
        return self.environment(unit, dsns, addresses) | {"JEMBATAN_OWNER_URL": dsns.owner}

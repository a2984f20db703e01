"""What every fact has in common, and how a class of facts is declared.

A fact is a past participle: one thing that happened, owned by the service that decided it. Its body is frozen data without
personal data; codes are open strings, so that a reader of an older release meets an unknown code and goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec


@dataclass(frozen=True, slots=True)
class Stream:
    """One topic without its prefix: `<owner>.<name>`. `compacted` topics hold the newest record per key."""

    owner: str
    name: str
    compacted: bool = False

    @property
    def topic(self) -> str:
        """`registry.events`, to be put behind the installation's topic prefix."""
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that made another event happen. A reaction's event ids derive from `event_id`, so a repeat is the same event."""

    event_id: UUID
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class Kind:
    """What the catalogue knows of one type of fact."""

    type: str
    stream: Stream
    aggregate: str
    id_field: str
    key_field: str

    @property
    def dataschema(self) -> str:
        """The relative name of the JSON Schema in `contracts/`."""
        return f"{self.type}.schema.json"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of every event body. `region` is the kode wilayah (PP.KK); `effective_on` the local date on which the fact counts."""

    kind: ClassVar[Kind]

    region: str
    effective_on: date

    @property
    def aggregate_id(self) -> UUID:
        """The aggregate whose version sequence this fact belongs to."""
        found = getattr(self, self.kind.id_field)
        assert isinstance(found, UUID)
        return found

    @property
    def partition_key(self) -> UUID:
        """Facts with the same key keep their order in the topic (a person's story, a vendor's story)."""
        found = getattr(self, self.kind.key_field)
        assert isinstance(found, UUID)
        return found


CATALOGUE: dict[str, type[Fact]] = {}
"""Every type of fact there is, by its versioned name (`placement.confirmed.v1`)."""

F = TypeVar("F", bound=Fact)


def fact(name: str, stream: Stream, aggregate: str, *, id: str, key: str = "", major: int = 1) -> Callable[[type[F]], type[F]]:
    """Declare a type of fact: its name, the stream it lives in, its aggregate, and the fields that identify and order it."""

    def declare(cls: type[F]) -> type[F]:
        versioned = f"{name}.v{major}"
        assert versioned not in CATALOGUE, versioned
        cls.kind = Kind(versioned, stream, aggregate, id, key or id)
        CATALOGUE[versioned] = cls
        return cls

    return declare

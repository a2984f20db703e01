"""The envelope: CloudEvents 1.0 in Kafka's binary mode, and reading it without trusting a byte of it.

Nothing in this module raises on a record from the broker: what cannot be read comes back as `Poison` with a class that
says why. Text in headers is ASCII; values that are null, not UTF-8 or too long are treated as absent.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec

from shared.events import CATALOGUE, Fact, Stream
from shared.subscriptions import Heard

Headers = Sequence[tuple[str, bytes]]
MAX_HEADER: Final = 1024
REPLAY: Final = "replay"
_TYPE: Final = re.compile(r"^(?P<prefix>.+)\.(?P<name>[a-z_]+\.[a-z_]+)\.v(?P<major>[0-9]{1,4})$")


class Record(Protocol):
    """What the Kafka client hands over."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(frozen=True, slots=True)
class Told:
    """A record whose envelope is sound. `fact` is None for a type that this release does not know (its minor news)
    or that the subscription does not hear, and for a tombstone."""

    id: UUID
    type: str
    aggregate_id: UUID
    version: int
    region: str
    time: datetime
    actor: str
    pack: str
    correlation: UUID
    fact: Fact | None
    tombstone: bool = False

    def heard(self) -> Heard:
        """For the handler."""
        assert self.fact is not None
        return Heard(self.fact, self.id, self.version, self.time, self.actor, self.pack, self.correlation)


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that can never be applied. The identity is there only when the envelope proved to be the owner's."""

    reason: str
    id: UUID | None = None
    aggregate_id: UUID | None = None
    version: int | None = None
    region: str = ""


def header(headers: Iterable[tuple[str, Any]], name: str) -> str:
    """The first header of that name as text; empty when absent, null, not UTF-8 or longer than 1,024 bytes."""
    for key, value in headers:
        if key == name:
            if not isinstance(value, bytes) or len(value) > MAX_HEADER:
                return ""
            try:
                return value.decode()
            except UnicodeDecodeError:
                return ""
    return ""


def headers_of(row: Any, *, prefix: str, source: str, replay: bool = False) -> list[tuple[str, bytes]]:
    """The headers of an event row (a mapping with the columns of `event`)."""
    texts = {
        "ce_specversion": "1.0",
        "ce_id": row["id"],
        "ce_source": source,
        "ce_type": f"{prefix}.{row['type']}",
        "ce_time": row["recorded_at"].isoformat(),
        "ce_subject": row["aggregate_id"],
        "ce_dataschema": f"{row['type']}.schema.json",
        "ce_partitionkey": row["key"],
        "ce_sequence": row["version"],
        "ce_region": row["region"],
        "ce_causationid": row["causation_id"] or "",
        "ce_correlationid": row["correlation_id"],
        "ce_actor": row["actor"],
        "ce_rulepack": row["pack"],
        "content-type": "application/json",
        "traceparent": row["traceparent"],
        REPLAY: "1" if replay else "",
    }
    return [(name, text.encode()) for name, value in texts.items() if (text := str(value))]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the records of one topic for one subscription. `types` are those it hears; None: all of the topic."""

    prefix: str
    installation: str
    stream: Stream
    types: frozenset[str] | None = None

    @property
    def source(self) -> str:
        """The only source this topic may carry."""
        return f"/jembatan/{self.installation}/{self.stream.owner}"

    def read(self, record: Record) -> Told | Poison:
        """The record as an event, or why it is none. Never raises."""
        given: dict[str, str] = {}
        for name, value in record.headers:
            if name not in given and isinstance(value, bytes) and len(value) <= MAX_HEADER:
                try:
                    given[name] = value.decode()
                except UnicodeDecodeError:
                    continue
        if given.get("ce_source") != self.source:
            # Not the owner's: nothing of its identity may hold up an aggregate.
            return Poison("foreign-source" if given.get("ce_source") else "no-envelope")
        try:
            identity = UUID(given["ce_id"]), UUID(given["ce_subject"]), int(given["ce_sequence"])
            time = datetime.fromisoformat(given["ce_time"])
            correlation = UUID(given.get("ce_correlationid") or given["ce_id"])
        except (KeyError, ValueError):
            return Poison("bad-envelope")
        if not 0 < identity[2] < 2**31 or time.tzinfo is None:
            return Poison("bad-envelope")
        return self._body(record, given, identity, time, correlation)

    def _body(
        self,
        record: Record,
        given: dict[str, str],
        identity: tuple[UUID, UUID, int],
        time: datetime,
        correlation: UUID,
    ) -> Told | Poison:
        region = given.get("ce_region", "")
        name = self._type(given.get("ce_type", ""))
        if name is None:
            return Poison("unknown-type", *identity, region)
        known = CATALOGUE.get(name)
        if known is None and _major_of_known(name):
            return Poison("unknown-major", *identity, region)
        if known is not None and known.kind.stream != self.stream:
            return Poison("wrong-topic", *identity, region)
        fact: Fact | None = None
        tombstone = record.value is None
        if record.value is None:
            if not self.stream.compacted:
                return Poison("tombstone", *identity, region)
        elif known is not None and (self.types is None or name in self.types):
            try:
                fact = msgspec.json.decode(record.value, type=known)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return Poison("bad-body", *identity, region)
            if fact.aggregate_id != identity[1] or fact.region != region:
                return Poison("envelope-and-body-differ", *identity, region)
        return Told(
            identity[0],
            name,
            identity[1],
            identity[2],
            region,
            time,
            given.get("ce_actor", ""),
            given.get("ce_rulepack", ""),
            correlation,
            fact,
            tombstone,
        )

    def _type(self, text: str) -> str | None:
        """`placement.confirmed.v1` out of `<prefix>.placement.confirmed.v1`."""
        found = _TYPE.match(text)
        if found is None or found["prefix"] != self.prefix:
            return None
        return f"{found['name']}.v{found['major']}"


def _major_of_known(name: str) -> bool:
    """Whether we know this type in another major version (then a new one can't be passed over)."""
    stem = name.rpartition(".v")[0] + ".v"
    return any(known.startswith(stem) for known in CATALOGUE)

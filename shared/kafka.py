"""The Kafka client with the options this installation needs, in one place: names, consumers, producers, administration."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from shared.events import CATALOGUE, Stream

RESEND: Final = "resend-requests"
SESSION: Final[dict[str, Any]] = {
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 2_000,
    "max_poll_interval_ms": 120_000,
}
MAX_BATCH: Final = 256 * 1024
SEND_SECONDS: Final = 30.0
REQUEST_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where the brokers are, and how names are made: `<prefix>.<owner>.<stream>`, sources, groups."""

    bootstrap: tuple[str, ...]
    prefix: str
    installation: str = "local"
    partitions: int = 12

    def topic(self, stream: Stream | str) -> str:
        """The full name of a stream's topic."""
        return f"{self.prefix}.{stream if isinstance(stream, str) else stream.topic}"

    def source(self, service: str) -> str:
        """`ce_source` of a service's events."""
        return f"/jembatan/{self.installation}/{service}"

    def group(self, service: str, consumer: str, generation: int) -> str:
        """The consumer group of a subscription; a rebuild makes a new generation."""
        return f"{self.prefix}.{service}.{consumer}.g{generation}"

    def producer(self) -> AIOKafkaProducer:
        """An idempotent producer. It can get stuck; whoever uses it builds a new one after any failure."""
        return AIOKafkaProducer(
            bootstrap_servers=list(self.bootstrap),
            client_id=self.prefix,
            acks="all",
            enable_idempotence=True,
            max_batch_size=MAX_BATCH,
            max_request_size=1_048_576,
            request_timeout_ms=REQUEST_MS,
            metadata_max_age_ms=30_000,
        )

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """A plain consumer outside any group, for looking."""
        return AIOKafkaConsumer(
            bootstrap_servers=list(self.bootstrap),
            client_id=self.prefix,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=REQUEST_MS,
            **options,
        )

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An administration client, closed at the end."""
        client = AIOKafkaAdminClient(bootstrap_servers=list(self.bootstrap), client_id=self.prefix, request_timeout_ms=REQUEST_MS)
        try:
            await client.start()
            yield client
        finally:
            await client.close()

    async def identity(self, topics: Sequence[str]) -> tuple[str, dict[str, str]]:
        """The cluster's id and the id of each topic that exists: both change when a broker comes back empty."""
        async with self.admin() as client:
            answer = await client._send_request(_MetadataRequest(list(topics)))
        return str(answer.cluster_id), {str(topic[1]): topic[2] for topic in answer.topics if topic[0] == 0 and topic[1] is not None}


def streams_of(service: str) -> list[Stream]:
    """Every stream that a service writes, by name."""
    found = {fact.kind.stream for fact in CATALOGUE.values() if fact.kind.stream.owner == service}
    return sorted(found, key=lambda stream: stream.topic)


async def ends(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> dict[TopicPartition, tuple[int, int]]:
    """First and next offset of every partition of the topics that exist."""
    found = [TopicPartition(t, p) for t in topics for p in sorted(await partitions(consumer, t))]
    if not found:
        return {}
    first = await consumer.beginning_offsets(found)
    after = await consumer.end_offsets(found)
    return {tp: (first[tp], after[tp]) for tp in found}


async def partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    """The partitions of a topic; none when it does not exist."""
    found = consumer.partitions_for_topic(topic)
    if not found:
        await consumer._client.add_topic(topic)
        await consumer._client.force_metadata_update()
        found = consumer.partitions_for_topic(topic)
    return set(found or ())


# The client library stops at version 5 of the metadata request; topic ids came with version 10.


class _TopicId(AbstractType[str]):  # type: ignore[misc]
    @classmethod
    def decode(cls, data: BytesIO) -> str:
        return str(uuid.UUID(bytes=data.read(16)))

    @classmethod
    def encode(cls, value: str) -> bytes:
        return uuid.UUID(value).bytes


_TAGS: Final = ("tags", TaggedFields)


class _MetadataResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", CompactString("utf-8")), ("port", Int32), ("rack", CompactString("utf-8")), _TAGS),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _TopicId),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _MetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _TopicId), ("topic", CompactString("utf-8")), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        nothing = str(uuid.UUID(int=0))
        return request_struct_class([(nothing, topic, {}) for topic in self._topics], False, False, {})

"""Everything an installation keeps or says, as bytes: topics, tables, files, metrics. Each with its name."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition

from deploy.local.stack import Stack

APART = b"\0"
"""Between records: nothing that is looked for runs over it."""
ANSWERS = ("metrics", "readyz", "livez", "version")


async def topics(stack: Stack) -> AsyncIterator[tuple[str, bytes, int]]:
    """(topic, keys and headers and values of all its records, how many) of every topic of the installation."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(f"{stack.installation.topic_prefix}.")]
        partitions = {one["topic"]: sorted(part["partition"] for part in one["partitions"]) for one in await admin.describe_topics(names)}
    finally:
        await admin.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        for topic in sorted(partitions):
            parts = [TopicPartition(topic, at) for at in partitions[topic]]
            consumer.assign(parts)
            ends = await consumer.end_offsets(parts)
            await consumer.seek_to_beginning(*parts)
            pieces: list[bytes] = []
            records = 0
            for part in parts:
                while await consumer.position(part) < ends[part]:
                    found = await consumer.getmany(part, timeout_ms=1000, max_records=5000)
                    for record in found.get(part, ()):
                        records += 1
                        pieces += [record.key or b"", *(half for name, value in record.headers for half in (name.encode(), value))]
                        pieces.append(record.value or b"")
            yield topic, APART.join(pieces), records
    finally:
        await consumer.stop()


async def tables(dsns: Mapping[str, str]) -> AsyncIterator[tuple[str, str, str, bytes, int]]:
    """(service, table, column, the column's values as text and, of bytes, also as they are; rows) of every table there is."""
    for service, dsn in dsns.items():
        connection = await asyncpg.connect(dsn)
        try:
            columns = await connection.fetch(
                "SELECT c.table_schema AS s, c.table_name AS t, c.column_name AS c, c.data_type AS kind FROM information_schema.columns c"
                " JOIN information_schema.tables t USING (table_schema, table_name)"
                " WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2, 3"
            )
            for row in columns:
                name = f'"{row["s"]}"."{row["t"]}"'
                values = await connection.fetch(f'SELECT "{row["c"]}"::text AS v FROM {name} WHERE "{row["c"]}" IS NOT NULL')
                pieces = [value["v"].encode() for value in values]
                if row["kind"] == "bytea":
                    raw = await connection.fetch(f'SELECT "{row["c"]}" AS v FROM {name} WHERE "{row["c"]}" IS NOT NULL')
                    pieces += [bytes(value["v"]) for value in raw]
                yield service, row["t"], row["c"], APART.join(pieces), len(values)
        finally:
            await connection.close()


async def bytes_of(dsn: str, table: str, column: str) -> bytes:
    """All values of a column of bytes, one after the other."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(f'SELECT "{column}" AS v FROM "{table}" WHERE "{column}" IS NOT NULL')
        return b"".join(bytes(row["v"]) for row in rows)
    finally:
        await connection.close()


def entropy(content: bytes) -> float:
    """Bits per byte; ciphertext has nearly eight."""
    counts = Counter(content)
    return -sum(n / len(content) * math.log2(n / len(content)) for n in counts.values())


def files(stack: Stack) -> Iterator[tuple[str, str, bytes]]:
    """(kind, name, content) of every file of the installation but the data of Kafka and PostgreSQL: logs, caches, packs."""
    for path in sorted(stack.folder.rglob("*")):
        parts = path.relative_to(stack.folder).parts
        if path.is_file() and parts[0] not in ("kafka", "postgres"):
            yield "logs" if parts[0] == "logs" else "files", str(Path(*parts)), path.read_bytes()


async def pages(stack: Stack) -> AsyncIterator[tuple[str, bytes]]:
    """(address, answer with its headers) of the metrics and probes of every process."""
    async with httpx2.AsyncClient(timeout=30) as client:
        for unit in stack.units:
            for page in ANSWERS:
                answer = await client.get(f"{unit.metrics_url}/{page}")
                assert answer.status_code == 200, (unit.name, page, answer.status_code)
                yield f"{unit.name}/{page}", repr(answer.headers).encode() + b"\n" + answer.content

"""The invariants, checked with SQL of their own: nothing here is shared with the services that must keep them.

Each check looks at rows and counts violations; one that looked at nothing is a failure. Run against the databases of a quiet
installation with a role that may read everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg

SERVICES = ("registry", "vendor", "placement", "notify")

READERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "registry.events": {
        "vendor": ("vendor.people", "vendor.packs"),
        "placement": ("placement.people", "placement.departures", "placement.packs"),
        "notify": ("notify.people", "notify.packs"),
    },
    "registry.internal": {"placement": ("placement.rights", "placement.consents")},
    "vendor.events": {"placement": ("placement.capacity", "placement.supply")},
    "placement.events": {
        "registry": ("registry.placements",),
        "vendor": ("vendor.seats", "vendor.reductions"),
        "notify": ("notify.placements",),
    },
    "placement.internal": {"registry": ("registry.engagements",), "vendor": ("vendor.offers",), "notify": ("notify.offers",)},
    "notify.internal": {"registry": ("registry.answers",), "placement": ("placement.answers",)},
}
"""Who must have seen every event of a topic: topic of its owner -> service -> its consumers."""


@dataclass(slots=True)
class Found:
    """What a check looked at, and what it found wrong (the first few, as text)."""

    checked: int = 0
    violations: int = 0
    first: tuple[str, ...] = ()

    def add(self, checked: int, wrong: list[str]) -> None:
        """Count one more look."""
        self.checked += checked
        self.violations += len(wrong)
        self.first = (*self.first, *wrong)[:5]

    @property
    def held(self) -> bool:
        """Something was looked at and nothing was wrong."""
        return self.checked > 0 and self.violations == 0


Connections = Mapping[str, "asyncpg.Connection[Any]"]


async def check(dsns: Mapping[str, str]) -> dict[str, Found]:
    """All invariants over the four databases (`service -> dsn`)."""
    connections = {service: await asyncpg.connect(dsn) for service, dsn in dsns.items()}
    try:
        return {
            "I1": await seen_by_all(connections),
            "I2": await one_effect(connections),
            "I3": await no_holes(connections),
            "I4": await one_place(connections),
            "I5": await seats(connections),
            "I6": await money(connections),
            "I7": await one_message(connections),
            "I8": await audited(connections),
        }
    finally:
        for connection in connections.values():
            await connection.close()


async def seen_by_all(on: Connections) -> Found:
    """I1: every event of the log was sent, and every reader's position reached it (or holds it parked)."""
    found = Found()
    for owner in SERVICES:
        stuck = await on[owner].fetchval("SELECT count(*) FROM pending")
        found.add(1, [f"{owner}: {stuck} events were never sent"] if stuck else [])
        heads = await on[owner].fetch(
            "SELECT topic, aggregate_id, max(version) AS head FROM event WHERE topic NOT LIKE '%.state' GROUP BY topic, aggregate_id"
        )
        for topic, readers in READERS.items():
            wanted = {row["aggregate_id"]: row["head"] for row in heads if _bare(row["topic"]) == topic}
            if not topic.startswith(f"{owner}.") or not wanted:
                continue
            for reader, consumers in readers.items():
                for consumer in consumers:
                    rows = await on[reader].fetch("SELECT aggregate_id, version FROM position WHERE consumer = $1", consumer)
                    reached = {row["aggregate_id"]: row["version"] for row in rows}
                    late = [f"{reader}/{consumer}: {a} at {reached.get(a, 0)} of {v}" for a, v in wanted.items() if reached.get(a, 0) < v]
                    found.add(len(wanted), late)
    return found


def _bare(topic: str) -> str:
    return ".".join(topic.split(".")[-2:])


async def one_effect(on: Connections) -> Found:
    """I2: one cause never made the same fact of the same aggregate twice."""
    found = Found()
    for service in SERVICES:
        looked = await on[service].fetchval("SELECT count(*) FROM event WHERE causation_id IS NOT NULL")
        rows = await on[service].fetch(
            "SELECT causation_id, type, aggregate_id, count(*) AS n FROM event WHERE causation_id IS NOT NULL "
            "AND type NOT LIKE 'placement.state%' GROUP BY 1, 2, 3 HAVING count(*) > 1"
        )
        found.add(looked, [f"{service}: {row['type']} x{row['n']} by {row['causation_id']}" for row in rows])
    return found


async def no_holes(on: Connections) -> Found:
    """I3: the versions of every aggregate are 1..n, in the order in which they were written."""
    found = Found()
    for service in SERVICES:
        looked = await on[service].fetchval("SELECT count(*) FROM event")
        rows = await on[service].fetch(
            "SELECT aggregate_id FROM (SELECT aggregate_id, version, row_number() OVER (PARTITION BY aggregate_id ORDER BY seq) AS n "
            "FROM event) AS e WHERE version <> n GROUP BY aggregate_id"
        )
        found.add(looked, [f"{service}: {row['aggregate_id']}" for row in rows])
    return found


async def one_place(on: Connections) -> Found:
    """I4: a person holds at most one active placement, read from the facts."""
    rows = await on["placement"].fetch(
        "SELECT body::json->>'worker_id' AS worker, sum(CASE WHEN type LIKE 'placement.confirmed%' THEN 1 ELSE -1 END) AS held "
        "FROM event WHERE type LIKE 'placement.confirmed%' OR type LIKE 'placement.ended%' GROUP BY 1"
    )
    found = Found()
    found.add(len(rows), [f"worker {row['worker']} holds {row['held']}" for row in rows if row["held"] not in (0, 1)])
    return found


async def seats(on: Connections) -> Found:
    """I5: offered and held seats never exceed the covered seats of the contract terms, read from the facts of both services."""
    covered: dict[str, int] = {}
    rows = await on["vendor"].fetch(
        "SELECT lot->>'lot_id' AS lot, (lot->>'covered_seats')::int AS seats FROM event, json_array_elements(body::json->'lots') AS lot "
        "WHERE type LIKE 'contract.signed%' OR type LIKE 'contract.amended%' ORDER BY seq"
    )
    for row in rows:
        covered[row["lot"]] = row["seats"]
    taken = await on["placement"].fetch(
        "SELECT lot, sum(n) AS taken FROM ("
        " SELECT body::json->>'lot_id' AS lot, 1 AS n FROM event WHERE type LIKE 'offer.made%'"
        " UNION ALL SELECT body::json->>'lot_id', -1 FROM event WHERE type LIKE 'offer.declined%' OR type LIKE 'offer.expired%'"
        "  OR type LIKE 'offer.withdrawn%'"
        " UNION ALL SELECT body::json->>'lot_id', -1 FROM event WHERE type LIKE 'placement.ended%') AS moves GROUP BY lot"
    )
    found = Found()
    for row in taken:
        limit = covered.get(row["lot"], 0)
        found.add(1, [f"lot {row['lot']}: {row['taken']} of {limit}"] if row["taken"] > limit or row["taken"] < 0 else [])
    return found


async def money(on: Connections) -> Found:
    """I6: commitments stay under the ceiling, and every line's ledger sums to zero."""
    lines = await on["vendor"].fetch("SELECT id, ceiling, committed FROM budget_line")
    found = Found()
    found.add(
        len(lines), [f"line {row['id']}: {row['committed']} over {row['ceiling']}" for row in lines if row["committed"] > row["ceiling"]]
    )
    ledger = await on["vendor"].fetch("SELECT budget_line_id, sum(amount) AS total FROM ledger GROUP BY budget_line_id")
    found.add(len(ledger), [f"line {row['budget_line_id']}: the ledger sums to {row['total']}" for row in ledger if row["total"] != 0])
    return found


async def one_message(on: Connections) -> Found:
    """I7: one message per cause, recipient and channel."""
    looked = await on["notify"].fetchval("SELECT count(*) FROM message")
    rows = await on["notify"].fetch("SELECT cause_id, worker_id, channel, count(*) AS n FROM message GROUP BY 1, 2, 3 HAVING count(*) > 1")
    found = Found()
    found.add(looked, [f"{row['channel']} x{row['n']} for {row['cause_id']}" for row in rows])
    return found


async def audited(on: Connections) -> Found:
    """I8: every event has exactly one audit row of the same aggregate and version."""
    found = Found()
    for service in SERVICES:
        looked = await on[service].fetchval("SELECT count(*) FROM event")
        rows = await on[service].fetch(
            "SELECT e.id FROM event e LEFT JOIN audit a ON a.event_id = e.id AND a.aggregate_id = e.aggregate_id AND a.version = e.version "
            "GROUP BY e.id HAVING count(a.id) <> 1"
        )
        found.add(looked, [f"{service}: event {row['id']}" for row in rows])
    return found


async def events_by_type(dsns: Mapping[str, str]) -> dict[str, int]:
    """How many events of each type the four logs hold."""
    counts: dict[str, int] = {}
    for dsn in dsns.values():
        connection = await asyncpg.connect(dsn)
        try:
            for row in await connection.fetch("SELECT type, count(*) AS n FROM event GROUP BY type"):
                counts[row["type"]] = counts.get(row["type"], 0) + row["n"]
        finally:
            await connection.close()
    return dict(sorted(counts.items()))

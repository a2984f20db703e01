"""Reading what anybody may have written: never an exception, always a reason."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.envelope import Poison, Reader, Told, header, headers_of
from shared.events.registry import EVENTS, WorkerLeft

WORKER = UUID("00000000-0000-7000-8000-000000000001")
FACT = WorkerLeft(region="13.74", effective_on=date(2026, 1, 5), worker_id=WORKER, reason="resigned")
READER = Reader("jembatan", "local", EVENTS)
ROW = {
    "id": UUID("00000000-0000-7000-8000-000000000002"),
    "type": "worker.left.v1",
    "recorded_at": datetime(2026, 1, 5, tzinfo=UTC),
    "aggregate_id": WORKER,
    "key": WORKER,
    "version": 3,
    "region": "13.74",
    "causation_id": None,
    "correlation_id": UUID("00000000-0000-7000-8000-000000000003"),
    "actor": "p-1",
    "pack": "abc",
    "traceparent": "",
}


@dataclass
class Given:
    """A record."""

    value: bytes | None = field(default_factory=lambda: msgspec.json.encode(FACT))
    headers: list[tuple[str, bytes | None]] = field(
        default_factory=lambda: list(headers_of(ROW, prefix="jembatan", source="/jembatan/local/registry"))
    )
    topic: str = "jembatan.registry.events"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None


def with_header(name: str, value: bytes | None) -> Given:
    """A good record with one header otherwise."""
    given_ = Given()
    given_.headers = [(n, v) for n, v in given_.headers if n != name] + [(name, value)]
    return given_


def test_what_the_relay_writes_is_what_the_hearer_is_handed() -> None:
    told = READER.read(Given())
    assert isinstance(told, Told)
    heard = told.heard()
    assert heard.fact == FACT
    assert (heard.id, heard.version, heard.time) == (ROW["id"], 3, ROW["recorded_at"])
    assert (heard.actor, heard.pack, heard.correlation) == ("p-1", "abc", ROW["correlation_id"])
    assert heard.cause.event_id == ROW["id"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ce_source", b"/jembatan/local/vendor", "foreign-source"),
        ("ce_source", None, "no-envelope"),
        ("ce_source", b"\xff", "no-envelope"),
        ("ce_id", b"1", "bad-envelope"),
        ("ce_sequence", b"-1", "bad-envelope"),
        ("ce_sequence", b"1e3", "bad-envelope"),
        ("ce_sequence", b"2147483648", "bad-envelope"),
        ("ce_time", b"2026-01-05T00:00:00", "bad-envelope"),
        ("ce_type", b"jembatan.worker.left.v2", "unknown-major"),
        ("ce_type", b"jembatan.placement.confirmed.v1", "wrong-topic"),
        ("ce_type", b"other.worker.left.v1", "unknown-type"),
        ("ce_region", b"12.71", "envelope-and-body-differ"),
        ("ce_subject", b"00000000-0000-7000-8000-000000000009", "envelope-and-body-differ"),
    ],
)
def test_a_header_that_lies_or_cannot_be_read_is_a_reason(name: str, value: bytes | None, reason: str) -> None:
    read = READER.read(with_header(name, value))
    assert isinstance(read, Poison)
    assert read.reason == reason


def test_a_foreign_source_leaves_no_identity_that_could_hold_up_an_aggregate() -> None:
    read = READER.read(with_header("ce_source", b"/jembatan/local/vendor"))
    assert isinstance(read, Poison)
    assert (read.id, read.aggregate_id, read.version) == (None, None, None)


def test_a_type_of_a_newer_release_is_passed_over_and_new_fields_are_ignored() -> None:
    told = READER.read(with_header("ce_type", b"jembatan.worker.promoted.v1"))
    assert isinstance(told, Told) and told.fact is None
    body = msgspec.json.encode({**msgspec.json.decode(msgspec.json.encode(FACT)), "new_field": 1, "reason": "new_code"})
    told = READER.read(Given(value=body))
    assert isinstance(told, Told) and isinstance(told.fact, WorkerLeft) and told.fact.reason == "new_code"


def test_a_tombstone_is_poison_in_an_event_topic() -> None:
    read = READER.read(Given(value=None))
    assert isinstance(read, Poison) and read.reason == "tombstone" and read.aggregate_id == WORKER


def test_only_the_types_of_the_subscription_are_decoded() -> None:
    reader = Reader("jembatan", "local", EVENTS, frozenset({"worker.registered.v1"}))
    told = reader.read(Given(value=b"not json"))
    assert isinstance(told, Told) and told.fact is None


@settings(derandomize=True, deadline=None, max_examples=250)
@given(
    st.none() | st.binary(max_size=200),
    st.lists(
        st.tuples(
            st.sampled_from(["ce_id", "ce_source", "ce_type", "ce_subject", "ce_sequence", "ce_time", "ce_correlationid", "reply_to", ""]),
            st.none() | st.binary(max_size=40) | st.just(b"/jembatan/local/registry"),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_nothing_that_anybody_writes_raises(value: bytes | None, headers: list[tuple[str, bytes | None]], first: bool) -> None:
    good = Given().headers
    read = READER.read(Given(value=value, headers=[*headers, *good] if first else [*good, *headers]))
    assert isinstance(read, Told | Poison)


def test_a_header_is_read_without_trust() -> None:
    headers = [("a", None), ("b", b"\xff"), ("c", b"x" * 2000), ("d", b"fine"), ("d", b"second")]
    assert [header(headers, name) for name in "abcde"] == ["", "", "", "fine", ""]

"""Ids, clocks, errors, cursors, traces, log lines: the small values everything stands on."""

import contextlib
import json
import logging
import pickle
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import logs, tracing
from shared.clock import WIB, SetClock, Stamp, SystemClock, clock_for
from shared.errors import FieldError, Invalid, NotNow, Refused
from shared.http.idempotency import Once
from shared.http.paging import after, cursor
from shared.ids import derived_id, new_id
from shared.settings import Settings
from shared.timers import next_day

KEY = "A" * 43


def test_fresh_ids_sort_by_the_time_they_were_made() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000 and made == sorted(made) and {one.version for one in made} == {7}


def test_a_derived_id_is_the_same_for_the_same_parts_only() -> None:
    assert derived_id("a", 1) == derived_id("a", 1)
    assert derived_id("ab", "c") != derived_id("a", "bc") != derived_id("abc")


def test_the_business_day_is_the_day_in_western_indonesia() -> None:
    late = datetime(2025, 12, 31, 17, 30, tzinfo=UTC)
    assert Stamp(late, late).day == date(2026, 1, 1)
    with pytest.raises(ValueError, match="aware"):
        Stamp(late, late.replace(tzinfo=None))


def test_production_keeps_real_time() -> None:
    assert isinstance(clock_for("", "production"), SystemClock)
    with pytest.raises(RuntimeError, match="real time"):
        clock_for("http://clock", "production")
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.move(date(2026, 3, 1))
    assert clock.now().day == date(2026, 3, 1)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)), st.times())
@settings(derandomize=True, deadline=None)
def test_the_next_day_is_after_now_and_within_a_day(now: datetime, at: time) -> None:
    again = next_day(now, at)
    assert 0 < (again - now).total_seconds() <= 86_400
    assert again.astimezone(WIB).time() == at


def test_an_error_crosses_processes_whole() -> None:
    told = Refused("over-the-line", "Too much.", rule="budget", article="PP 12/2019 Pasal 3", field="lots.0.seats")
    back = pickle.loads(pickle.dumps(told))
    assert isinstance(back, Refused) and back.status == 409
    assert (back.slug, back.rule, back.article, back.errors) == (told.slug, told.rule, told.article, told.errors)
    assert NotNow("pack-missing").status == 503
    assert Invalid([("a", "b", "c")]).errors == (FieldError("a", "b", "c"),)


@given(st.lists(st.one_of(st.text(), st.integers(-(2**63), 2**63 - 1), st.uuids(), st.dates(), st.datetimes(timezones=st.just(UTC)))))
@settings(derandomize=True, deadline=None)
def test_a_cursor_comes_back_as_it_went(key: list[Any]) -> None:
    if any(isinstance(part, str) and "\x00" in part for part in key):
        return
    text = cursor(*key)
    kinds = [str if isinstance(p, str) else int if isinstance(p, int) else UUID if isinstance(p, UUID) else type(p) for p in key]
    assert after(text, kinds) == tuple(key)


@given(st.text())
@settings(derandomize=True, deadline=None)
def test_a_cursor_of_anybodys_making_is_refused_or_well_typed(text: str) -> None:
    found: tuple[Any, ...] | None = None
    with contextlib.suppress(Invalid):
        found = after(text, (str, int))
    assert found is None or (isinstance(found[0], str | None) and isinstance(found[1], int | None))


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_a_trace_goes_on_or_a_new_one_begins(header: str, kept: bool) -> None:
    with tracing.span(header) as trace:
        assert (trace.trace_id == header[3:35]) is kept
        assert tracing.trace_id() == trace.trace_id and tracing.parse(tracing.traceparent()) == trace
        with tracing.span() as inner:
            assert inner.trace_id == trace.trace_id and inner.span_id != trace.span_id
    assert tracing.trace_id() == ""


@pytest.mark.parametrize("text", ["1374010101010001", "nik 1374 0101 0101 0001.", "1374.0101.0101.0001", "a:budi@example.co.id"])
def test_numbers_of_people_and_addresses_never_reach_a_log(text: str) -> None:
    shown = logs.redact(text)
    assert "0001" not in shown and "budi" not in shown


def test_a_line_has_its_fields_and_no_message_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.configure("registry")
        log = logs.logger("test")
        with tracing.span() as trace:
            try:
                int("1374010101010001x")
            except ValueError:
                log.exception("could not read", count=3, given={"nik": "1374010101010001"})
        logging.getLogger("somebody").error("saw %s", "1374010101010001")
        ours, theirs = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    finally:
        root.handlers[:], root.level = before[0], before[1]
    assert list(ours)[:5] == ["time", "level", "service", "logger", "event"]
    assert ours["trace_id"] == trace.trace_id and ours["error"] == "ValueError" and ours["count"] == 3
    assert "test_values.py" in ours["where"][0] and "1374010101010001" not in json.dumps(ours)
    assert theirs["event"] == "saw %s" and "1374010101010001" not in json.dumps(theirs)


def test_a_library_that_repeats_itself_is_heard_once_and_we_always_are() -> None:
    seldom = logs.Seldom(seconds=5.0)

    def said(name: str, text: str, at: float) -> bool:
        record = logging.LogRecord(name, logging.ERROR, "", 0, text, (), None)
        record.created = at
        return seldom.filter(record)

    assert [said("aiokafka", "Unable connect to %s", at) for at in (100.0, 100.1, 104.9, 105.0, 105.1)] == [True, False, False, True, False]
    assert said("aiokafka", "something else", 100.1)
    assert said("jembatan.bus", "waiting", 100.0) and said("jembatan.bus", "waiting", 100.0)


def test_settings_are_shown_masked_and_read_from_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SERVICE": "vendor",
        "API_URL": "postgresql://a:secret@h/d",
        "WORKER_URL": "postgresql://b:secret@h/d",
        "MAC_KEY": KEY,
        "ACTOR_KEY": KEY,
        "ROLES": "api, jobs",
        "KAFKA_BOOTSTRAP": "a:1,b:2",
    }.items():
        monkeypatch.setenv(f"JEMBATAN_{name}", value)
    read = Settings.read()
    assert read.roles == {"api", "jobs"} and read.kafka_bootstrap == ["a:1", "b:2"] and read.direct == "postgresql://b:secret@h/d"
    assert "secret" not in str(read.masked()) and KEY not in str(read.masked()) and read.masked()["api_url"] == "***"


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\t", "ä"])
def test_a_key_that_cannot_be_one_is_refused(key: str) -> None:
    with pytest.raises(Invalid):
        Once(b"k" * 32, actor="a", method="POST", path="/x", key=key, body=b"")

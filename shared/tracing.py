"""Trace context, in and out (W3C `traceparent`): small, without an exporter.

A request, a timer, a job or a batch of events runs under one trace. The trace is stored with each event, so that it
does not end at the commit, and is shown in problems and log lines.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")
# A NIK has sixteen digits; one random id in two hundred has so many in a row, and loses its trace.
_DIGITS = re.compile(r"\d{16}")


@dataclass(frozen=True, slots=True)
class Trace:
    """Where we are in a trace: its id, our span, and the flags we were given."""

    trace_id: str
    span_id: str
    flags: str = "01"

    @property
    def header(self) -> str:
        """The `traceparent` to hand on."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Trace | None] = ContextVar("jembatan_trace", default=None)


def parse(traceparent: str) -> Trace | None:
    """The trace a header names; None when it is absent or malformed (a bad header never fails a request)."""
    found = _TRACEPARENT.match(traceparent.strip().lower()) if traceparent else None
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None
    return Trace(found[1], found[2], found[3])


def from_outside(traceparent: str) -> str:
    """The header of a caller, or nothing when its trace id could be somebody's number: it is stored and logged as it is."""
    return "" if _DIGITS.search(traceparent) else traceparent


@contextlib.contextmanager
def span(traceparent: str = "") -> Iterator[Trace]:
    """Run under the trace of the header, else under the current one, else under a new one; a new span in any case."""
    parent = parse(traceparent) or _current.get()
    trace = Trace(parent.trace_id if parent else os.urandom(16).hex(), os.urandom(8).hex(), parent.flags if parent else "01")
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def current() -> Trace | None:
    """The trace this code runs under, if any."""
    return _current.get()


def traceparent() -> str:
    """The header to hand on or to store; empty outside any trace."""
    trace = _current.get()
    return trace.header if trace else ""


def trace_id() -> str:
    """The id to show to people and in logs; empty outside any trace."""
    trace = _current.get()
    return trace.trace_id if trace else ""

"""How a service says what it hears: handlers, what they are handed, and what may become of each event.

A handler is a *projection* (writes only tables that can be dropped and rebuilt, never emits) or a *reaction* (may emit;
the ids of what it emits derive from what it heard; resumed, never rebuilt). It is handed up to 2,000 events in
partition order, several of one aggregate possible, and answers one outcome per event, or None when all were applied.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from uuid import UUID

from shared.events import Cause, Fact, Stream

if TYPE_CHECKING:
    from shared.db import Tx

Sort = Literal["projection", "reaction"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as it arrived. `time` is the wall time of its recording; `pack` the rule pack it was decided under."""

    fact: Fact
    id: UUID
    version: int
    time: datetime
    actor: str
    pack: str
    correlation: UUID

    @property
    def cause(self) -> Cause:
        """What to hand to `tx.emit(..., cause=...)`."""
        return Cause(self.id, self.correlation)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event: `applied`, `refused` (recorded, goes on), `parked` (kept aside, its aggregate waits)."""

    kind: Literal["applied", "refused", "parked"]
    slug: str = ""


APPLIED: Final = Outcome("applied")


def refused(slug: str) -> Outcome:
    """The domain says no to a well-formed event (late, double, withdrawn): recorded, counted, and the position advances."""
    return Outcome("refused", slug)


def parked(reason: str) -> Outcome:
    """It cannot be applied and a person must look. The handler must not have applied any part of it."""
    return Outcome("parked", reason)


class Handler(Protocol):
    """The function a subscription wraps."""

    def __call__(self, tx: "Tx", heard: Sequence[Heard], /) -> Awaitable[Sequence[Outcome] | None]: ...


Gone = Callable[["Tx", Sequence[UUID]], Awaitable[None]]
"""Called with the aggregate ids whose records were deleted from a compacted topic."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A handler with its name, its topic and the types it is handed. Calling it calls the handler."""

    name: str
    sort: Sort
    stream: Stream
    types: frozenset[str]
    handler: Handler
    tables: tuple[str, ...] = ()
    gone: Gone | None = None

    async def __call__(self, tx: "Tx", heard: Sequence[Heard]) -> Sequence[Outcome] | None:
        return await self.handler(tx, heard)


def reaction(name: str, *types: type[Fact], gone: Gone | None = None) -> Callable[[Handler], Subscription]:
    """Declare a reaction to these types; all of them live in one topic. `name` is unique in the service and for ever."""
    return _declare(name, "reaction", types, (), gone)


def projection(name: str, *types: type[Fact], tables: Sequence[str] = (), gone: Gone | None = None) -> Callable[[Handler], Subscription]:
    """Declare a projection: `tables` are all it writes, and a rebuild empties them."""
    return _declare(name, "projection", types, tuple(tables), gone)


def _declare(
    name: str, sort: Sort, types: Sequence[type[Fact]], tables: tuple[str, ...], gone: Gone | None
) -> Callable[[Handler], Subscription]:
    streams = {t.kind.stream for t in types}
    if len(streams) != 1:
        raise TypeError(f"{name}: one subscription hears one topic, not {sorted(s.topic for s in streams)}")

    (stream,) = streams

    def wrap(handler: Handler) -> Subscription:
        return Subscription(name, sort, stream, frozenset(t.kind.type for t in types), handler, tables, gone)

    return wrap


def outcomes(answer: Sequence[Outcome] | None, heard: Sequence[Any]) -> Sequence[Outcome]:
    """The handler's answer, one per event. Raises TypeError when it answered for another number of events."""
    if answer is None:
        return [APPLIED] * len(heard)
    if len(answer) != len(heard):
        raise TypeError(f"a handler answered {len(answer)} outcomes for {len(heard)} events")
    return answer

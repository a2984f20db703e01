"""A round (putaran penempatan): who may do what with it, and when."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from shared.errors import Refused

from .lifecycle import step

UNSIGNED: Final = frozenset({"draft", "frozen", "drawn", "computed"})
LOT_ARTICLE: Final = "UU 30/2014 Pasal 42 (konflik kepentingan)"


@dataclass(frozen=True, slots=True)
class Round:
    """A round with the pseudonyms of those who acted."""

    id: UUID
    region: str
    number: int
    state: str
    starts_on: date
    answer_by: date | None
    opener: str
    drawer: str = ""
    run_sha256: str = ""


def move(held: Round, event: str) -> str:
    """The state after the event. Raises `Refused("round-state")`."""
    found = step("round", held.state, event)
    if found is None:
        raise Refused("round-state", f"A round that is {held.state} cannot be {event}.", rule="lifecycle")
    return found.to


def draw(held: Round, actor: str) -> str:
    """The second party names its half of the lottery; never the one who opened the round."""
    if actor == held.opener:
        raise Refused("round-same-officer", "Another person than the opener draws.", rule="separation-of-duties", article=LOT_ARTICLE)
    return move(held, "drawn")


def sign(held: Round, actor: str, seen: str) -> str:
    """Another officer than the opener signs the run that was seen."""
    if actor == held.opener:
        raise Refused("round-same-officer", "Who opened a round cannot sign it.", rule="separation-of-duties", article=LOT_ARTICLE)
    to = move(held, "signed")
    if seen != held.run_sha256:
        raise Refused("run-changed", "The run is not the one that was seen; read it again.", rule="signature")
    return to


def terms(starts_on: date, answer_by: date | None, today: date) -> None:
    """The dates of a new round. Raises `Refused`."""
    if starts_on < today:
        raise Refused("starts-in-the-past", "A round starts today or later.", rule="round-dates", field="starts_on")
    if answer_by is not None and answer_by < today:
        raise Refused("answer-by-in-the-past", "There must be time to answer.", rule="round-dates", field="answer_by")


def refill_start(starts_on: date, today: date) -> date:
    """A seat that goes on later starts with the round, or the day after it is offered when that has begun."""
    return max(starts_on, today + timedelta(days=1))

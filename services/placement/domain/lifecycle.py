"""The one table of what may happen to an offer, a placement and a round: state x event x who x guard x timer.

The code looks every transition up here, and `docs/lifecycle.md` is written from it: what is not in the table cannot happen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """One transition. `frees`: the seat of the lot comes free. `fact` is what the others are told."""

    thing: str
    state: str
    event: str
    to: str
    who: str
    guard: str = ""
    timer: str = ""
    fact: str = ""
    frees: bool = False


_GONE: Final = "exited, left, merged, erased, consent taken back, vendor debarred, contract ended"

LIFECYCLE: Final[tuple[Step, ...]] = (
    Step(
        "round",
        "-",
        "opened",
        "draft",
        "placement_signer",
        "both seals held, nothing parked or rebuilding, no other unsigned round",
        fact="round.opened",
    ),
    Step("round", "draft", "frozen", "frozen", "job freeze"),
    Step("round", "draft", "cancelled", "cancelled", "placement_signer"),
    Step("round", "draft", "failed", "failed", "job freeze"),
    Step("round", "frozen", "drawn", "drawn", "auditor or council_member", "another person than the opener"),
    Step("round", "frozen", "cancelled", "cancelled", "placement_signer"),
    Step("round", "drawn", "computed", "computed", "job compute", "the engine's own check passed"),
    Step("round", "drawn", "cancelled", "cancelled", "placement_signer"),
    Step("round", "drawn", "failed", "failed", "job compute"),
    Step(
        "round",
        "computed",
        "signed",
        "signed",
        "placement_signer",
        "another person than the opener; the run is the one seen",
        fact="round.signed",
    ),
    Step("round", "computed", "cancelled", "cancelled", "placement_signer"),
    Step(
        "round", "signed", "closed", "closed", "job refill", "no offer open or accepted, no free seat anybody can take", fact="round.closed"
    ),
    Step(
        "offer",
        "-",
        "made",
        "open",
        "placement_signer, then job refill",
        "seat free, contract and vendor in force, person free",
        fact="offer.made",
    ),
    Step("offer", "open", "yes", "accepted", "the person", "received by the end of the local day answer_by", fact="offer.accepted"),
    Step(
        "offer", "open", "no", "declined", "the person", "received by the end of the local day answer_by", "refill", "offer.declined", True
    ),
    Step("offer", "open", "term_passed", "expired", "notify", "evidence that the person was reached", "refill", "offer.expired", True),
    Step("offer", "open", "withdrawn", "withdrawn", "an event", _GONE, "refill", "offer.withdrawn", True),
    Step("offer", "accepted", "withdrawn", "withdrawn", "an event", _GONE, "refill", "offer.withdrawn", True),
    Step("offer", "accepted", "agreed", "confirmed", "the vendor", "same seat, terms and start as accepted", fact="placement.confirmed"),
    Step("placement", "-", "agreed", "confirmed", "the vendor", "as above", "start on starts_on", "placement.confirmed"),
    Step("placement", "confirmed", "began", "started", "timer start", "the day has come", fact="placement.started"),
    Step("placement", "confirmed", "disputed", "disputed", "mediator", fact="placement.disputed"),
    Step("placement", "started", "disputed", "disputed", "mediator", fact="placement.disputed"),
    Step("placement", "disputed", "continues", "confirmed", "mediator", timer="start on starts_on", fact="placement.dispute_closed"),
    Step("placement", "disputed", "over", "ended", "mediator or an event", _GONE, "refill", "placement.ended", True),
    Step("placement", "confirmed", "over", "ended", "an event", _GONE, "refill", "placement.ended", True),
    Step("placement", "started", "over", "ended", "an event", _GONE, "refill", "placement.ended", True),
)

_TABLE: Final = {(step.thing, step.state, step.event): step for step in LIFECYCLE}


def step(thing: str, state: str, event: str) -> Step | None:
    """The transition, or None when the table has none: then nothing may change."""
    return _TABLE.get((thing, state, event))


def states(thing: str) -> tuple[str, ...]:
    """Every state a thing may be in, in the order of the table."""
    return tuple(dict.fromkeys(s.to for s in LIFECYCLE if s.thing == thing))


def markdown() -> str:
    """`docs/lifecycle.md`, whole."""
    parts = [
        "# Lifecycle of rounds, offers and placements",
        "",
        "Written from `services/placement/domain/lifecycle.py`; a test compares the two. What is not here cannot happen.",
    ]
    for thing in ("round", "offer", "placement"):
        parts += ["", f"## {thing.capitalize()}", "", "| state | event | becomes | who | guard | timer | fact | frees the seat |"]
        parts += ["|---|---|---|---|---|---|---|---|", *_lines(s for s in LIFECYCLE if s.thing == thing)]
    return "\n".join(parts) + "\n"


def _lines(steps: Iterable[Step]) -> list[str]:
    return [" ".join(["|", " | ".join(_cells(s)), "|"]) for s in steps]


def _cells(s: Step) -> tuple[str, ...]:
    return s.state, s.event, s.to, s.who, s.guard, s.timer, f"`{s.fact}`" if s.fact else "", "yes" if s.frees else ""

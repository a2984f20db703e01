"""HTTP bodies, in and out."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.http import Body

Region = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]\.[0-9]{2}$")]
Day = date
Reason = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,59}$")]
"""A code: free text about a person would carry names past the vault."""
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Excluded(Body):
    """Somebody left out by name."""

    worker_id: UUID
    reason: Reason


class RoundIn(Body):
    """A round to be opened over two seals."""

    region: Region
    roll_seal_id: UUID
    capacity_seal_id: UUID
    starts_on: Day
    answer_by: Day | None = None
    exclude: list[Excluded] = Field(default_factory=list, max_length=1000)


class DrawIn(Body):
    """The second party's half of the lottery: 32 random bytes in hexadecimal."""

    r: Digest


class SignatureIn(Body):
    """The run that the officer saw."""

    run_sha256: Digest


class ReasonIn(Body):
    """Why."""

    reason: Reason


class OutcomeIn(Body):
    """How a dispute ended."""

    outcome: Literal["continues", "ended"]


class RoundOut(Body):
    """A round: nothing in it is about a person."""

    id: UUID
    region: str
    number: int
    state: str
    roll_seal_id: UUID
    capacity_seal_id: UUID
    starts_on: date
    answer_by: date | None
    commitment: str
    instance_hash: str
    run_sha256: str
    pack: str
    people: int
    lots: int
    seats: int
    placed: int
    unplaced: int
    opened_at: datetime
    drawn_at: datetime | None
    computed_at: datetime | None
    signed_at: datetime | None
    closed_at: datetime | None
    problem: str
    offers: dict[str, int] | None = None


class FileOut(Body):
    """A file of the run folder."""

    name: str
    media: str
    sha256: str
    size: int


class FilesOut(Body):
    """The run folder, and which run it is."""

    round_id: UUID
    run_sha256: str
    items: list[FileOut]


class OfferOut(Body):
    """An offer."""

    id: UUID
    region: str
    worker_id: UUID
    round_id: UUID | None
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    vendor_name: str
    terms: int
    agency: str
    job: str
    site: str
    wage: int
    incumbent: bool
    starts_on: date
    answer_by: date
    made_on: date
    since: date
    state: str
    reason: str
    reasons: list[str]


class PlacementOut(Body):
    """A placement."""

    id: UUID
    region: str
    worker_id: UUID
    offer_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str
    job: str
    incumbent: bool
    starts_on: date
    since: date
    state: str
    ended_on: date | None
    reason: str


class LotOut(Body):
    """Seats of a lot: covered, taken, given back, still owed to a reduction."""

    id: UUID
    region: str
    contract_id: UUID
    vendor_id: UUID
    agency: str
    job: str
    site: str
    capacity: int
    taken: int
    released: int
    owed: int
    open: bool


class PoolOut(Body):
    """The columns of the balance that placement owns."""

    region: str
    on: date
    as_of: datetime
    placed: int
    declined: int
    ineligible: dict[str, int]
    waiting: dict[str, int]
    total: int


class PoolPersonOut(Body):
    """Where one person of the pool stands."""

    worker_id: UUID
    agency: str
    column: str
    reason: str
    since: date | None


class ExplanationOut(Body):
    """Why this seat, or why none: `explanation` was solved again on the frozen world."""

    round_id: UUID
    worker_id: UUID
    lot_id: UUID | None
    outcome: str
    reason: str
    explanation: dict[str, Any] | None

"""Facts that the registry decides: who the people are, what was decreed about them, and by which rules."""

from datetime import date, datetime
from uuid import UUID

from .base import Fact, Stream, fact

EVENTS = Stream("registry", "events")
INTERNAL = Stream("registry", "internal")
CONTACTS = Stream("registry", "contacts", compacted=True)


@fact("worker.registered", EVENTS, "worker", id="worker_id")
class WorkerRegistered(Fact, frozen=True, kw_only=True):
    """A tenaga non-ASN entered the opening population of a region. Codes only; who the person is stays in the registry's vault."""

    worker_id: UUID
    worker_number: str
    agency: str
    job_family: str
    kecamatan: str
    service_start: date
    selection_code: str = ""
    service_end: date | None = None


@fact("worker.profile_corrected", EVENTS, "worker", id="worker_id")
class WorkerProfileCorrected(Fact, frozen=True, kw_only=True):
    """The whole present profile after a correction (not a difference)."""

    worker_id: UUID
    agency: str
    job_family: str
    kecamatan: str
    service_start: date
    selection_code: str = ""
    service_end: date | None = None


@fact("worker.laid_off", EVENTS, "worker", id="worker_id")
class WorkerLaidOff(Fact, frozen=True, kw_only=True):
    """Stopped by decree (dirumahkan) from `effective_on`."""

    worker_id: UUID
    decree_number: str
    decree_date: date


@fact("worker.recalled", EVENTS, "worker", id="worker_id")
class WorkerRecalled(Fact, frozen=True, kw_only=True):
    """A stop was reversed (dipekerjakan kembali)."""

    worker_id: UUID
    decree_number: str
    decree_date: date


@fact("worker.proposed", EVENTS, "worker", id="worker_id")
class WorkerProposed(Fact, frozen=True, kw_only=True):
    """Proposed for a route out of the non-ASN status (`paruh_waktu`), or the proposal ended (`withdrawn`)."""

    worker_id: UUID
    route: str
    withdrawn: bool = False


@fact("worker.exited", EVENTS, "worker", id="worker_id")
class WorkerExited(Fact, frozen=True, kw_only=True):
    """Appointed as ASN (`asn`: CPNS or PPPK) or as `paruh_waktu`."""

    worker_id: UUID
    route: str


@fact("worker.left", EVENTS, "worker", id="worker_id")
class WorkerLeft(Fact, frozen=True, kw_only=True):
    """Left for good: `resigned`, `stopped`, `retired`, `died`, `other_work`."""

    worker_id: UUID
    reason: str


@fact("worker.merged", EVENTS, "worker", id="worker_id")
class WorkerMerged(Fact, frozen=True, kw_only=True):
    """`worker_id` turned out to be the same person as `survivor_id`; the survivor carries on."""

    worker_id: UUID
    survivor_id: UUID


@fact("worker.erased", EVENTS, "worker", id="worker_id")
class WorkerErased(Fact, frozen=True, kw_only=True):
    """The personal data are destroyed; every service deletes what it holds of the person."""

    worker_id: UUID


@fact("selection.recorded", INTERNAL, "selection", id="selection_id", key="worker_id")
class SelectionRecorded(Fact, frozen=True, kw_only=True):
    """Result of a CPNS or PPPK selection: code (L, R2, R3, R4, TH, ...) and whether the person is in the BKN database."""

    selection_id: UUID
    worker_id: UUID
    year: int
    phase: str
    code: str
    listed: bool


@fact("eligibility.decided", INTERNAL, "eligibility", id="eligibility_id", key="worker_id")
class EligibilityDecided(Fact, frozen=True, kw_only=True):
    """Whether the person may take part in the scheme (not whether a seat fits): verdict `eligible`, `ineligible` or `unknown`."""

    eligibility_id: UUID
    worker_id: UUID
    verdict: str
    reasons: tuple[str, ...]
    rule: str


@fact("consent.changed", INTERNAL, "consent", id="consent_id", key="worker_id")
class ConsentChanged(Fact, frozen=True, kw_only=True):
    """The person's yes or no to the scheme as a whole. `declined` may be taken back at any time."""

    consent_id: UUID
    worker_id: UUID
    given: bool
    channel: str


@fact("credential.recorded", INTERNAL, "credential", id="credential_id", key="worker_id")
class CredentialRecorded(Fact, frozen=True, kw_only=True):
    """A licence or certificate (`sim`, `gada_pratama`, `kta`) or an age limit as a date (`guard_until`: last day allowed)."""

    credential_id: UUID
    worker_id: UUID
    credential: str
    class_: str
    valid_from: date
    valid_until: date | None


@fact("credential.expired", INTERNAL, "credential", id="credential_id", key="worker_id")
class CredentialExpired(Fact, frozen=True, kw_only=True):
    """The last day of validity has passed."""

    credential_id: UUID
    worker_id: UUID
    credential: str
    class_: str


@fact("honorarium.recorded", INTERNAL, "honorarium", id="honorarium_id", key="worker_id")
class HonorariumRecorded(Fact, frozen=True, kw_only=True):
    """First and last day for which the government paid an honorarium (no amount)."""

    honorarium_id: UUID
    worker_id: UUID
    paid_from: date
    paid_until: date


@fact("insurance.reported", INTERNAL, "insurance", id="insurance_id", key="worker_id")
class InsuranceReported(Fact, frozen=True, kw_only=True):
    """A BPJS file says that a programme is active or lapsed for the person."""

    insurance_id: UUID
    worker_id: UUID
    programme: str
    active: bool
    month: date


@fact("contact.changed", CONTACTS, "contact", id="contact_id", key="worker_id")
class ContactChanged(Fact, frozen=True, kw_only=True):
    """How notify reaches the person: sealed to notify's public key; the event row itself carries no payload."""

    contact_id: UUID
    worker_id: UUID
    sealed: str = ""


@fact("rulepack.activated", EVENTS, "rulepack", id="rulepack_id")
class RulepackActivated(Fact, frozen=True, kw_only=True):
    """From `effective_on` the rules of the region are the file named `sha256`; whatever counted before is superseded."""

    rulepack_id: UUID
    sha256: str
    supersedes: str = ""


class Pin(Fact, frozen=True, kw_only=True):
    """Base of the two seals: a chunk (1-based) of at most 5,000 pairs of aggregate id and version, as of an instant."""

    as_of: datetime
    chunk: int
    chunks: int
    ids: tuple[UUID, ...]
    versions: tuple[int, ...]


@fact("roll.sealed", EVENTS, "roll", id="roll_id")
class RollSealed(Pin, frozen=True, kw_only=True):
    """Everyone of the region whom a round must know, with the worker's version (and of the facts behind eligibility)."""

    roll_id: UUID
    seal_id: UUID

"""Who may take part in the scheme (a seat's own conditions are placement's), and until when a guard may serve."""

from dataclasses import dataclass
from datetime import date
from typing import Literal
from uuid import UUID

from shared.events.registry import EligibilityDecided
from shared.ids import derived_id
from shared.regulation import JobRule, Pack, rules

from .people import GUARD_CREDENTIALS, GUARD_FAMILY, last_day_before_birthday
from .standing import Present

Verdict = Literal["eligible", "ineligible", "unknown"]
RULE = "scheme.opening_population"
GUARD_UNTIL = "guard_until"


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The verdict for the scheme, its reasons as codes, and the day from which it holds."""

    verdict: Verdict
    reasons: tuple[str, ...]
    since: date


def eligibility(present: Present, service_start: date, since: date, bar: date) -> Eligibility:
    """Everyone of the opening population may take part, unless already settled or gone. Who cannot be reached is `unknown`,
    never ineligible; service that itself began on or after the bar is no service the scheme may continue."""
    if present.exit:
        return Eligibility("ineligible", (f"exited_{present.exit}",), since)
    if present.leaving:
        return Eligibility("ineligible", (f"left_{present.leaving}",), since)
    if service_start >= bar:
        return Eligibility("ineligible", ("appointment_barred",), since)
    if present.trace == "untraced":
        return Eligibility("unknown", ("untraced",), since)
    return Eligibility("eligible", (), since)


def eligibility_fact(region: str, worker_id: UUID, e: Eligibility) -> EligibilityDecided:
    """The verdict as a fact; one aggregate per worker."""
    return EligibilityDecided(
        region=region,
        effective_on=e.since,
        eligibility_id=derived_id("eligibility", worker_id),
        worker_id=worker_id,
        verdict=e.verdict,
        reasons=e.reasons,
        rule=RULE,
    )


def needs_guard_date(job_family: str, credentials: frozenset[str] = frozenset()) -> bool:
    """Only people who may stand guard have the date leave the vault: it says how old they are."""
    return job_family == GUARD_FAMILY or bool(credentials & GUARD_CREDENTIALS)


def guard_until(pack: Pack, birth_date: date, on: date) -> date | None:
    """The last day on which the person may serve as a guard at pelaksana level; None when the rules know no age limit."""
    limits = [rule.age_limit for rule in rules.jobs(pack, on).values() if _guard(rule) and rule.age_limit is not None]
    return last_day_before_birthday(birth_date, min(limits)) if limits else None


def _guard(rule: JobRule) -> bool:
    return rule.family == GUARD_FAMILY

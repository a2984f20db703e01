"""The facts a worker's profile becomes, when it is first taken in and when it is corrected."""

from datetime import date
from uuid import UUID

from shared.events import Fact
from shared.events.registry import WorkerLaidOff, WorkerProfileCorrected, WorkerRecalled, WorkerRegistered
from shared.ids import derived_id

from .people import Profile
from .standing import Standing


def registered(region: str, worker_id: UUID, number: str, p: Profile) -> list[Fact]:
    """A worker entered the books; they count from the first day of service. A service that ends is told as the first day without."""
    facts: list[Fact] = [
        WorkerRegistered(
            region=region,
            effective_on=p.service_start,
            worker_id=worker_id,
            worker_number=number,
            agency=p.agency,
            job_family=p.job_family,
            kecamatan=p.kecamatan,
            service_start=p.service_start,
            selection_code=p.selection_code,
            service_end=p.service_end,
        )
    ]
    if p.service_end is not None:
        facts.append(_stopped(region, worker_id, p.service_end))
    return facts


def corrected(region: str, worker_id: UUID, old: Profile, new: Profile, today: date) -> list[Fact]:
    """The whole profile as it is now; a moved end of service takes the old one back and tells the new one."""
    facts: list[Fact] = [
        WorkerProfileCorrected(
            region=region,
            effective_on=today,
            worker_id=worker_id,
            agency=new.agency,
            job_family=new.job_family,
            kecamatan=new.kecamatan,
            service_start=new.service_start,
            selection_code=new.selection_code,
            service_end=new.service_end,
        )
    ]
    if old.service_end != new.service_end:
        if old.service_end is not None and (new.service_end is None or new.service_end > old.service_end):
            facts.append(
                WorkerRecalled(
                    region=region, effective_on=old.service_end, worker_id=worker_id, decree_number="", decree_date=old.service_end
                )
            )
        if new.service_end is not None:
            facts.append(_stopped(region, worker_id, new.service_end))
    return facts


def _stopped(region: str, worker_id: UUID, on: date) -> WorkerLaidOff:
    return WorkerLaidOff(region=region, effective_on=on, worker_id=worker_id, decree_number="", decree_date=on)


def end_of(region: str, worker_id: UUID, end: date | None, change: int | str, today: date) -> Standing:
    """The end of service as a standing. `change` tells repeated corrections apart: the last one recorded counts."""
    return Standing(derived_id("end", worker_id, change, end), region, worker_id, "end", "ended" if end else "open", end or today)

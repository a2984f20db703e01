"""What the rules say, in the types the services use. Pure: a pack and a day in, a value out; money in whole rupiah."""

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from shared.errors import Refused

from .keys import Contribution, Document, JobRule, Window, read
from .pack import Figure, Pack

BP = 10_000


def _read(pack: Pack, key: str, on: date) -> Any:
    # The converted value is kept on the pack: packs are immutable and asked millions of times.
    cache: dict[tuple[str, date], Any] = pack.__dict__.setdefault("_read", {})
    figure = pack.figure(key, on)
    at = (key, figure.from_)
    if at not in cache:
        cache[at] = read(key, figure.value)
    return cache[at]


def wage_floor(pack: Pack, on: date) -> int:
    """Least lawful monthly wage of the region (UMP, or UMK where there is one), as a contract term for vendors of every size."""
    return int(_read(pack, "wage_floor", on))


def wage_floor_figure(pack: Pack, on: date) -> Figure:
    """The floor with its source and article, for a refusal that names them."""
    return pack.figure("wage_floor", on)


def jobs(pack: Pack, on: date) -> Mapping[str, JobRule]:
    """The job catalogue in force."""
    found: Mapping[str, JobRule] = _read(pack, "jobs", on)
    return found


def job(pack: Pack, code: str, on: date) -> JobRule:
    """One job. Raises `Refused` (`unknown-job`)."""
    found = jobs(pack, on).get(code)
    if found is None:
        raise Refused(
            "unknown-job", detail="the job is not in the region's catalogue", rule="jobs", article=pack.figure("jobs", on).article
        )
    return found


def kecamatan_km(pack: Pack, a: str, b: str, on: date) -> int:
    """Distance between two kecamatan in km: 0 inside one; a pair the table does not know counts as the commuting limit."""
    if a == b:
        return 0
    table: Mapping[str, int] = _read(pack, "distances", on)
    first, second = sorted((a, b))
    return table.get(f"{first}|{second}", commuting_limit_km(pack, on))


def commuting_limit_km(pack: Pack, on: date) -> int:
    """Farther than this is no lawful offer."""
    return int(_read(pack, "commuting_limit_km", on))


def priority(pack: Pack, on: date) -> tuple[str, ...]:
    """The order of the fields by which a lot ranks people, strongest first."""
    found: tuple[str, ...] = _read(pack, "priority", on)
    return found


def vulnerable_class(pack: Pack, on: date) -> bool:
    """Whether a vulnerable class is defined with a legal basis; else the field is off."""
    return bool(_read(pack, "vulnerable_class", on))


def contributions(pack: Pack, on: date) -> tuple[Contribution, ...]:
    """The BPJS programmes."""
    found: tuple[Contribution, ...] = _read(pack, "contributions", on)
    return found


def employer_contributions(pack: Pack, wage: int, on: date) -> int:
    """What the employer pays on top of a monthly wage, in whole rupiah (rounded to the nearest)."""
    return _share(pack, wage, on, "employer")


def worker_contributions(pack: Pack, wage: int, on: date) -> int:
    """What the law lets the employer keep from a monthly wage, in whole rupiah: the only standing deduction."""
    return _share(pack, wage, on, "worker")


def _share(pack: Pack, wage: int, on: date, who: str) -> int:
    total: int = sum(min(wage, part.cap if part.cap is not None else wage) * getattr(part, who) for part in contributions(pack, on))
    return (total + BP // 2) // BP


def loaded_cost(pack: Pack, wage: int, on: date) -> int:
    """Least cost of one seat-month that pays this wage lawfully: wage, contributions, THR/12 and compensation/12; no fee, no PPN."""
    parts = wage * BP + sum(min(wage, p.cap if p.cap is not None else wage) * p.employer for p in contributions(pack, on))
    thr, compensation = int(_read(pack, "thr_months", on)), int(_read(pack, "compensation_months", on))
    exact: int = parts * 144 + wage * BP * 12 * (thr + compensation)
    return round(exact / (BP * 144))


def least_price(pack: Pack, wage: int, on: date) -> int:
    """Price per seat-month that covers `loaded_cost`, the assumed fee and PPN."""
    fee, ppn = int(_read(pack, "fee_bp", on)), int(_read(pack, "ppn_bp", on))
    return round(loaded_cost(pack, wage, on) * (BP + fee) * (BP + ppn) / (BP * BP))


def price_ceiling(pack: Pack, wage: int, on: date) -> int:
    """A price above this share of the least price is a finding (the gap between what is paid and what reaches the worker)."""
    return least_price(pack, wage, on) * int(_read(pack, "price_ceiling_bp", on)) // BP


def answer_days(pack: Pack, on: date) -> int:
    """Days a person has to answer an offer."""
    return int(_read(pack, "answer_days", on))


def reminder_days(pack: Pack, on: date) -> int:
    """Days before the term on which the person is reminded."""
    return int(_read(pack, "reminder_days", on))


def refusal_grounds(pack: Pack, on: date) -> tuple[str, ...]:
    """The only grounds on which a vendor may refuse a person."""
    found: tuple[str, ...] = _read(pack, "refusal_grounds", on)
    return found


def release_required(pack: Pack, on: date) -> bool:
    """Whether a contract may be signed only with the quarter's fund release (SPD)."""
    return bool(_read(pack, "release_required", on))


def appointment_bar(pack: Pack, on: date) -> date:
    """New non-ASN appointments dated on or after this day are refused (UU 20/2023 Pasal 66)."""
    found: date = _read(pack, "appointment_bar", on)
    return found


def vendor_documents(pack: Pack, on: date) -> tuple[Document, ...]:
    """What a vendor must show to be qualified."""
    found: tuple[Document, ...] = _read(pack, "vendor_documents", on)
    return found


def agencies(pack: Pack, on: date) -> Mapping[str, str]:
    """OPD codes and names."""
    found: Mapping[str, str] = _read(pack, "agencies", on)
    return found


def kecamatan(pack: Pack, on: date) -> Mapping[str, str]:
    """Kecamatan codes and names."""
    found: Mapping[str, str] = _read(pack, "kecamatan", on)
    return found


def selection_codes(pack: Pack, on: date) -> Mapping[str, str]:
    """Codes of selection results and what they mean (for officers, never shown to workers)."""
    found: Mapping[str, str] = _read(pack, "selection_codes", on)
    return found


def sending_window(pack: Pack, on: date) -> Window:
    """When people may be written to."""
    found: Window = _read(pack, "sending_window", on)
    return found


def timezone(pack: Pack, on: date) -> ZoneInfo:
    """The region's local time."""
    return ZoneInfo(_read(pack, "timezone", on))


def contact_phone(pack: Pack, on: date) -> str:
    """The human number at the end of every message."""
    return str(_read(pack, "contact_phone", on))

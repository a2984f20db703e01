"""Every key a pack may hold, with the shape of its value. A key that is not here is an error, and so is one of these that is missing."""

from datetime import date
from typing import Any

import msgspec

from .pack import Pack


class Contribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One BPJS programme: shares in basis points of the wage, and the wage above which nothing more is due (whole rupiah)."""

    programme: str
    employer: int
    worker: int
    cap: int | None = None


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A credential a job asks for: any of `classes` (empty: any), usable `grace_days` after its last day."""

    credential: str
    classes: tuple[str, ...] = ()
    grace_days: int = 0


class JobRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job: its family, its KBJI/ISCO-08 code, whether outsourcing it has a legal basis, what it asks for, and the age limit."""

    name: str
    family: str
    isco: str
    legal: bool
    basis: str
    credentials: tuple[Need, ...] = ()
    age_limit: int | None = None


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence a vendor must show, for all jobs or (with `jobs`) for contracts of these jobs only."""

    document: str
    article: str
    jobs: tuple[str, ...] = ()


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Local hours in which people may be written to, and the pause of the Friday prayer (`HH:MM`)."""

    opens: str
    closes: str
    friday_from: str
    friday_until: str


KEYS: dict[str, Any] = {
    "agencies": dict[str, str],
    "answer_days": int,
    "appointment_bar": date,
    "commuting_limit_km": int,
    "contact_phone": str,
    "contributions": tuple[Contribution, ...],
    "compensation_months": int,
    "distances": dict[str, int],
    "fee_bp": int,
    "jobs": dict[str, JobRule],
    "kecamatan": dict[str, str],
    "ppn_bp": int,
    "price_ceiling_bp": int,
    "priority": tuple[str, ...],
    "refusal_grounds": tuple[str, ...],
    "release_required": bool,
    "reminder_days": int,
    "selection_codes": dict[str, str],
    "sending_window": Window,
    "thr_months": int,
    "timezone": str,
    "vendor_documents": tuple[Document, ...],
    "vulnerable_class": bool,
    "wage_floor": int,
}


def read(key: str, value: Any) -> Any:
    """A value as the type its key promises. Raises `ValueError` when it has another shape."""
    try:
        return msgspec.convert(value, KEYS[key], strict=True)
    except msgspec.MsgspecError as wrong:
        raise ValueError(f"{key}: {wrong}") from None


def check(pack: Pack) -> None:
    """Raise `ValueError` unless every key is known, none is missing, and every value has its shape."""
    unknown = sorted(set(pack.figures) - set(KEYS))
    missing = sorted(set(KEYS) - set(pack.figures))
    if unknown or missing:
        raise ValueError(f"{pack.region}: unknown keys {unknown}, missing keys {missing}")
    for key, figures in pack.figures.items():
        for figure in figures:
            read(key, msgspec.to_builtins(figure.value))

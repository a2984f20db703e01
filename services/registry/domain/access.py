"""For what an identity may be opened, and what is shown for it."""

from shared.errors import Forbidden, Invalid

PURPOSES = frozenset({"work_agreement", "payroll", "bpjs", "desk", "case", "correction", "audit"})
NIK_PURPOSES = frozenset({"work_agreement", "payroll", "bpjs"})
VENDOR_PURPOSES = frozenset({"work_agreement", "payroll", "bpjs"})
MOST = 500
CHANNELS = frozenset({"desk", "letter", "mail", "phone", "link"})
GROUNDS = frozenset({"request", "court", "mistake"})


def check_purpose(purpose: str, *, vendor: bool = False) -> str:
    """The purpose, when it is one; vendors have fewer. Raises `Invalid` or `Forbidden`."""
    if purpose not in PURPOSES:
        raise Invalid([("purpose", "unknown-purpose", "say for which purpose the identity is opened")])
    if vendor and purpose not in VENDOR_PURPOSES:
        raise Forbidden("purpose-not-yours", "a vendor opens identities for agreements, payroll and insurance only")
    return purpose


def shows_nik(purpose: str) -> bool:
    """Whether the NIK is needed for the purpose; a name is enough for the others."""
    return purpose in NIK_PURPOSES

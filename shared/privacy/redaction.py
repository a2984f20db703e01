"""Striking out: what may be shown of a personal value, and what is removed from free text before it is stored or logged."""

import re

_TOKEN = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*")
_LINK = re.compile(r"(/a/)[\w-]{20,}")
_MAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.[^\s@<>\"'(),;:]+")
_NUMBER = re.compile(r"(?<![\w-])\+?\d(?:[ .\-()/]{0,2}\d){8,}(?![\w-])")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.+Z-]*)?")
_NIK = re.compile(r"(?<![\w-])(?:\d[ -]?){15}\d(?![\w-])")
# Document numbers have slashes; what stands behind one is no telephone.
_PHONE = re.compile(r"(?<![\w/-])(?:\+62|0)[ -]?8(?:[ -]?\d){7,11}(?![\w-])")


def personal(text: str) -> bool:
    """Whether the text holds a NIK, a mobile number or a mail address. Names are not told from other words."""
    return bool(_NIK.search(text) or _PHONE.search(text) or _MAIL.search(text))


def redact(text: str) -> str:
    """The text without tokens, answer links, mail addresses and numbers of nine or more digits (NIK, phone, account)."""
    text = _TOKEN.sub("[token]", text)
    text = _LINK.sub(r"\1[token]", text)
    text = _MAIL.sub("[mail]", text)
    return _NUMBER.sub(lambda found: found[0] if _DATE_TIME.fullmatch(found[0].strip()) else "[number]", text)


def mask_nik(nik: str) -> str:
    """What an officer's screen may show: the last four digits."""
    return "*" * max(len(nik) - 4, 0) + nik[-4:] if len(nik) == 16 else "*" * 16


def mask_email(email: str) -> str:
    """`b***@example.org`: enough to recognise one's own, not enough to write to."""
    name, at, host = email.partition("@")
    return f"{name[:1]}***@{host}" if at else "***" if email else ""


def mask_phone(phone: str) -> str:
    """The last three digits."""
    return f"***{phone[-3:]}" if len(phone) >= 6 else "***" if phone else ""

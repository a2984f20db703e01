"""Personal data: how it is shaped, sealed, found again, handed over, struck out and destroyed. Only vaults hold it."""

from .boxes import BoxKeys, new_pair, seal
from .contact import Contact
from .index import BlindIndex, content_mac
from .keyring import KeyRing
from .nik import BadNik, Nik
from .redaction import mask_email, mask_nik, mask_phone, redact
from .vault import PersonKey, Unreadable, Vault

__all__ = [
    "BadNik",
    "BlindIndex",
    "BoxKeys",
    "Contact",
    "KeyRing",
    "Nik",
    "PersonKey",
    "Unreadable",
    "Vault",
    "content_mac",
    "mask_email",
    "mask_nik",
    "mask_phone",
    "new_pair",
    "redact",
    "seal",
]

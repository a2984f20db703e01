"""Sealing at rest: AES-256-GCM, one key per person, wrapped by a key-encryption key (KEK).

Destroying the wrapped key of a person destroys everything sealed with it, in backups too. A ciphertext is bound to its
person and its field: moved to another row or column it does not open.

Layout of a sealed value: 1 byte format, 12 bytes nonce, ciphertext with tag. Of a wrapped key: 1 byte format, 1 byte length
of the KEK's id, the id, 12 bytes nonce, ciphertext with tag.
"""

import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .keyring import KeyRing

FORMAT = b"\x01"
NONCE = 12
TAG = 16


class Unreadable(Exception):
    """A sealed value does not open: another key, another person or field, or it was changed."""


class PersonKey:
    """The opened key of one person."""

    __slots__ = ("_cipher", "_person")

    def __init__(self, person: UUID, key: bytes) -> None:
        self._person = person
        self._cipher = AESGCM(key)

    def seal(self, data: bytes, field: str) -> bytes:
        """Seal a value for one field of this person. Sealing twice gives two different ciphertexts."""
        nonce = secrets.token_bytes(NONCE)
        return FORMAT + nonce + self._cipher.encrypt(nonce, data, _bound(self._person, field))

    def open(self, sealed: bytes, field: str) -> bytes:
        """The value; raises `Unreadable`."""
        if len(sealed) < 1 + NONCE + TAG or sealed[:1] != FORMAT:
            raise Unreadable("not a sealed value")
        try:
            return self._cipher.decrypt(sealed[1 : 1 + NONCE], sealed[1 + NONCE :], _bound(self._person, field))
        except InvalidTag as error:
            raise Unreadable("a sealed value does not open") from error

    def __repr__(self) -> str:
        return "PersonKey(...)"


class Vault:
    """Makes and opens the keys of persons."""

    __slots__ = ("_kek",)

    def __init__(self, kek: KeyRing) -> None:
        self._kek = kek

    def new_key(self, person: UUID) -> tuple[bytes, PersonKey]:
        """A fresh key for a person: wrapped, to be stored beside the person, and opened."""
        key = secrets.token_bytes(32)
        return self._wrap(person, key), PersonKey(person, key)

    def open_key(self, wrapped: bytes, person: UUID) -> PersonKey:
        """The person's key; raises `Unreadable`."""
        return PersonKey(person, self._unwrap(wrapped, person))

    def rewrap(self, wrapped: bytes, person: UUID) -> bytes:
        """The same key under the current KEK; the values sealed with it stay as they are."""
        return self._wrap(person, self._unwrap(wrapped, person))

    def kek_of(self, wrapped: bytes) -> str:
        """The id of the KEK that wraps this key; raises `Unreadable`."""
        return _kek_id(wrapped)[0]

    def _wrap(self, person: UUID, key: bytes) -> bytes:
        name = self._kek.current
        nonce = secrets.token_bytes(NONCE)
        sealed = AESGCM(self._kek.key(name)).encrypt(nonce, key, _bound(person, "key"))
        return FORMAT + bytes([len(name)]) + name.encode() + nonce + sealed

    def _unwrap(self, wrapped: bytes, person: UUID) -> bytes:
        name, rest = _kek_id(wrapped)
        try:
            return AESGCM(self._kek.key(name)).decrypt(rest[:NONCE], rest[NONCE:], _bound(person, "key"))
        except KeyError as error:
            raise Unreadable("the key-encryption key is not in the ring") from error
        except InvalidTag as error:
            raise Unreadable("a wrapped key does not open") from error


def _kek_id(wrapped: bytes) -> tuple[str, bytes]:
    length = wrapped[1] if len(wrapped) > 2 and wrapped[:1] == FORMAT else 0
    if not length or len(wrapped) != 2 + length + NONCE + 32 + TAG:
        raise Unreadable("not a wrapped key")
    return wrapped[2 : 2 + length].decode("ascii", "replace"), wrapped[2 + length :]


def _bound(person: UUID, field: str) -> bytes:
    return b"jembatan:" + person.bytes + field.encode()

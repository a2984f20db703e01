"""Sealing and finding people: what stands between the domain's `Identity` and the bytes in the table."""

import secrets
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import msgspec

from services.registry.domain.people import Identity, name_words, normal_name
from shared.privacy import BlindIndex, Contact, KeyRing, Nik, Vault, content_mac

FIELD = "identity"
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is stored of a person: keyed entries, digests, the wrapped key and one ciphertext."""

    nik_entry: str
    name_entry: str
    words: tuple[str, ...]
    content_mac: str
    contact_mac: str
    wrapped: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Marks:
    """The digests of an identity: enough to see whether anything changed, without sealing. `names`: the entries its name may be
    stored under, the current key's first."""

    names: tuple[str, ...]
    content_mac: str
    contact_mac: str


class Safe:
    """The registry's keys at work. `public` is notify's key, to which contacts are sealed."""

    __slots__ = ("_index_key", "_names", "_niks", "_public", "_vault", "_words")

    def __init__(self, kek: KeyRing, index: KeyRing, public: str) -> None:
        self._vault = Vault(kek)
        self._niks = BlindIndex(index, "nik")
        self._names = BlindIndex(index, "name")
        self._words = BlindIndex(index, "word")
        self._index_key = index.key(index.current)
        self._public = public

    @classmethod
    def parse(cls, kek: str, index_key: str, public: str) -> "Safe":
        """From the settings' texts. Raises `ValueError` that shows no key."""
        return cls(KeyRing.parse(kek), KeyRing.parse(index_key), public)

    def nik_entry(self, nik: str) -> str:
        """The index entry under which a NIK is stored."""
        return self._niks.of(nik)

    def nik_candidates(self, nik: str) -> tuple[str, ...]:
        """The entries a NIK may be stored under, the current key's first."""
        return self._niks.candidates(nik)

    def word_candidates(self, name: str) -> list[list[str]]:
        """For each word of a searched name: the entries it may be stored under."""
        return [list(self._words.candidates(word)) for word in name_words(name)]

    def marks(self, identity: Identity) -> Marks:
        """The digests of an identity."""
        i, key = identity, self._index_key
        return Marks(
            self._names.candidates(normal_name(i.name)),
            content_mac(key, "identity", i.nik, i.name, i.birth_date.isoformat(), i.address_form, i.email, i.phone),
            content_mac(key, "contact", i.name, i.address_form, i.email, i.phone),
        )

    def seal(self, person_id: UUID, identity: Identity, marks: Marks, wrapped: bytes | None = None) -> Sealed:
        """Seal under the person's key, or under a fresh one."""
        if wrapped is None:
            wrapped, key = self._vault.new_key(person_id)
        else:
            key = self._vault.open_key(wrapped, person_id)
        i = identity
        text = _ENCODER.encode((i.nik, i.name, i.birth_date, i.address_form, i.email, i.phone))
        words = tuple(self._words.of(word) for word in name_words(i.name))
        return Sealed(self.nik_entry(i.nik), marks.names[0], words, marks.content_mac, marks.contact_mac, wrapped, key.seal(text, FIELD))

    def open(self, person_id: UUID, wrapped: bytes, sealed: bytes) -> Identity:
        """The identity. Raises `Unreadable`."""
        nik, name, born, form, email, phone = msgspec.json.decode(
            self._vault.open_key(wrapped, person_id).open(sealed, FIELD), type=tuple[str, str, date, str, str, str]
        )
        return Identity(nik, name, born, form, email, phone)

    def contact(self, worker_id: UUID, worker_number: str, identity: Identity) -> str:
        """How notify reaches the person, in a box that only notify opens."""
        found = Contact(
            name=identity.name,
            address_form=identity.address_form,
            email=identity.email,
            phone=identity.phone,
            worker_number=worker_number,
        )
        return found.seal(self._public, worker_id)

    def new_file_key(self, import_id: UUID) -> bytes:
        """A fresh wrapped key for the rejected rows of one file."""
        return self._vault.new_key(import_id)[0]

    def seal_rows(self, import_id: UUID, wrapped: bytes, rows: list[tuple[int, bytes]]) -> list[bytes]:
        """Rejected rows by line, sealed."""
        key = self._vault.open_key(wrapped, import_id)
        return [key.seal(raw, f"row:{line}") for line, raw in rows]

    def open_rows(self, import_id: UUID, wrapped: bytes, rows: list[tuple[int, bytes]]) -> list[bytes]:
        """Rejected rows by line, opened."""
        key = self._vault.open_key(wrapped, import_id)
        return [key.open(sealed, f"row:{line}") for line, sealed in rows]

    def __repr__(self) -> str:
        return "Safe(...)"


def read_nik(text: str) -> str:
    """The 16 digits of a NIK as people type it. Raises `ValueError`, never with the number."""
    return Nik.parse(text).reveal()


def random_number() -> int:
    """Eleven random digits for a worker number."""
    return secrets.randbelow(10**11)

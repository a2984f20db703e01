"""Sealing, finding, and changing the keys."""

import base64
from datetime import date
from uuid import UUID

import pytest

from services.registry.domain.people import Identity
from services.registry.store.vault import Safe, read_nik
from shared.privacy import BoxKeys, Contact, Unreadable, new_pair

PRIVATE, PUBLIC = new_pair()
MELATI = Identity("1374014506800001", "Melati Gunung", date(1980, 6, 5), "Ibu", "melati@contoh.invalid", "080012345678")
ONE, OTHER = UUID(int=1), UUID(int=2)


def key(number: int) -> str:
    """A key of 32 equal bytes."""
    return base64.urlsafe_b64encode(bytes([number]) * 32).decode()


def safe(kek: str = f"k1:{key(1)}", index: str = f"k1:{key(2)}") -> Safe:
    """The registry's keys."""
    return Safe.parse(kek, index, PUBLIC)


def test_what_is_sealed_opens_as_it_was_and_only_as_this_persons() -> None:
    s = safe()
    kept = s.seal(ONE, MELATI, s.marks(MELATI))
    assert s.open(ONE, kept.wrapped, kept.sealed) == MELATI
    assert MELATI.nik.encode() not in kept.sealed and b"Melati" not in kept.sealed
    with pytest.raises(Unreadable):
        s.open(OTHER, kept.wrapped, kept.sealed)


def test_a_person_is_found_under_the_old_key_while_keys_are_changed() -> None:
    before, after = safe(), safe(f"k2:{key(3)},k1:{key(1)}", f"k2:{key(4)},k1:{key(2)}")
    kept = before.seal(ONE, MELATI, before.marks(MELATI))
    assert kept.nik_entry in after.nik_candidates(MELATI.nik) and kept.nik_entry != after.nik_entry(MELATI.nik)
    assert kept.name_entry in after.marks(MELATI).names
    assert after.open(ONE, kept.wrapped, kept.sealed) == MELATI
    again = after.seal(ONE, MELATI, after.marks(MELATI), kept.wrapped)
    assert again.nik_entry == after.nik_entry(MELATI.nik)
    assert after.open(ONE, again.wrapped, again.sealed) == MELATI


def test_marks_tell_a_contact_from_the_rest() -> None:
    s, moved = safe(), Identity(**{**{f: getattr(MELATI, f) for f in MELATI.__slots__}, "birth_date": date(1981, 6, 5)})
    assert s.marks(MELATI).contact_mac == s.marks(moved).contact_mac
    assert s.marks(MELATI).content_mac != s.marks(moved).content_mac


def test_a_contact_opens_at_the_front_desk_only_and_as_this_workers() -> None:
    box = safe().contact(ONE, "000000000019", MELATI)
    found = Contact.open(BoxKeys.parse(PRIVATE), box, ONE)
    assert (found.name, found.email, found.worker_number) == (MELATI.name, MELATI.email, "000000000019")
    with pytest.raises(Unreadable):
        Contact.open(BoxKeys.parse(PRIVATE), box, OTHER)


def test_rejected_rows_open_at_their_own_line_only() -> None:
    s = safe()
    wrapped = s.new_file_key(ONE)
    (sealed,) = s.seal_rows(ONE, wrapped, [(7, b"1374,Melati")])
    assert s.open_rows(ONE, wrapped, [(7, sealed)]) == [b"1374,Melati"]
    with pytest.raises(Unreadable):
        s.open_rows(ONE, wrapped, [(8, sealed)])


def test_a_nik_is_read_as_people_type_it_and_its_error_shows_nothing() -> None:
    assert read_nik("1374 0145-0680.0001") == MELATI.nik
    with pytest.raises(ValueError, match=r"^[a-z]+$") as wrong:
        read_nik("1374014506800000")
    assert "1374" not in str(wrong.value)

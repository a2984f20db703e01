"""Sealed at rest and handed over: opens for whom it should, for nobody else, and not after a change of one bit."""

import base64
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.privacy import BlindIndex, BoxKeys, Contact, KeyRing, Unreadable, Vault, content_mac, new_pair, seal

ONE, TWO = UUID(int=1), UUID(int=2)
OLD, NEW = bytes(range(32)), bytes(range(1, 33))
steady = settings(derandomize=True, deadline=None, max_examples=50)


@steady
@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_sealed_opens_again(data: bytes, field: str) -> None:
    vault = Vault(KeyRing({"k1": OLD}))
    wrapped, key = vault.new_key(ONE)
    assert vault.open_key(wrapped, ONE).open(key.seal(data, field), field) == data


def test_sealing_twice_differs_and_shows_nothing() -> None:
    _, key = Vault(KeyRing({"k1": OLD})).new_key(ONE)
    first, second = key.seal(b"1374012345670001", "nik"), key.seal(b"1374012345670001", "nik")
    assert first != second
    assert b"1374" not in first


def test_a_value_moved_to_another_field_or_person_does_not_open() -> None:
    vault = Vault(KeyRing({"k1": OLD}))
    wrapped, key = vault.new_key(ONE)
    sealed = key.seal(b"x", "nik")
    with pytest.raises(Unreadable):
        key.open(sealed, "name")
    with pytest.raises(Unreadable):
        vault.new_key(TWO)[1].open(sealed, "nik")
    with pytest.raises(Unreadable):
        vault.open_key(wrapped, TWO)


@steady
@given(st.integers(0, 35 * 8 - 1))
def test_one_changed_bit_is_noticed(place: int) -> None:
    vault = Vault(KeyRing({"k1": OLD}))
    wrapped, key = vault.new_key(ONE)
    with pytest.raises(Unreadable):
        key.open(_flipped(key.seal(b"secret", "f"), place), "f")
    with pytest.raises(Unreadable):
        vault.open_key(_flipped(wrapped, place), ONE)


def _flipped(value: bytes, place: int) -> bytes:
    changed = bytearray(value)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


@pytest.mark.parametrize("junk", [b"", b"\x01", b"\x02" * 60, b"\x01\x00" + b"0" * 60, b"\x01\xff" + b"0" * 80])
def test_junk_is_unreadable(junk: bytes) -> None:
    vault = Vault(KeyRing({"k1": OLD}))
    with pytest.raises(Unreadable):
        vault.open_key(junk, ONE)
    with pytest.raises(Unreadable):
        vault.new_key(ONE)[1].open(junk, "f")


def test_the_kek_is_changed_without_touching_what_is_sealed() -> None:
    wrapped, key = Vault(KeyRing({"k1": OLD})).new_key(ONE)
    sealed = key.seal(b"x", "f")
    both = Vault(KeyRing({"k2": NEW, "k1": OLD}))
    again = both.rewrap(wrapped, ONE)
    assert (both.kek_of(wrapped), both.kek_of(again)) == ("k1", "k2")
    assert Vault(KeyRing({"k2": NEW})).open_key(again, ONE).open(sealed, "f") == b"x"
    with pytest.raises(Unreadable):
        Vault(KeyRing({"k2": NEW})).open_key(wrapped, ONE)


def test_key_rings_are_read_from_settings_and_never_shown() -> None:
    text = "a" * 43
    assert KeyRing.parse(text).ids == ("k1",)
    assert KeyRing.parse(f"k2:{text}, k1:{'b' * 43}").ids == ("k2", "k1")
    assert text not in repr(KeyRing.parse(text))
    for wrong in ("", "k1:short", f"K!:{text}", f"k1:{text},k1:{text}", f"{text},{text}"):
        with pytest.raises(ValueError) as caught:
            KeyRing.parse(wrong)
        assert text not in str(caught.value)


def test_the_blind_index_finds_across_key_versions_and_differs_by_purpose() -> None:
    before = BlindIndex(KeyRing({"k1": OLD}), "nik")
    after = BlindIndex(KeyRing({"k2": NEW, "k1": OLD}), "nik")
    assert before.of("1374012345670001") in after.candidates("1374012345670001")
    assert after.is_current(after.of("x")) and not after.is_current(before.of("x"))
    assert before.of("x") != BlindIndex(KeyRing({"k1": OLD}), "phone").of("x")
    assert before.of("x") != before.of("y")
    assert "1374" not in before.of("1374012345670001")


def test_the_content_mac_tells_parts_apart() -> None:
    assert content_mac(OLD, "ab", "c") == content_mac(OLD, "ab", "c")
    assert content_mac(OLD, "ab", "c") != content_mac(OLD, "a", "bc")
    assert content_mac(OLD, "a") != content_mac(NEW, "a")


@steady
@given(st.binary(max_size=300), st.text(max_size=20))
def test_a_box_opens_with_the_private_key(data: bytes, context: str) -> None:
    private, public = new_pair()
    keys = BoxKeys.parse(private)
    assert keys.public == public
    assert keys.open(seal(public, data, context), context) == data


def test_a_box_opens_for_nobody_else_and_only_in_its_context() -> None:
    private, public = new_pair()
    box = seal(public, b"x", "contact:1")
    with pytest.raises(Unreadable):
        BoxKeys.parse(private).open(box, "contact:2")
    with pytest.raises(Unreadable):
        BoxKeys.parse(new_pair()[0]).open(box, "contact:1")
    # An older private key still opens.
    assert BoxKeys.parse(f"{new_pair()[0]},{private}").open(box, "contact:1") == b"x"


@steady
@given(st.integers(0, 60 * 8 - 1))
def test_a_changed_box_does_not_open(place: int) -> None:
    private, public = new_pair()
    raw = bytearray(base64.urlsafe_b64decode(seal(public, b"secret!", "c")))
    assert len(raw) == 60
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(Unreadable):
        BoxKeys.parse(private).open(base64.urlsafe_b64encode(raw).decode(), "c")


@pytest.mark.parametrize("junk", ["", "A", "é", "AAAA", "A" * 200, "not base64!", "AQ" + "A" * 100])
def test_junk_is_no_box(junk: str) -> None:
    with pytest.raises(Unreadable):
        BoxKeys.parse(new_pair()[0]).open(junk)


def test_a_contact_travels_sealed_and_its_length_tells_little() -> None:
    private, public = new_pair()
    short = Contact(name="Adi", address_form="Bapak")
    longer = Contact(name="Yeni Marlina Putri", address_form="Ibu", email="yeni@example.org", phone="+628120000001")
    box = longer.seal(public, ONE)
    assert Contact.open(BoxKeys.parse(private), box, ONE) == longer
    assert len(short.seal(public, ONE)) <= len(box) <= len(short.seal(public, ONE)) + 171
    assert "Yeni" not in repr(longer) and "Yeni" not in str(longer)
    with pytest.raises(Unreadable):
        Contact.open(BoxKeys.parse(private), box, TWO)
    with pytest.raises(Unreadable):
        Contact.decode(b"{}")

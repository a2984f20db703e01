"""Files by the piece: the same lines however they are cut, and one bad line harms no other."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain import text
from services.registry.domain.text import Header, Lines

steady = settings(derandomize=True, deadline=None)


def cut(pieces: list[bytes]) -> list[tuple[int, bytes]]:
    """All lines of a file that comes in these pieces."""
    lines = Lines()
    found = [one for piece in pieces for one in lines.feed(piece)]
    return found + list(lines.rest())


@steady
@given(st.lists(st.binary(max_size=20).map(lambda raw: raw.replace(b"\n", b"")), max_size=20), st.lists(st.integers(0, 400), max_size=6))
def test_lines_do_not_depend_on_where_the_file_is_cut(rows: list[bytes], cuts: list[int]) -> None:
    whole = b"\n".join(rows)
    places = sorted({place for place in cuts if place < len(whole)} | {0, len(whole)})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]
    assert cut(pieces) == cut([whole])
    assert [line for _, line in cut([whole])] == [row.removesuffix(b"\r") for row in rows if row.strip()]


def test_a_line_without_end_is_cut_and_does_not_fill_the_memory() -> None:
    found = cut([b"a" * 50_000] * 4)
    assert max(len(line) for _, line in found) <= text.LONGEST_LINE + 50_000 and len(found) > 1


def test_a_header_may_have_a_bom_capitals_and_semicolons() -> None:
    assert text.header(b"\xef\xbb\xbfNIK;Nama Lengkap;reason") == Header(("nik", "nama lengkap", "reason"), ";")
    assert text.header(b"nik,nik").code == "bad_row"
    assert text.header(b"\xff\xfe").code == "bad_encoding"


def test_a_bad_line_carries_its_code_and_its_neighbours_are_read() -> None:
    head = text.header(b"a,b")
    rows = [(2, b'"x, y",z'), (3, b'"open,z'), (4, b"1,2,3"), (5, b"\xff,1"), (6, b"1,\x00"), (7, b" 1 ,2"), (8, b'""')]
    found = text.read(rows, head)
    assert [line.cells for line in found] == [("x, y", "z"), None, None, None, None, ("1", "2"), None]
    assert [line.code for line in found] == ["", "bad_row", "bad_row", "bad_encoding", "bad_encoding", "", "bad_row"]


@steady
@given(st.lists(st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")), max_size=10))
def test_any_bytes_are_cells_or_a_code(rows: list[bytes]) -> None:
    for line in text.read(list(enumerate(rows, start=2)), Header(("a", "b"), ",")):
        assert (line.cells is None) == bool(line.code)
        assert line.cells is None or len(line.cells) == 2

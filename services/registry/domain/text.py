"""A CSV file as it comes in: bytes by the piece, one record per line, so that one bad line never harms its neighbours."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BOM = b"\xef\xbb\xbf"
LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One record: its number in the file (the header is 1), its bytes, its cells; no cells and a code when unreadable."""

    number: int
    raw: bytes
    cells: tuple[str, ...] | None
    code: str = ""


@dataclass(slots=True)
class Lines:
    """Cuts pieces of a file into numbered lines; call `feed` with each piece, `rest` at the end."""

    number: int = 0
    _left: bytes = b""

    def feed(self, piece: bytes) -> Iterator[tuple[int, bytes]]:
        """The lines that are complete with this piece, without their line ends; empty lines are counted and left out."""
        parts = (self._left + piece).split(b"\n")
        self._left = parts.pop()
        if len(self._left) > LONGEST_LINE:
            # A line without an end must not fill the memory: cut it, the row is rejected as unreadable.
            parts.append(self._left)
            self._left = b""
        for part in parts:
            self.number += 1
            line = part.removesuffix(b"\r")
            if line.strip():
                yield self.number, line

    def rest(self) -> Iterator[tuple[int, bytes]]:
        """The last line, when the file does not end with a line end."""
        left, self._left = self._left, b""
        if left.strip():
            self.number += 1
            yield self.number, left.removesuffix(b"\r")


@dataclass(frozen=True, slots=True)
class Header:
    """The columns in the file's order and what separates them; `code` when the line is no header."""

    columns: tuple[str, ...] = ()
    delimiter: str = ","
    code: str = ""
    doubled: str = ""


def header(raw: bytes) -> Header:
    """Read the header line. Names are taken in lower case; `;` counts as the separator when there are more of them."""
    try:
        text = raw.removeprefix(BOM).decode()
    except UnicodeDecodeError:
        return Header(code="bad_encoding")
    if "\x00" in text:
        return Header(code="bad_encoding")
    delimiter = ";" if text.count(";") > text.count(",") else ","
    cells = _cells(text, delimiter)
    if cells is None:
        return Header(code="bad_row")
    columns = tuple(cell.casefold() for cell in cells)
    doubled = next((column for column in columns if columns.count(column) > 1 and column), "")
    return Header(columns, delimiter, "bad_row" if doubled else "", doubled)


def read(lines: Sequence[tuple[int, bytes]], head: Header) -> list[Line]:
    """The records of the lines. Those that are not UTF-8, or have another number of cells than the header, carry a code."""
    width, found = len(head.columns), []
    for number, raw in lines:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            found.append(Line(number, raw, None, "bad_encoding"))
            continue
        if "\x00" in text:
            found.append(Line(number, raw, None, "bad_encoding"))
            continue
        cells = _cells(text, head.delimiter) if '"' in text or "\r" in text else tuple(map(str.strip, text.split(head.delimiter)))
        if cells is None or len(cells) != width:
            found.append(Line(number, raw, None, "bad_row"))
        else:
            found.append(Line(number, raw, cells))
    return found


def _cells(text: str, delimiter: str) -> tuple[str, ...] | None:
    if len(text) > LONGEST_LINE:
        return None
    try:
        records = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return tuple(cell.strip() for cell in records[0]) if len(records) == 1 else None

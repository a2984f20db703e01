"""NIK (nomor induk kependudukan): 16 digits = 6 of the region of first registration, DDMMYY (day + 40 for women), 4 serial.

There is no check digit, and the region is where the person was first registered: the shape is validated, the region never.
"""

import re
from calendar import monthrange
from datetime import date
from typing import Self

_DECORATION = re.compile(r"[\s.\-'`’‘\u200b\ufeff\u00a0]+")
_SHAPE = re.compile(r"[0-9]{16}")


class BadNik(ValueError):
    """Not a NIK. `advice` is a stable code: what is wrong with it, never the number."""

    def __init__(self, advice: str) -> None:
        super().__init__(advice)
        self.advice = advice


class Nik:
    """A well-formed NIK. Its text is reached by `.reveal()` only: str and repr are masked."""

    __slots__ = ("_digits",)

    def __init__(self, digits: str) -> None:
        """Exactly 16 digits of the right shape; raises `BadNik` with length, letters, exponent, date or serial."""
        _check(digits)
        self._digits = digits

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what people type and spreadsheets make of it: spaces, dots, hyphens and a leading apostrophe are dropped."""
        return cls(_DECORATION.sub("", text))

    def reveal(self) -> str:
        """The 16 digits. For sealing, indexing and comparing only."""
        return self._digits

    def fits_birth_date(self, born: date) -> bool:
        """Whether day, month and year are those of the number (for men or women)."""
        return self._digits[6:12] in {f"{born.day + more:02}{born:%m%y}" for more in (0, 40)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nik) and other._digits == self._digits

    def __hash__(self) -> int:
        return hash(self._digits)

    def __repr__(self) -> str:
        return "Nik(...)"

    def __str__(self) -> str:
        return "*" * 16


def _check(digits: str) -> None:
    if re.fullmatch(r"[0-9][0-9.,]*[eE]\+?[0-9]+", digits):
        raise BadNik("exponent")
    if not digits.isascii() or not digits.isdigit():
        raise BadNik("letters")
    if not _SHAPE.fullmatch(digits):
        raise BadNik("length")
    if digits[:2] == "00":
        raise BadNik("shape")
    day, month, year = int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    day -= 40 if day > 40 else 0
    # Two digits of a year are of this century or the last: the day must exist in one of them.
    if not 1 <= month <= 12 or not 1 <= day <= max(monthrange(century + year, month)[1] for century in (1900, 2000)):
        raise BadNik("date")
    if digits[12:] == "0000":
        raise BadNik("serial")

"""Days and instants from a query: with a time zone, and within the years for which anything can be known."""

from datetime import date, datetime

from shared.errors import Invalid

YEARS = range(1900, 2200)


def moment(field: str, value: datetime | None) -> datetime | None:
    """The instant as given. Raises `Invalid` without a time zone, or outside the years 1900 to 2199."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise Invalid([(field, "no-zone", "must say its time zone")])
    if value.year not in YEARS:
        raise Invalid([(field, "out-of-range", "is not a year anything is known of")])
    return value


def day(field: str, value: date | None) -> date | None:
    """The day as given. Raises `Invalid` outside the years 1900 to 2199."""
    if value is not None and value.year not in YEARS:
        raise Invalid([(field, "out-of-range", "is not a year anything is known of")])
    return value

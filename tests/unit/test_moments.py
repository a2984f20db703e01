"""Days and instants at the edges of time are a client's error, not a server's."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from shared.errors import Invalid
from shared.http import day, moment


@pytest.mark.parametrize(
    "value", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(timedelta(hours=-7))), datetime(2026, 1, 1)]
)
def test_an_instant_nobody_can_mean_is_invalid(value: datetime) -> None:
    with pytest.raises(Invalid):
        moment("known_at", value)


@pytest.mark.parametrize("value", [date.min, date.max])
def test_a_day_nobody_can_mean_is_invalid(value: date) -> None:
    with pytest.raises(Invalid):
        day("on", value)


def test_what_is_meant_passes() -> None:
    now = datetime(2026, 1, 2, 3, tzinfo=UTC)
    assert moment("as_of", now) is now and moment("as_of", None) is None
    assert day("on", date(2026, 1, 2)) == date(2026, 1, 2) and day("on", None) is None

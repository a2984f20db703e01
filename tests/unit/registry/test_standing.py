"""One column for everybody, by precedence; the balance adds up; the same facts, another verdict on another day."""

from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain import profiles, records, scheme, standing
from services.registry.domain.people import Profile
from services.registry.domain.standing import Column, Present, column
from shared.errors import Forbidden, Invalid
from shared.events.registry import WorkerExited, WorkerLaidOff, WorkerLeft, WorkerProposed, WorkerRecalled
from shared.ids import new_id
from shared.regulation.sources import build

DAY = date(2026, 1, 5)
NOW = datetime(2026, 1, 5, tzinfo=UTC)
steady = settings(derandomize=True, deadline=None)
presents = st.builds(
    Present,
    exit=st.sampled_from(["", "asn", "paruh_waktu"]),
    leaving=st.sampled_from(["", "died", "retired"]),
    proposal=st.sampled_from(["", "paruh_waktu", "withdrawn"]),
    service=st.sampled_from(["", "laid_off", "recalled"]),
    trace=st.sampled_from(["", "untraced", "found"]),
    gone=st.sampled_from(["", "erased", "merged"]),
    ended=st.booleans(),
)


@pytest.mark.parametrize(
    ("present", "where"),
    [
        (Present(), Column("serving")),
        (Present(service="laid_off"), Column("pool", "laid_off")),
        (Present(service="recalled"), Column("serving")),
        (Present(ended=True), Column("pool", "service_ended")),
        (Present(trace="untraced"), Column("pool", "untraced")),
        (Present(trace="found"), Column("serving")),
        (Present(proposal="paruh_waktu"), Column("proposed", "paruh_waktu")),
        (Present(proposal="paruh_waktu", service="laid_off"), Column("proposed", "paruh_waktu")),
        (Present(proposal="withdrawn", service="laid_off"), Column("pool", "laid_off")),
        (Present(leaving="died", proposal="paruh_waktu"), Column("left", "died")),
        (Present(exit="asn", leaving="died"), Column("asn")),
        (Present(exit="paruh_waktu"), Column("paruh_waktu")),
        (Present(gone="erased", exit="asn"), Column("gone", "erased")),
    ],
)
def test_the_column_follows_the_precedence_of_the_balance(present: Present, where: Column) -> None:
    assert column(present) == where


@steady
@given(st.lists(st.tuples(presents, st.integers(1, 50)), max_size=30))
def test_a_balance_loses_nobody_and_counts_nobody_twice(groups: list[tuple[Present, int]]) -> None:
    people = sum(number for present, number in groups if present.gone != "merged")
    found = standing.balance("13.74", DAY, NOW, people, groups)
    assert found.difference == 0 and found.people == people
    assert found.proposed <= found.pool and found.untraced <= found.pool
    assert standing.balance("13.74", DAY, NOW, people + 1, groups).difference == 1
    assert standing.balance("13.74", DAY, NOW, None, groups).opening_typed is False


@steady
@given(presents, st.dates(date(2000, 1, 1), date(2025, 12, 31)))
def test_nobody_of_the_opening_population_is_ineligible_without_having_gone(present: Present, start: date) -> None:
    found = scheme.eligibility(present, start, DAY, date(2023, 10, 31))
    if found.verdict == "ineligible":
        assert present.exit or present.leaving or start >= date(2023, 10, 31)
    assert bool(found.reasons) == (found.verdict != "eligible")


def test_who_cannot_be_reached_is_unknown_and_never_ineligible() -> None:
    found = scheme.eligibility(Present(trace="untraced"), date(2010, 1, 1), DAY, date(2023, 10, 31))
    assert (found.verdict, found.reasons) == ("unknown", ("untraced",))


def test_service_that_began_on_the_bar_is_no_service_of_the_scheme() -> None:
    bar = date(2023, 10, 31)
    assert scheme.eligibility(Present(), date(2023, 10, 30), DAY, bar).verdict == "eligible"
    assert scheme.eligibility(Present(), bar, DAY, bar).reasons == ("appointment_barred",)


def test_the_guards_age_limit_is_the_regions_own() -> None:
    born = date(1970, 6, 15)
    assert scheme.guard_until(build("13.74"), born, DAY) == date(2026, 6, 14)
    assert scheme.guard_until(build("99.01"), born, DAY) == date(2028, 6, 14)


@pytest.mark.parametrize(
    ("topic", "value", "fact"),
    [
        ("service", "laid_off", WorkerLaidOff),
        ("service", "recalled", WorkerRecalled),
        ("proposal", "paruh_waktu", WorkerProposed),
        ("proposal", "withdrawn", WorkerProposed),
        ("exit", "asn", WorkerExited),
        ("leaving", "died", WorkerLeft),
    ],
)
def test_a_standing_is_told_as_its_fact(topic: standing.Topic, value: str, fact: type) -> None:
    one = standing.standing("13.74", new_id(), topic, value, DAY, "800/1", DAY)
    told = standing.fact_of(one)
    assert told is not None and isinstance(told, fact) and told.effective_on == DAY
    assert one == standing.standing("13.74", one.worker_id, topic, value, DAY, "800/1", DAY)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, date(2025, 12, 31), [("off", date(2025, 12, 31))]),
        (date(2025, 6, 30), date(2025, 12, 31), [("on", date(2025, 6, 30)), ("off", date(2025, 12, 31))]),
        (date(2025, 12, 31), date(2025, 6, 30), [("off", date(2025, 6, 30))]),
        (date(2025, 6, 30), None, [("on", date(2025, 6, 30))]),
    ],
)
def test_a_moved_end_of_service_takes_the_old_one_back(old: date | None, new: date | None, told: list[tuple[str, date]]) -> None:
    def profile(end: date | None) -> Profile:
        return Profile("rsud", "cleaning", "13.74.01", date(2012, 3, 1), end, "R3")

    facts = profiles.corrected("13.74", new_id(), profile(old), profile(new), DAY)[1:]
    assert [("off" if isinstance(one, WorkerLaidOff) else "on", one.effective_on) for one in facts] == told


@steady
@given(st.lists(st.dates(date(2020, 1, 1), date(2026, 1, 1)), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_of_several_papers_of_a_kind_the_newest_counts_in_any_order(days: list[date], chance: object) -> None:
    worker = UUID(int=7)
    rows = [
        records.record("credentials", worker, {"credential": "kta", "class_": "", "valid_from": day, "valid_until": None}) for day in days
    ]
    chance.shuffle(rows)  # type: ignore[attr-defined]
    (kept,) = records.newest("credentials", rows).values()
    assert kept["valid_from"] == max(days)


def test_a_purpose_is_named_and_a_vendors_are_fewer() -> None:
    from services.registry.domain import access

    assert access.check_purpose("desk") == "desk"
    with pytest.raises(Invalid):
        access.check_purpose("curiosity")
    with pytest.raises(Forbidden):
        access.check_purpose("desk", vendor=True)
    assert access.shows_nik("work_agreement") and not access.shows_nik("desk")

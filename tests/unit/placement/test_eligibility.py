"""Who may hold which seat on a day."""

from dataclasses import replace
from datetime import date

import msgspec
import pytest

from services.placement.domain import Present, column, pool
from services.placement.domain import rounds as rule
from services.placement.domain.eligibility import Asked, Credential, Job, Person, Place, Rules, edges, fails, in_grace, reason, years
from services.placement.domain.rounds import Round
from shared.errors import Refused
from shared.ids import derived_id

ON = date(2026, 1, 2)
GUARD = Job("guard", True, (Asked("gada_pratama", (), 0), Asked("kta", (), 365)), "guard_until")
RULES = Rules(
    ON,
    {
        "cleaning": Job("cleaning", True, ()),
        "guard": GUARD,
        "driver": Job("driver", True, (Asked("sim", ("A", "BI"), 0),)),
        "technical": Job("technical", False, ()),
    },
    {"a|b": 4, "a|far": 90},
    40,
    ("incumbent", "years", "nearness"),
)
GADA = Credential("gada_pratama", "", date(2020, 1, 1), None)


def person(*families: str, credentials: tuple[Credential, ...] = (), **more: object) -> Person:
    found = Person("p", "rsud", families[0], "a", date(2014, 1, 3), families, credentials)
    return msgspec.structs.replace(found, **more)


def kta(until: date) -> Credential:
    return Credential("kta", "", date(2020, 1, 1), until)


def until(day: date) -> Credential:
    return Credential("guard_until", "", date(2020, 1, 1), day)


@pytest.mark.parametrize(
    ("held", "failing"),
    [
        ((GADA, kta(ON), until(ON)), ()),
        ((GADA, kta(date(2025, 1, 2)), until(ON)), ()),  # the 365th day after the last
        ((GADA, kta(date(2025, 1, 1)), until(ON)), ("no_kta",)),
        ((GADA, kta(ON), until(date(2026, 1, 1))), ("age",)),
        ((kta(ON), until(ON)), ("no_kta",)),
        ((GADA, kta(ON)), ("in_verification",)),
        ((), ("no_kta",)),
    ],
)
def test_a_guard_needs_gada_pratama_and_kta_and_is_under_56(held: tuple[Credential, ...], failing: tuple[str, ...]) -> None:
    assert fails(GUARD, person("guard", credentials=held), ON) == failing


def test_a_kta_that_ran_out_is_tolerated_with_a_term_to_renew() -> None:
    late = person("guard", credentials=(GADA, kta(date(2025, 6, 1)), until(ON)))
    assert in_grace(GUARD, late, ON)
    assert not in_grace(GUARD, person("guard", credentials=(GADA, kta(ON), until(ON))), ON)


def test_the_same_facts_on_another_day_give_another_answer() -> None:
    old = person("guard", credentials=(GADA, kta(date(2027, 1, 1)), until(date(2025, 12, 31))))
    assert fails(GUARD, old, date(2025, 12, 31)) == ()
    assert fails(GUARD, old, date(2026, 1, 1)) == ("age",)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (person("cleaning"), "no_seat"),
        (person("technical"), "no_legal_basis"),
        (person("technical", "cleaning"), "no_seat"),
        (person("driver"), "sim_class"),
        (person("guard"), "no_kta"),
        (person("guard", credentials=(GADA, kta(ON), until(date(2026, 1, 1)))), "age"),
        (person("guard", credentials=(until(date(2026, 1, 1)),)), "age"),
        (person("guard", "driver", credentials=(until(date(2026, 1, 1)),)), "sim_class"),
        (person("teaching"), "no_legal_basis"),
        (person("cleaning", verdict="untraced"), "untraced"),
    ],
)
def test_the_reason_is_the_nearest_curable_one(who: Person, why: str) -> None:
    assert reason(who, RULES) == why


def test_the_list_is_own_family_first_then_own_work_then_near() -> None:
    places = [
        Place("1", "dlh", "cleaning", "b", 3_000_000, 1),
        Place("2", "rsud", "cleaning", "b", 3_000_000, 1),
        Place("3", "dlh", "cleaning", "a", 3_000_000, 1),
        Place("4", "rsud", "driver", "a", 9_000_000, 1),
        Place("5", "dlh", "cleaning", "far", 9_000_000, 1),
        Place("6", "rsud", "technical", "a", 9_000_000, 1),
    ]
    sim = Credential("sim", "BI", date(2020, 1, 1), date(2026, 1, 2))
    found = edges(person("cleaning", "driver", credentials=(sim,)), places, RULES)
    assert [places[e.lot].id for e in found] == ["2", "3", "1", "4"]
    assert [e.incumbent for e in found] == [True, False, False, False]
    assert {e.years for e in found} == {11}


def test_years_of_service_are_whole() -> None:
    assert years(date(2014, 1, 3), ON) == 11
    assert years(date(2014, 1, 2), ON) == 12
    assert years(date(2027, 1, 1), ON) == 0


@pytest.mark.parametrize(
    ("present", "shown"),
    [
        (Present(gone=True, stopped=True), None),
        (Present(), None),
        (Present(course="placed"), None),  # still serving: the registry counts the person
        (Present(stopped=True), ("waiting", "not_asked")),
        (Present(stopped=True, course="placed", refused=True), ("placed", "")),
        (Present(stopped=True, refused=True, proposed=True), ("declined", "")),
        (Present(stopped=True, course="age", proposed=True), ("ineligible", "age")),
        (Present(stopped=True, verdict="ineligible", why="appointment_barred"), ("ineligible", "appointment_barred")),
        (Present(proposed=True, course="no_seat"), ("waiting", "proposed")),
        (Present(verdict="unknown", why="untraced"), ("waiting", "untraced")),
        (Present(stopped=True, verdict="unknown", why="in_verification"), ("waiting", "in_verification")),
        (Present(stopped=True, verdict="eligible", course="no_kta"), ("waiting", "no_kta")),
    ],
)
def test_columns_follow_the_precedence(present: Present, shown: tuple[str, str] | None) -> None:
    found = column(present)
    assert (None if found is None else (found.name, found.reason)) == shown


def test_a_pool_adds_up() -> None:
    groups = [
        (Present(stopped=True, course="placed"), 3),
        (Present(stopped=True), 2),
        (Present(stopped=True, course="age"), 1),
        (Present(), 9),
    ]
    found = pool(groups)
    assert (found.placed, dict(found.waiting), dict(found.ineligible), found.total) == (3, {"not_asked": 2}, {"age": 1}, 6)


def test_four_eyes() -> None:
    held = Round(derived_id("r"), "13.74", 1, "computed", ON, None, "opener", "drawer", "f" * 64)
    assert rule.sign(held, "signer", "f" * 64) == "signed"
    for actor, seen, slug in (("opener", "f" * 64, "round-same-officer"), ("signer", "0" * 64, "run-changed")):
        with pytest.raises(Refused) as refusal:
            rule.sign(held, actor, seen)
        assert refusal.value.slug == slug
    with pytest.raises(Refused):
        rule.draw(replace(held, state="frozen"), "opener")
    assert rule.refill_start(ON, date(2025, 12, 1)) == ON
    assert rule.refill_start(ON, date(2026, 1, 20)) == date(2026, 1, 21)

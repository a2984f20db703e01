"""The front desk's rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify import domain
from services.notify.domain import Answer, Question, QuestionState
from shared.errors import Refused
from shared.regulation import Window

WIB = ZoneInfo("Asia/Jakarta")
WINDOW = Window(opens="07:00", closes="20:00", friday_from="11:30", friday_until="13:30")
ASKED = datetime(2026, 1, 5, 9, tzinfo=WIB)
QUESTION = Question(
    id=UUID(int=1),
    region="13.74",
    agency="dlh",
    worker_id=UUID(int=2),
    matter="offer",
    about=UUID(int=3),
    answer_by=date(2026, 1, 19),
    due=domain.term(date(2026, 1, 19), WIB),
    state=QuestionState.OPEN,
    asked_at=ASKED,
    details={},
)
steady = settings(derandomize=True, deadline=None, max_examples=80)


def says(what: str, at: datetime = ASKED + timedelta(days=1), reasons: tuple[str, ...] = ()) -> Answer:
    return Answer(what, reasons, (), "link", at, at)


def slug(question: Question, given: Answer) -> str:
    with pytest.raises(Refused) as caught:
        domain.answer(question, given, date(2026, 1, 6))
    return caught.value.slug


def test_the_term_is_the_end_of_the_local_day() -> None:
    assert QUESTION.due == datetime(2026, 1, 19, 17, tzinfo=UTC)


@pytest.mark.parametrize("what", ["yes", "no", "no_scheme"])
def test_an_answer_in_time_is_a_fact_with_both_clocks(what: str) -> None:
    changed, fact = domain.answer(QUESTION, says(what), date(2026, 1, 6))
    assert changed.state is QuestionState.ANSWERED
    assert fact is not None
    assert (fact.says, fact.about, fact.question_id, fact.received_at) == (what, QUESTION.about, QUESTION.id, ASKED + timedelta(days=1))


def test_the_last_second_of_the_day_is_in_time_and_the_next_is_late() -> None:
    _, fact = domain.answer(QUESTION, says("yes", QUESTION.due - timedelta(microseconds=1)), date(2026, 1, 19))
    assert fact is not None
    assert slug(QUESTION, says("yes", QUESTION.due)) == "too-late"


def test_the_same_answer_again_changes_nothing_and_another_is_refused() -> None:
    answered, _ = domain.answer(QUESTION, says("yes"), date(2026, 1, 6))
    again, fact = domain.answer(answered, says("yes", QUESTION.due + timedelta(days=9)), date(2026, 2, 1))
    assert again == answered
    assert fact is None
    assert slug(answered, says("no")) == "already-answered"


@pytest.mark.parametrize(("state", "expected"), [(QuestionState.CLOSED, "question-closed"), (QuestionState.WITHDRAWN, "offer-withdrawn")])
def test_an_ended_question_takes_no_answer(state: QuestionState, expected: str) -> None:
    assert slug(replace(QUESTION, state=state), says("yes")) == expected


def test_a_yes_has_no_reasons_and_nonsense_is_no_answer() -> None:
    assert slug(QUESTION, says("yes", reasons=("wage",))) == "bad-answer"
    assert slug(QUESTION, says("maybe")) == "bad-answer"


def test_a_preference_names_each_family_once() -> None:
    given = Answer("families", (), ("cleaning", "guard"), "desk", ASKED, ASKED)
    fact = domain.preference(UUID(int=9), "13.74", UUID(int=2), given, date(2026, 1, 5))
    assert (fact.matter, fact.about, fact.families) == ("preference", UUID(int=2), ("cleaning", "guard"))
    for wrong in ((), ("guard", "guard")):
        with pytest.raises(Refused):
            domain.preference(UUID(int=9), "13.74", UUID(int=2), replace(given, families=wrong), date(2026, 1, 5))


def test_a_question_closes_at_its_term_only_with_evidence() -> None:
    late = QUESTION.due + timedelta(hours=1)
    assert domain.close(QUESTION, late, date(2026, 1, 20)) == (QUESTION, None)
    seen = domain.visited(QUESTION, "visit", date(2026, 1, 10), date(2026, 1, 12), WIB)
    assert domain.close(seen, QUESTION.due - timedelta(seconds=1), date(2026, 1, 19))[1] is None
    closed, fact = domain.close(seen, late, date(2026, 1, 20))
    assert closed.state is QuestionState.CLOSED
    assert fact is not None
    assert (fact.evidence, fact.reached_at.astimezone(WIB).date()) == ("visit", date(2026, 1, 10))


def test_the_first_evidence_stands() -> None:
    once = domain.visited(QUESTION, "visit", date(2026, 1, 10), date(2026, 1, 12), WIB)
    assert domain.visited(once, "slip", date(2026, 1, 11), date(2026, 1, 12), WIB) == once


@pytest.mark.parametrize("on", [date(2026, 1, 4), date(2026, 1, 13)])
def test_a_visit_lies_between_the_question_and_today(on: date) -> None:
    with pytest.raises(Refused) as caught:
        domain.visited(QUESTION, "visit", on, date(2026, 1, 12), WIB)
    assert caught.value.slug == "visit-date"


def test_a_visit_to_somebody_who_answered_is_refused() -> None:
    with pytest.raises(Refused):
        domain.visited(replace(QUESTION, state=QuestionState.ANSWERED), "visit", date(2026, 1, 6), date(2026, 1, 6), WIB)


@pytest.mark.parametrize(
    ("local", "good", "bad"),
    [
        (datetime(2026, 1, 5, 6, 59, tzinfo=WIB), False, False),
        (datetime(2026, 1, 5, 7, 0, tzinfo=WIB), True, True),
        (datetime(2026, 1, 5, 19, 59, tzinfo=WIB), True, True),
        (datetime(2026, 1, 5, 20, 0, tzinfo=WIB), False, False),
        (datetime(2026, 1, 9, 11, 29, tzinfo=WIB), True, True),
        (datetime(2026, 1, 9, 12, 0, tzinfo=WIB), False, False),
        (datetime(2026, 1, 9, 13, 30, tzinfo=WIB), True, False),
    ],
)
def test_people_are_written_to_in_the_window_and_never_badly_on_a_friday_afternoon(local: datetime, good: bool, bad: bool) -> None:
    assert domain.may_write(WINDOW, local) is good
    assert domain.may_write(WINDOW, local, bad_news=True) is bad


@steady
@given(st.integers(0, 20 * 24 * 60), st.booleans())
def test_the_next_time_to_write_is_one_and_none_lies_before_it(minutes: int, bad_news: bool) -> None:
    local = datetime(2026, 1, 1, tzinfo=WIB) + timedelta(minutes=minutes)
    following = domain.may_write_next(WINDOW, local, bad_news=bad_news)
    assert following >= local
    assert domain.may_write(WINDOW, following, bad_news=bad_news)
    probe = local
    while probe < following:
        assert not domain.may_write(WINDOW, probe, bad_news=bad_news)
        probe += timedelta(minutes=7)


def test_a_withdrawal_is_told_only_to_who_knew_and_did_not_cause_it() -> None:
    assert domain.tells_withdrawal(QUESTION, "debarred", True)
    assert not domain.tells_withdrawal(QUESTION, "debarred", False)
    assert not domain.tells_withdrawal(QUESTION, "left", True)
    assert not domain.tells_withdrawal(replace(QUESTION, says="no"), "debarred", True)


@steady
@given(st.lists(st.tuples(st.sampled_from(["yes", "no", "no_scheme"]), st.integers(0, 30 * 24)), max_size=6))
def test_whatever_comes_in_there_is_at_most_one_fact_and_never_a_late_one(given: list[tuple[str, int]]) -> None:
    question, facts = QUESTION, []
    for what, hours in given:
        at = ASKED + timedelta(hours=hours)
        try:
            question, fact = domain.answer(question, says(what, at), at.date())
        except Refused:
            continue
        if fact is not None:
            facts.append(fact)
    assert len(facts) <= 1
    assert all(fact.received_at < QUESTION.due for fact in facts)


def test_tokens_are_kept_as_hashes() -> None:
    assert len(domain.token_hash("x" * 43)) == 32
    assert domain.token_hash("a") != domain.token_hash("b")

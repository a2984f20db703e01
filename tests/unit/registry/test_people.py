"""Worker numbers, names, birthdays."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain import people

steady = settings(derandomize=True, deadline=None)
numbers = st.integers(0, 10**11 - 1)


@steady
@given(numbers)
def test_a_worker_number_has_twelve_digits_and_is_sound(random: int) -> None:
    number = people.worker_number(random)
    assert len(number) == 12 and number.isdecimal() and people.sound_number(number)


@steady
@given(numbers, st.integers(0, 11), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(random: int, place: int, shift: int) -> None:
    number = people.worker_number(random)
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    assert not people.sound_number(wrong)


def test_names_are_compared_without_case_spaces_dots_and_commas() -> None:
    assert people.normal_name("  Dr. SITI   Aisyah, S.Pd ") == people.normal_name("dr siti aisyah s pd")
    assert people.name_words("Siti Siti Aisyah") == ("aisyah", "siti")


@steady
@given(st.dates(date(1940, 1, 1), date(2010, 12, 31)), st.integers(15, 70))
def test_the_last_day_is_the_day_before_one_turns_that_old(born: date, age: int) -> None:
    last = people.last_day_before_birthday(born, age)
    turned = last + timedelta(days=1)
    assert turned.year - born.year == age
    assert (turned.month, turned.day) in ((born.month, born.day), (3, 1) if (born.month, born.day) == (2, 29) else (born.month, born.day))


def test_who_was_born_on_the_leap_day_turns_56_on_that_day_or_on_the_first_of_march() -> None:
    assert people.last_day_before_birthday(date(1972, 2, 29), 56) == date(2028, 2, 28)
    assert people.last_day_before_birthday(date(1972, 2, 29), 57) == date(2029, 2, 28)

"""The generated people: the published figures hold for every seed, and nobody carries an outcome."""

import csv
import io
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from deploy.local.scenario import figures, people
from deploy.local.scenario.chapters import CHAPTERS

REGIONS = figures.regions()


@pytest.mark.parametrize("seed", [1, 77, 4096])
@pytest.mark.parametrize("region", REGIONS)
def test_groups_families_and_contacts_are_as_the_figures_say_for_every_seed(region: str, seed: int) -> None:
    found = figures.read(region)
    everybody = people.generate(found, seed)
    assert len(everybody) == found.opening.people
    assert len({person.nik for person in everybody}) == len(everybody)
    for group in found.groups:
        members = [person for person in everybody if person.group == group.name]
        assert Counter(person.family for person in members) == Counter({k: v for k, v in group.families.items() if v})
    assert sum(not person.email for person in everybody) == len(everybody) - len(everybody) // 2
    assert sum(not person.phone for person in everybody) == len(everybody) // 10
    assert sum(person.appointment is not None for person in everybody) == people.PLANTED["appointment_barred"]


def test_the_same_seed_gives_the_same_people_and_another_seed_others() -> None:
    found = figures.read("99.01")
    assert people.generate(found, 5) == people.generate(found, 5)
    assert people.generate(found, 5) != people.generate(found, 6)


def test_no_outcome_is_written_into_a_person() -> None:
    outcomes = {"placed", "declined", "ineligible", "waiting", "outcome", "column", "seat", "lot"}
    assert not outcomes & {field.name for field in fields(people.Person)}


def test_a_nik_has_its_shape_and_a_womans_day_is_forty_more() -> None:
    for person in people.generate(figures.read("13.74"), 3):
        assert len(person.nik) == 16 and person.nik.isdigit()
        day = int(person.nik[6:8])
        assert (day - 40 if day > 40 else day) == person.birth_date.day
        assert person.nik[8:12] == f"{person.birth_date:%m%y}"


def test_the_planted_defects_are_the_ones_that_are_counted() -> None:
    everybody = people.generate(figures.read("13.74"), 3)
    defects = people.defective_rows(everybody)
    assert len(defects) + people.PLANTED["appointment_barred"] == sum(people.PLANTED.values())
    rows = list(csv.DictReader(io.StringIO(people.table(defects).decode())))
    assert len(rows) == len(defects)


def test_figures_that_do_not_add_up_are_not_played(tmp_path: Path) -> None:
    text = (figures.FOLDER / "99.01.yaml").read_text()
    (tmp_path / "99.01.yaml").write_text(text.replace("people: 60", "people: 61"))
    with pytest.raises(ValueError, match="61"):
        figures.read("99.01", tmp_path)


def test_every_chapter_has_a_title_a_budget_and_steps() -> None:
    titles = [chapter.TITLE for chapter in CHAPTERS]
    assert len(set(titles)) == len(titles) >= 7
    assert all(chapter.BUDGET > 0 for chapter in CHAPTERS)

"""The events as a promise: files equal the code, releases are kept, samples read back, codes stay open."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from shared import contracts
from shared.events import CATALOGUE, Fact

TYPES = sorted(CATALOGUE.items())


def test_the_generated_files_are_what_the_code_says() -> None:
    assert TYPES
    assert contracts.drift() == [], "run `make contracts`"


def test_today_keeps_every_released_promise() -> None:
    compared, broken = contracts.compatible()
    assert broken == []
    assert compared >= 2 * len(TYPES), "a type was never released: run `jembatan contracts --release`"


def test_nothing_released_is_a_failure_and_not_a_pass(tmp_path: Path) -> None:
    contracts.write(tmp_path)
    compared, broken = contracts.compatible(tmp_path)
    assert compared == 0 and broken


def test_a_removed_field_breaks_the_promise_to_those_who_read_it(tmp_path: Path) -> None:
    contracts.release(tmp_path)
    path = tmp_path / "released" / "placement.confirmed.v1" / "1" / "schema.json"
    old = json.loads(path.read_text())
    old["properties"]["gone"] = {"type": "string"}
    old["required"].append("gone")
    path.write_text(json.dumps(old))
    _, broken = contracts.compatible(tmp_path)
    assert any("placement.confirmed.v1" in line for line in broken)


@pytest.mark.parametrize(("name", "fact"), TYPES, ids=[name for name, _ in TYPES])
def test_a_sample_is_accepted_by_its_schema_and_read_back_as_the_same_fact(name: str, fact: type[Fact]) -> None:
    body = contracts.sample(fact)
    jsonschema.Draft202012Validator(contracts.schema(fact)).validate(body)
    read = msgspec.json.decode(json.dumps(body).encode(), type=fact)
    assert json.loads(msgspec.json.encode(read)) == body
    assert read.aggregate_id and read.partition_key


@pytest.mark.parametrize(("name", "fact"), TYPES, ids=[name for name, _ in TYPES])
def test_a_reader_goes_past_a_field_it_does_not_know(name: str, fact: type[Fact]) -> None:
    body = contracts.sample(fact) | {"from_the_future": {"x": 1}}
    jsonschema.Draft202012Validator(contracts.schema(fact)).validate(body)
    msgspec.json.decode(json.dumps(body).encode(), type=fact)


def test_no_event_has_a_field_for_personal_data() -> None:
    forbidden = {"nik", "name", "full_name", "birth_date", "address", "phone", "email"}
    looked = 0
    for name, fact in TYPES:
        if name.startswith("vendor."):
            continue  # the name of a company is public
        looked += 1
        assert not forbidden & {field.name for field in msgspec.structs.fields(fact)}, name
    assert looked > 40


def test_every_aggregate_lives_in_one_stream() -> None:
    homes: dict[str, set[str]] = {}
    for _, fact in TYPES:
        homes.setdefault(fact.kind.aggregate, set()).add(fact.kind.stream.topic)
    assert homes and all(len(topics) == 1 for topics in homes.values()), homes

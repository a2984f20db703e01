"""Rule packs: built from readable layers, named by hash, judged by the day."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import pytest

from shared.errors import NotNow, Refused
from shared.regulation import Pack, load, parse, rules
from shared.regulation.keys import KEYS
from shared.regulation.sources import build, regions, write

ROOT = Path(__file__).parents[3]
DECEMBER, JANUARY = date(2025, 12, 31), date(2026, 1, 1)


@dataclass(frozen=True)
class Published:
    """Figures the two governments are known by: floor before and after, and the loaded price of one seat-month in 2026."""

    region: str
    floor_2025: int
    floor_2026: int
    loaded: int
    price: int


PUBLISHED = (
    Published("13.74", 2_994_193, 3_182_955, 4_039_382, 4_842_411),
    Published("15.05", 3_378_620, 3_651_917, 4_634_526, 5_555_870),
)


@pytest.mark.parametrize("known", PUBLISHED, ids=lambda known: known.region)
def test_the_same_contract_is_judged_by_another_floor_on_new_years_day(known: Published) -> None:
    pack = build(known.region)
    assert rules.wage_floor(pack, DECEMBER) == known.floor_2025
    assert rules.wage_floor(pack, JANUARY) == known.floor_2026
    assert rules.loaded_cost(pack, known.floor_2026, JANUARY) == known.loaded
    assert rules.least_price(pack, known.floor_2026, JANUARY) == known.price


@pytest.mark.parametrize("region", regions())
def test_a_pack_survives_its_own_bytes(region: str, tmp_path: Path) -> None:
    pack = build(region)
    assert parse(pack.canonical()).canonical() == pack.canonical()
    write(pack, tmp_path)
    assert load(tmp_path, pack.sha256).sha256 == pack.sha256


def test_a_missing_or_altered_file_is_never_replaced_by_another_pack(tmp_path: Path) -> None:
    pack = build("13.74")
    with pytest.raises(NotNow) as missing:
        load(tmp_path, pack.sha256)
    assert missing.value.slug == "pack-missing"
    path = write(pack, tmp_path)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(NotNow):
        load(tmp_path, pack.sha256)


def test_a_day_without_a_figure_is_refused_and_not_guessed() -> None:
    with pytest.raises(Refused) as refused:
        rules.wage_floor(build("13.74"), date(2024, 12, 31))
    assert refused.value.slug == "rule-missing"


def test_the_invented_region_differs_from_both_real_ones_in_at_least_ten_keys() -> None:
    third = build("99.01")
    for region in ("13.74", "15.05"):
        real = build(region)
        differing = {key for key in KEYS if values(third, key) != values(real, key)}
        assert len(differing) >= 10, sorted(differing)


def values(pack: Pack, key: str) -> object:
    return [(figure.from_, msgspec.to_builtins(figure.value)) for figure in pack.figures[key]]


def test_every_key_is_read_by_a_rule_and_every_rule_by_a_service() -> None:
    text = (ROOT / "shared/regulation/rules.py").read_text()
    assert KEYS
    for key in KEYS:
        assert f'"{key}"' in text, f"no rule reads {key}"


def test_an_unknown_key_or_a_wrong_shape_is_named(tmp_path: Path) -> None:
    for path in (ROOT / "shared/regulation/data").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    source = tmp_path / "13.74.yaml"
    good = source.read_text()
    source.write_text(good + "  wage_flor:\n    - {from: 2025-01-01, value: 1, source: a slip}\n")
    with pytest.raises(ValueError, match="wage_flor"):
        build("13.74", tmp_path)
    source.write_text(re.sub(r"value: 40,", "value: forty,", good))
    with pytest.raises(ValueError, match="commuting_limit_km"):
        build("13.74", tmp_path)

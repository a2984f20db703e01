"""How far a caller reaches: regions, agencies, vendor."""

from uuid import UUID

import pytest

from shared.errors import Forbidden
from shared.identity import PUBLIC, Scope
from shared.identity.roles import PERMISSIONS

VENDOR = UUID(int=1)


def slug(scope: Scope, permission: str, region: str | None = None, **where: object) -> str:
    try:
        scope.require(permission, region, **where)  # type: ignore[arg-type]
    except Forbidden as refusal:
        return refusal.slug
    return ""


def test_a_region_is_reached_only_by_its_own_code() -> None:
    scope = Scope.of("a1", {"people_officer"}, {"13.74"})
    assert slug(scope, "people.read", "13.74") == ""
    assert slug(scope, "people.read", "13.71") == "not-your-region"
    assert slug(scope, "people.read", "15.05") == "not-your-region"


def test_a_province_code_reaches_its_regions_for_an_inspector_only() -> None:
    inspector = Scope.of("a1", {"inspector"}, {"13"})
    assert slug(inspector, "contract.read", "13.74") == ""
    assert slug(inspector, "contract.read", "15.05") == "not-your-region"
    officer = Scope.of("a2", {"people_officer"}, {"13"})
    assert slug(officer, "people.read", "13.74") == "not-your-region"


def test_an_inspector_with_a_second_role_does_not_carry_that_role_through_the_province() -> None:
    both = Scope.of("a1", {"inspector", "people_officer"}, {"13", "15.05"})
    assert slug(both, "people.read", "13.74") == "not-your-region"
    assert slug(both, "people.read", "15.05") == ""
    assert slug(both, "balance.read", "13.74") == ""


def test_agencies_narrow_and_no_agencies_mean_the_whole_region() -> None:
    narrow = Scope.of("a1", {"desk"}, {"13.74"}, agencies={"DLH"})
    assert slug(narrow, "answer.write", "13.74", agency="DLH") == ""
    assert slug(narrow, "answer.write", "13.74", agency="RSUD") == "not-your-agency"
    assert slug(Scope.of("a1", {"desk"}, {"13.74"}), "answer.write", "13.74", agency="RSUD") == ""


def test_a_vendor_reaches_itself_only() -> None:
    scope = Scope.of("a1", {"vendor_user"}, {"13.74"}, vendor=VENDOR)
    assert slug(scope, "agreement.write", "13.74", vendor=VENDOR) == ""
    assert slug(scope, "agreement.write", "13.74", vendor=UUID(int=2)) == "not-your-vendor"


def test_the_system_reaches_everything_and_the_public_nothing() -> None:
    system = Scope.system("notify")
    for permission in PERMISSIONS:
        system.require(permission, "13.74", agency="DLH", vendor=VENDOR)
        assert slug(PUBLIC, permission) == "no-permission"
    assert not PUBLIC.covers("13.74")


def test_an_unknown_role_may_nothing() -> None:
    with pytest.raises(Forbidden):
        Scope.of("a1", {"root"}, {"13.74"}).require("people.read")


def test_regions_setting_is_sorted() -> None:
    assert Scope.of("a1", {"inspector"}, {"15.05", "13"}).regions_setting == "13,15.05"

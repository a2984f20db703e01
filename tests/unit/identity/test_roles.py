"""The table of roles, cell by cell: a copy written by hand, so that a change of the table is a change of two files."""

import pytest

from shared.errors import Forbidden
from shared.identity import ROLES, Scope
from shared.identity.roles import NEEDS, PERMISSIONS, PROVINCE_WIDE

EXPECTED = """
agency_officer       balance.read desk.read people.read visit.write
auditor              audit.read balance.read budget.read contract.read job.read placement.read round.draw round.read vendor.read
commitment_officer   budget.read capacity.seal contract.end contract.read contract.reduce contract.sign job.read vendor.read
council_member       balance.read job.read round.draw round.read
desk                 answer.write desk.read preference.write visit.write
executive            balance.read budget.read contract.read round.read vendor.read
inspector            balance.read contract.read placement.read
mediator             case.write placement.dispute
people_officer       balance.read consent.write job.read merge.approve merge.propose pack.activate pack.draft people.import \
people.read people.write roll.seal
placement_signer     explanation.read job.read offer.read placement.read round.open round.read round.sign
procurement_officer  contract.draft contract.read vendor.assess vendor.read vendor.write
service              balance.read identity.lookup placement.read
treasurer            balance.read budget.read budget.write
vendor_user          agreement.write identity.lookup offer.read.own refusal.write roster.write
"""

TABLE = {line.split()[0]: set(line.split()[1:]) for line in EXPECTED.strip().splitlines()}
CELLS = [(role, permission, permission in held) for role, held in TABLE.items() for permission in sorted(PERMISSIONS)]


@pytest.mark.parametrize(("role", "permission", "allowed"), CELLS)
def test_a_role_may_exactly_what_the_table_says(role: str, permission: str, allowed: bool) -> None:
    scope = Scope.of("a1", {role}, {"13.74"})
    assert scope.may(permission) is allowed
    if allowed:
        scope.require(permission, "13.74")
    else:
        with pytest.raises(Forbidden):
            scope.require(permission, "13.74")


def test_no_role_and_no_permission_is_missing_from_the_copy() -> None:
    assert set(TABLE) == set(ROLES)
    assert set().union(*TABLE.values()) == PERMISSIONS


def test_the_table_is_sorted_so_that_a_change_is_easy_to_see() -> None:
    assert list(ROLES) == sorted(ROLES)


def test_special_roles_are_roles_of_the_table() -> None:
    assert set(NEEDS) <= set(ROLES)
    assert set(ROLES) >= PROVINCE_WIDE


def test_the_council_sees_nobody_by_name() -> None:
    assert not {p for p in ROLES["council_member"] if p.startswith(("people.", "desk.", "identity.", "offer."))}


def test_no_single_role_holds_both_sides_of_a_duty() -> None:
    for first, second in [("budget.write", "contract.sign"), ("contract.draft", "contract.sign"), ("round.open", "round.draw")]:
        assert not [role for role, held in ROLES.items() if {first, second} <= held]

"""Roles are functions in an office, and what each may do: one table, as data.

A permission is `<thing>.<verb>`; a door asks for one and never for a role. Separation of duties (who opened a round does not
sign it) is not in this table: it compares the actors of two acts, whatever their roles.
"""

from collections.abc import Mapping
from types import MappingProxyType

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # Dinas of the people: reads and records for the desks and people of its own agency (OPD).
        "agency_officer": frozenset({"balance.read", "desk.read", "people.read", "visit.write"}),
        "auditor": frozenset(
            {
                "audit.read",
                "balance.read",
                "budget.read",
                "contract.read",
                "job.read",
                "placement.read",
                "round.draw",
                "round.read",
                "vendor.read",
            }
        ),
        # Pejabat Pembuat Komitmen (contracts).
        "commitment_officer": frozenset(
            {
                "budget.read",
                "capacity.seal",
                "contract.end",
                "contract.read",
                "contract.reduce",
                "contract.sign",
                "job.read",
                "vendor.read",
            }
        ),
        # DPRD: aggregates and proofs, nobody's data.
        "council_member": frozenset({"balance.read", "job.read", "round.draw", "round.read"}),
        # Loket: takes answers in the person's presence.
        "desk": frozenset({"answer.write", "desk.read", "preference.write", "visit.write"}),
        "executive": frozenset({"balance.read", "budget.read", "contract.read", "round.read", "vendor.read"}),
        # Pengawas ketenagakerjaan: provincial, so its regions may be a province's two digits.
        "inspector": frozenset({"balance.read", "contract.read", "placement.read"}),
        "mediator": frozenset({"case.write", "placement.dispute"}),
        # BKPSDM.
        "people_officer": frozenset(
            {
                "balance.read",
                "consent.write",
                "job.read",
                "merge.approve",
                "merge.propose",
                "pack.activate",
                "pack.draft",
                "people.import",
                "people.read",
                "people.write",
                "roll.seal",
            }
        ),
        "placement_signer": frozenset(
            {"explanation.read", "job.read", "offer.read", "placement.read", "round.open", "round.read", "round.sign"}
        ),
        # Pokja or Pejabat Pengadaan.
        "procurement_officer": frozenset({"contract.draft", "contract.read", "vendor.assess", "vendor.read", "vendor.write"}),
        # Another system of the installation.
        "service": frozenset({"balance.read", "identity.lookup", "placement.read"}),
        # Bendahara / PPKD: the ceiling and the quarter's release.
        "treasurer": frozenset({"balance.read", "budget.read", "budget.write"}),
        "vendor_user": frozenset({"agreement.write", "identity.lookup", "offer.read.own", "refusal.write", "roster.write"}),
    }
)
"""Role -> permissions. What is not here is forbidden."""

PERMISSIONS: frozenset[str] = frozenset().union(*ROLES.values())
"""Every permission there is."""

PROVINCE_WIDE: frozenset[str] = frozenset({"inspector"})
"""Roles whose regions may be a province's two digits; for every other role a region is one kabupaten or kota."""

NEEDS: Mapping[str, str] = MappingProxyType({"agency_officer": "agencies", "vendor_user": "vendor"})
"""Roles that count only in a token that also names this: without it an agency's officer would be the whole region's."""


def permissions_of(roles: frozenset[str]) -> frozenset[str]:
    """Everything that one of the roles may do; unknown roles may nothing."""
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))

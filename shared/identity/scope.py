"""The caller as a value: a required argument of every use case and of every read."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from shared.errors import Forbidden

from .roles import PERMISSIONS, PROVINCE_WIDE, permissions_of

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """Who is calling and how far they reach.

    `actor` is a pseudonym (never a name or a token's subject). `regions` are codes PP.KK, or PP for province-wide roles.
    `agencies` narrows everything to these agencies; empty means the whole region. `vendor` narrows everything to one vendor.
    """

    actor: str
    roles: frozenset[str] = NONE
    regions: frozenset[str] = NONE
    agencies: frozenset[str] = NONE
    vendor: UUID | None = None
    permissions: frozenset[str] = NONE
    everywhere: bool = False

    @classmethod
    def of(
        cls, actor: str, roles: Iterable[str], regions: Iterable[str], *, agencies: Iterable[str] = (), vendor: UUID | None = None
    ) -> Self:
        """A caller with these roles; the permissions follow from the table of roles."""
        held = frozenset(roles)
        return cls(
            actor=actor,
            roles=held,
            regions=frozenset(regions),
            agencies=frozenset(agencies),
            vendor=vendor,
            permissions=permissions_of(held),
        )

    @classmethod
    def system(cls, service: str) -> Self:
        """The service itself, acting on an event, a timer or a job: everywhere, with every permission."""
        return cls(actor=f"system:{service}", roles=frozenset({"system"}), permissions=PERMISSIONS, everywhere=True)

    def may(self, permission: str) -> bool:
        """Whether one of the roles allows this, somewhere."""
        return permission in self.permissions

    def covers(self, region: str) -> bool:
        """Whether the region is one of the caller's, by its own code or, for province-wide roles, by its province's."""
        if self.everywhere or region in self.regions:
            return True
        return bool(self.roles & PROVINCE_WIDE) and region[:2] in self.regions

    def covers_agency(self, agency: str) -> bool:
        """Whether the agency is one of the caller's."""
        return not self.agencies or agency in self.agencies

    def require(self, permission: str, region: str | None = None, *, agency: str | None = None, vendor: UUID | None = None) -> None:
        """Pass, or raise `Forbidden`: `no-permission`, `not-your-region`, `not-your-agency` or `not-your-vendor`.

        A province-wide role reaches its provinces only with its own permissions, not with those of a second role.
        """
        if not self.may(permission):
            raise Forbidden("no-permission", f"this needs the permission {permission}")
        if region is not None:
            if not self.covers(region):
                raise Forbidden("not-your-region", "the region is not one of the caller's")
            if not self.everywhere and region not in self.regions and permission not in permissions_of(self.roles & PROVINCE_WIDE):
                raise Forbidden("not-your-region", "a province-wide role reaches the region, but not with this permission")
        if agency is not None and not self.covers_agency(agency):
            raise Forbidden("not-your-agency", "the agency is not one of the caller's")
        if vendor is not None and self.vendor is not None and vendor != self.vendor:
            raise Forbidden("not-your-vendor", "the vendor is not the caller's")

    @property
    def regions_setting(self) -> str:
        """The regions and provinces as the database's row-level policy reads them: sorted, joined by commas."""
        return ",".join(sorted(self.regions))


PUBLIC = Scope(actor="public")
"""A caller without a token: may nothing that needs a permission."""

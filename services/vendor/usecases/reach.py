"""How far a caller reaches: officers see a region, a vendor's own people see their vendor."""

from uuid import UUID

from shared.errors import Forbidden
from shared.identity import Scope


def reach(scope: Scope, region: str, *permissions: str) -> UUID | None:
    """Pass with the first of these permissions that the caller has in the region; the vendor to which the view is narrowed."""
    held = next((permission for permission in permissions if scope.may(permission)), permissions[0])
    scope.require(held, region=region)
    return scope.vendor


def own(scope: Scope, permission: str) -> UUID:
    """The vendor in whose name the caller acts (`no-vendor` without one)."""
    scope.require(permission)
    if scope.vendor is None:
        raise Forbidden("no-vendor", "this is done in a vendor's name")
    return scope.vendor

"""What the doors share: which region a list is about, and the queries of lists."""

from typing import Annotated

from fastapi import Query

from shared.errors import Invalid
from shared.identity import Scope

RegionQuery = Annotated[str | None, Query(pattern=r"^\d\d\.\d\d$", description="Required unless the caller has exactly one region.")]
StateQuery = Annotated[str | None, Query(max_length=40)]


def region_of(scope: Scope, region: str | None) -> str:
    """The region asked for, or the caller's only one."""
    if region:
        return region
    if len(scope.regions) == 1:
        (only,) = scope.regions
        if len(only) > 2:
            return only
    raise Invalid([("region", "missing", "is required")])

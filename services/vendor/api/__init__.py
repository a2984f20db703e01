"""HTTP doors of the vendor service, one router per ability."""

from . import budget, contracts, people, vendors

ROUTERS = (vendors.router, budget.router, contracts.router, people.router)

__all__ = ["ROUTERS"]

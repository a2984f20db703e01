"""What the vendor service remembers: tables, SQL, and rows turned into the values of the domain. Sets, never loops."""

from . import budget, contracts, people, tables, vendors

__all__ = ["budget", "contracts", "people", "tables", "vendors"]

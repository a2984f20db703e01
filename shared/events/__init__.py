"""The language of Jembatan: every fact that one service tells another. Standard library and msgspec only."""

from . import notify, placement, registry, vendor
from .base import CATALOGUE, Cause, Fact, Kind, Stream, fact

__all__ = ["CATALOGUE", "Cause", "Fact", "Kind", "Stream", "fact", "notify", "placement", "registry", "vendor"]

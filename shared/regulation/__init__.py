"""Dated law as data. `Pack` is one region's rules; `rules` reads them; `sources` builds packs from the readable files."""

from .keys import Contribution, Document, JobRule, Need, Window
from .pack import Figure, Pack, load, parse

__all__ = ["Contribution", "Document", "Figure", "JobRule", "Need", "Pack", "Window", "load", "parse"]

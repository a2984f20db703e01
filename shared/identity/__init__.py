"""Who is calling, and what they may do: roles as data, scopes as values, tokens of trusted issuers."""

from .roles import ROLES
from .scope import PUBLIC, Scope
from .tokens import Caller, Issuer, Verifier

__all__ = ["PUBLIC", "ROLES", "Caller", "Issuer", "Scope", "Verifier"]

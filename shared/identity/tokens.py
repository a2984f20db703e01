"""Access tokens (OAuth 2 bearer, JWT with RS256 or ES256) of issuers that the installation trusts.

Each issuer is bound to the regions and roles it may grant: what a token claims beyond that does not count. The subject of a
token leaves this module only as a pseudonym.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from shared.clock import Clock, SystemClock
from shared.errors import Unauthenticated

from .keys import Keys
from .roles import NEEDS, PROVINCE_WIDE, ROLES
from .scope import Scope

ALGORITHMS = ("ES256", "RS256")
LEEWAY_SECONDS = 10
TOKEN_LIMIT = 16 * 1024


class ClaimMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which claim holds what. A name is looked up as it is, then as a dotted path (`realm_access.roles`)."""

    subject: str = "sub"
    roles: str = "roles"
    regions: str = "regions"
    agencies: str = "agencies"
    vendor: str = "vendor"


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One trusted issuer: its keys by address or file, and the regions and roles it may grant."""

    issuer: str
    audience: str
    regions: tuple[str, ...]
    roles: tuple[str, ...]
    jwks_url: str = ""
    jwks_file: str = ""
    claims: ClaimMap = ClaimMap()

    def __post_init__(self) -> None:
        if bool(self.jwks_url) == bool(self.jwks_file):
            raise ValueError("an issuer has either jwks_url or jwks_file")
        unknown = set(self.roles) - set(ROLES)
        if unknown:
            raise ValueError(f"an issuer may grant only roles of the table, not {sorted(unknown)}")
        if not (self.issuer and self.audience):
            raise ValueError("an issuer needs issuer and audience")

    def grants_region(self, region: str) -> bool:
        """Whether a region (or a province) lies within what the issuer is bound to."""
        return region in self.regions or (len(region) > 2 and region[:2] in self.regions)


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified token: the caller's scope, who vouched for it, and until when (wall clock, Unix seconds)."""

    scope: Scope
    issuer: str
    expires: int


def read_issuers(file: Path) -> tuple[Issuer, ...]:
    """The trusted issuers; raises `ValueError` when the file is not what it should be."""
    try:
        issuers = msgspec.json.decode(file.read_bytes(), type=tuple[Issuer, ...])
    except FileNotFoundError as error:
        raise ValueError(f"the list of trusted issuers is missing: {file}") from error
    except msgspec.MsgspecError as error:
        raise ValueError(f"the list of trusted issuers cannot be read: {error}") from error
    if len({issuer.issuer for issuer in issuers}) != len(issuers):
        raise ValueError("an issuer is listed twice")
    return issuers


def pseudonym(actor_key: bytes, issuer: str, subject: str) -> str:
    """A stable name for a caller that only the holder of the key can tie to the subject; different for each issuer."""
    text = f"{len(issuer)}:{issuer}{subject}".encode()
    return "a" + hmac.new(actor_key, text, hashlib.sha256).hexdigest()[:24]


class Verifier:
    """Turns a bearer token into a `Caller`, or raises `Unauthenticated` without saying more than a slug."""

    def __init__(self, issuers: Path | Iterable[Issuer], cache_folder: Path, actor_key: bytes, clock: Clock | None = None) -> None:
        listed = read_issuers(issuers) if isinstance(issuers, Path) else tuple(issuers)
        base = issuers.parent if isinstance(issuers, Path) else Path()
        self._actor_key = actor_key
        self._clock = clock or SystemClock()
        self._issuers = {issuer.issuer: issuer for issuer in listed}
        self._keys = {
            issuer.issuer: Keys(
                url=issuer.jwks_url,
                file=base / issuer.jwks_file if issuer.jwks_file else None,
                cache=cache_folder / f"jwks-{hashlib.sha256(issuer.issuer.encode()).hexdigest()[:16]}.json",
            )
            for issuer in listed
        }

    async def verify(self, token: str) -> Caller:
        """The caller. Slugs: `bad-token`, `unknown-issuer`, `unknown-key`, `token-expired`, `token-refused`."""
        header, claimed = _peek(token)
        issuer = self._issuers.get(str(claimed.get("iss", "")))
        if issuer is None:
            raise Unauthenticated("unknown-issuer")
        kid, algorithm = header.get("kid"), header.get("alg")
        if not isinstance(kid, str) or not kid or algorithm not in ALGORITHMS:
            raise Unauthenticated("bad-token")
        now = self._clock.now().wall
        key = await self._keys[issuer.issuer].find(kid, now)
        if key is None:
            raise Unauthenticated("unknown-key")
        claims = _checked(token, key, algorithm, issuer, now)
        return self._caller(issuer, claims)

    def _caller(self, issuer: Issuer, claims: Mapping[str, Any]) -> Caller:
        names = issuer.claims
        subject = _claim(claims, names.subject)
        if not isinstance(subject, str) or not subject or len(subject) > 512:
            raise Unauthenticated("token-refused")
        regions = frozenset(region for region in _texts(_claim(claims, names.regions)) if issuer.grants_region(region))
        agencies = frozenset(_texts(_claim(claims, names.agencies)))
        vendor = _vendor(_claim(claims, names.vendor))
        named = {"agencies": bool(agencies), "vendor": vendor is not None}
        roles = frozenset(
            role for role in _texts(_claim(claims, names.roles)) if role in issuer.roles and (role not in NEEDS or named[NEEDS[role]])
        )
        if not roles & PROVINCE_WIDE:
            regions = frozenset(region for region in regions if len(region) > 2)
        scope = Scope.of(pseudonym(self._actor_key, issuer.issuer, subject), roles, regions, agencies=agencies, vendor=vendor)
        return Caller(scope, issuer.issuer, int(claims["exp"]))


def _peek(token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Header and claims as they stand, not yet believed: only to find the issuer and the key."""
    parts = token.split(".") if len(token) <= TOKEN_LIMIT else []
    if len(parts) != 3:
        raise Unauthenticated("bad-token")
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, RecursionError) as error:
        raise Unauthenticated("bad-token") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise Unauthenticated("bad-token")
    return header, claims


def _checked(token: str, key: RSAKey | ECKey, algorithm: str, issuer: Issuer, now: datetime) -> Mapping[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, TypeError) as error:
        raise Unauthenticated("bad-token") from error
    if claims.get("iss") != issuer.issuer:
        raise Unauthenticated("token-refused")
    audience = claims.get("aud")
    if issuer.audience not in ([audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []):
        raise Unauthenticated("token-refused")
    seconds = now.timestamp()
    expires, starts, issued = (claims.get(name) for name in ("exp", "nbf", "iat"))
    if not _number(expires) or any(value is not None and not _number(value) for value in (starts, issued)):
        raise Unauthenticated("token-refused")
    if seconds >= expires + LEEWAY_SECONDS:
        raise Unauthenticated("token-expired")
    if any(value is not None and value > seconds + LEEWAY_SECONDS for value in (starts, issued)):
        raise Unauthenticated("token-refused")
    return claims


def _number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text of words; anything else is nothing."""
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, list):
        return tuple(item for item in value if isinstance(item, str) and 0 < len(item) <= 200)
    return ()


def _vendor(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None

"""A local OAuth 2 issuer: a key, its public half as a JWKS, and tokens for whoever holds this object.

Services know nothing of it but the JWKS; a real installation names its own identity provider in the same list.
"""

import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from uuid import UUID

from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.servers.web import serving

AUDIENCE = "jembatan"
Algorithm = Literal["RS256", "ES256"]


class Issuer:
    """An issuer whose files are `<folder>/<name>.jwks.json` and, readable by us only, `<folder>/<name>.key.json`."""

    def __init__(self, name: str, url: str, folder: Path, algorithm: Algorithm = "RS256") -> None:
        """`url` goes into the claim `iss`. The key is made at the first call and read at later ones."""
        self.name = name
        self.url = url
        self.algorithm: Algorithm = algorithm
        self.jwks_path = folder / f"{name}.jwks.json"
        self._key_path = folder / f"{name}.key.json"
        folder.mkdir(parents=True, exist_ok=True)
        if self._key_path.exists():
            self._key = self._load()
        else:
            self._key = self._make()
            self._save()

    def rotate(self) -> None:
        """A new key; tokens signed by the old one are unknown from now on."""
        self._key = self._make()
        self._save()

    def mint(
        self,
        subject: str,
        roles: Iterable[str],
        regions: Iterable[str],
        agencies: Iterable[str] = (),
        vendor: UUID | str | None = None,
        *,
        ttl: float = 3600,
        audience: str = AUDIENCE,
    ) -> str:
        """A signed token for `subject`, valid for `ttl` seconds of wall time from now (below 0: already expired)."""
        now = int(time.time())
        claims: dict[str, object] = {
            "iss": self.url,
            "aud": audience,
            "sub": subject,
            "iat": now,
            "exp": int(now + ttl),
            "jti": secrets.token_urlsafe(16),
            "roles": list(roles),
            "regions": list(regions),
            "agencies": list(agencies),
        }
        if vendor is not None:
            claims["vendor"] = str(vendor)
        header = {"alg": self.algorithm, "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])

    def trust(self, roles: Iterable[str], regions: Iterable[str]) -> dict[str, object]:
        """This issuer's entry in a service's list of trusted issuers: what it may grant, and where its keys are."""
        return {
            "issuer": self.url,
            "audience": AUDIENCE,
            "roles": list(roles),
            "regions": list(regions),
            "jwks_file": str(self.jwks_path.absolute()),
        }

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Serve the JWKS while the block runs; gives its URL."""

        async def answer(_: Request) -> Response:
            return JSONResponse(self._jwks())

        async with serving(Starlette(routes=[Route("/jwks.json", answer)]), port) as url:
            yield f"{url}/jwks.json"

    def _make(self) -> RSAKey | ECKey:
        parameters: KeyParameters = {"use": "sig", "alg": self.algorithm, "kid": secrets.token_hex(8)}
        if self.algorithm == "RS256":
            return RSAKey.generate_key(2048, parameters)
        return ECKey.generate_key("P-256", parameters)

    def _load(self) -> RSAKey | ECKey:
        stored = json.loads(self._key_path.read_text())
        return RSAKey.import_key(stored) if stored["kty"] == "RSA" else ECKey.import_key(stored)

    def _jwks(self) -> dict[str, object]:
        return {"keys": [self._key.as_dict(private=False)]}

    def _save(self) -> None:
        draft = self._key_path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(self._key.as_dict(private=True)))
        draft.replace(self._key_path)
        draft = self.jwks_path.with_suffix(".draft")
        draft.write_text(json.dumps(self._jwks()))
        draft.replace(self.jwks_path)  # a reader sees the old set or the new one

"""An issuer's public keys (JWKS, RFC 7517): from a file or an address, kept on disk so that a restart needs no issuer."""

import asyncio
import contextlib
import json
import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

PAUSE_SECONDS = 60
FRESH_SECONDS = 3600
SIZE_LIMIT = 1024 * 1024
LEAST_RSA_BITS = 2048
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
log = structlog.get_logger("jembatan.identity")

Found = dict[str, RSAKey | ECKey]


class Keys:
    """The keys of one issuer.

    From an address: fetched when a key id is unknown or the set is an hour old, at most once a minute whatever the callers
    send; while the issuer is away the set from memory or disk goes on. From a file: read again when the file changed.
    """

    def __init__(self, *, url: str, file: Path | None, cache: Path) -> None:
        if url:
            address = urlsplit(url)
            if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
                raise ValueError("keys are fetched over https (http only from this machine)")
        self._url = url
        self._file = file
        self._cache = cache
        self._keys: Found = {}
        self._seen: tuple[int, int] | None = None
        self._fetched: float | None = None
        self._tried: float | None = None
        self._loaded = False
        self._turn = asyncio.Lock()

    async def find(self, kid: str, now: datetime) -> RSAKey | ECKey | None:
        """The key with this id, or None."""
        if self._file is not None:
            self._read(self._file)
            return self._keys.get(kid)
        seconds = now.timestamp()
        if not self._wanted(kid, seconds):
            return self._keys.get(kid)
        async with self._turn:
            if not self._loaded:
                self._loaded = True
                self._from_cache()
            if self._wanted(kid, seconds):
                self._tried = seconds
                await self._fetch(seconds)
        return self._keys.get(kid)

    def _wanted(self, kid: str, seconds: float) -> bool:
        stale = self._fetched is None or seconds - self._fetched >= FRESH_SECONDS
        paused = self._tried is not None and 0 <= seconds - self._tried < PAUSE_SECONDS
        return not self._loaded or ((kid not in self._keys or stale) and not paused)

    def _read(self, file: Path) -> None:
        try:
            status = file.stat()
            seen = (status.st_mtime_ns, status.st_size)
            if seen != self._seen:
                self._keys = parse(file.read_bytes())
                self._seen = seen
        except (OSError, ValueError) as error:
            # A file that is being replaced keeps the keys read before; none were: nobody gets in.
            log.warning("key file not read", error=type(error).__name__)

    def _from_cache(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._keys = parse(self._cache.read_bytes())

    async def _fetch(self, seconds: float) -> None:
        import httpx2

        try:
            async with httpx2.AsyncClient(timeout=5, follow_redirects=False) as client:
                answer = await client.get(self._url, headers={"accept": "application/json"})
                answer.raise_for_status()
                body = answer.content
            if len(body) > SIZE_LIMIT:
                raise ValueError("the key set is too large")
            self._keys = parse(body)
        except (httpx2.HTTPError, ValueError) as error:
            log.warning("key set not fetched", error=type(error).__name__)
            return
        self._fetched = seconds
        self._keep(body)

    def _keep(self, body: bytes) -> None:
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._cache.parent, delete=False) as file:
                file.write(body)
            os.replace(file.name, self._cache)
        except OSError as error:
            log.warning("key set not kept on disk", error=type(error).__name__)


def parse(body: bytes) -> Found:
    """The usable keys by id: RSA of 2,048 bits or more and EC P-256, for signatures; others are passed over."""
    document: Any = json.loads(body)
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a key set")
    found: Found = {}
    for entry in listed:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or not isinstance(entry.get("kid"), str):
            continue
        # A private part has no business here; reading only public members keeps it out of memory.
        public = {name: entry[name] for name in ("kty", "kid", "use", "alg", "n", "e", "crv", "x", "y") if name in entry}
        try:
            if entry.get("kty") == "RSA":
                # Six bits a sign: too short a modulus is not even read.
                if len(str(entry["n"])) * 6 < LEAST_RSA_BITS:
                    continue
                rsa = RSAKey.import_key(public)
                if rsa.raw_value.key_size >= LEAST_RSA_BITS:
                    found[entry["kid"]] = rsa
            elif entry.get("kty") == "EC" and entry.get("crv") == "P-256":
                found[entry["kid"]] = ECKey.import_key(public)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return found

"""The service's key, by which an officer's decision on a run can be checked by anybody."""

import asyncio
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.clock import Stamp
from shared.logs import logger

from . import compute
from .pool import Matching

log = logger("signing")


@dataclass(slots=True)
class Signer:
    """Signs run hashes. Without a key (never in production) a fresh one is made for this process."""

    pem: bytes = b""
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def attest(self, pool: Matching, run_json: bytes, officer: str, role: str, at: Stamp) -> bytes:
        """`signature.json` over the run's hash, the officer's pseudonym, the role and the business time."""
        async with self._lock:
            if not self.pem:
                log.warning("no signing key set: a fresh one for this process")
                self.pem = await asyncio.to_thread(_fresh)
        time = at.business.replace(microsecond=0).isoformat().replace("+00:00", "Z")
        return await pool.run(compute.sign, run_json, officer, role, time, self.pem)


def _fresh() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

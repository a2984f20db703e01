"""The same POST sent twice is done once.

A caller who sends `Idempotency-Key` gets, for the same key and body, the same answer; another body under the same key is
refused with 422, and while the first is still at work the second gets 409. The row is written in the transaction of the
work itself: when the commit fails nothing is stored, and when only its answer got lost, the row answers the repeat. The
body is kept as a keyed fingerprint, the answer sealed.
"""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import Invalid, Problem
from shared.ids import derived_id

if TYPE_CHECKING:
    from shared.db import Tx

LONGEST_KEY = 200
KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it was first given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Once:
    """One keyed request: asks whether it was done before, and remembers what it was answered."""

    def __init__(self, mac: bytes, *, actor: str, method: str, path: str, key: str, body: bytes) -> None:
        if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise Invalid(
                [("Idempotency-Key", "bad-key", f"must be 1 to {LONGEST_KEY} printable ASCII characters")], slug="bad-idempotency-key"
            )
        self._actor = actor
        self._id = derived_id("idempotency", actor, method, path, key)
        self._fingerprint = hmac.new(mac, body, hashlib.sha256).digest()
        self._seal = AESGCM(hmac.new(mac, b"idempotency answers", hashlib.sha256).digest())

    async def before(self, tx: "Tx") -> Answered | None:
        """The stored answer of the same request; None when this is the first. Call it first in the transaction."""
        # Held to the end of the transaction: a second sender is told so instead of waiting on the unique index.
        lock = int.from_bytes(self._id.bytes[:8], "big", signed=True)
        row = await tx.one("SELECT pg_try_advisory_xact_lock(:lock) AS mine", lock=lock)
        if row is None or not row["mine"]:
            raise Problem("still-running", "The first request with this key is still at work.", status=409)
        row = await tx.one(
            "SELECT fingerprint, status, headers, body FROM idempotency WHERE actor = :actor AND key = :key",
            actor=self._actor,
            key=str(self._id),
        )
        if row is None:
            return None
        if not hmac.compare_digest(bytes(row["fingerprint"]), self._fingerprint):
            raise Invalid(
                [("Idempotency-Key", "key-reused", "was used with another body")],
                slug="key-reused",
                detail="This Idempotency-Key was used with another body: a new request needs a new key.",
            )
        sealed = base64.b64decode(row["body"])
        body = self._seal.decrypt(sealed[:12], sealed[12:], self._id.bytes)
        return Answered(int(row["status"]), json.loads(row["headers"]), body)

    async def after(self, tx: "Tx", answered: Answered) -> None:
        """Remember the answer, in the transaction of the work."""
        nonce = os.urandom(12)
        sealed = nonce + self._seal.encrypt(nonce, answered.body, self._id.bytes)
        await tx.run(
            "INSERT INTO idempotency (actor, key, use_case, fingerprint, status, body, headers, created_at)"
            " VALUES (:actor, :key, :use_case, :fingerprint, :status, :body, :headers, :at)",
            actor=self._actor,
            key=str(self._id),
            use_case=tx.use_case,
            fingerprint=self._fingerprint,
            status=answered.status,
            body=base64.b64encode(sealed).decode(),
            headers=json.dumps(dict(answered.headers)),
            at=tx.stamp.wall,
        )


async def forget(tx: "Tx") -> int:
    """Delete answers older than they are promised to be kept; returns how many."""
    return await tx.run("DELETE FROM idempotency WHERE created_at < :before", before=tx.stamp.wall - timedelta(days=KEPT_DAYS))

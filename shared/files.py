"""Files of any size in the service's own database, in pieces; sealed when they hold personal data.

A sealed file's pieces are AES-256-GCM under a key derived from the installation's key and the file's id, each bound to its
place, so that none can be swapped, dropped from the middle or moved to another file. The hash is that of the plain bytes.
"""

import hashlib
import hmac
import os
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import NotFound
from shared.ids import new_id

if TYPE_CHECKING:
    from shared.db import Tx

PIECE: Final = 256 * 1024


class FileDamaged(Exception):
    """The stored pieces are not what was written."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's description. `sha256` and `size` are those of the plain bytes."""

    id: UUID
    region: str
    kind: str
    media: str
    name: str
    sha256: str
    size: int
    chunks: int
    sealed: bool
    created_at: datetime


class Files:
    """Reading and writing files; `mac` is the installation's key (`settings.mac`)."""

    def __init__(self, mac: bytes) -> None:
        self._mac = mac

    def _cipher(self, file_id: UUID) -> AESGCM:
        return AESGCM(hmac.new(self._mac, b"file" + file_id.bytes, hashlib.sha256).digest())

    async def put(
        self,
        tx: "Tx",
        region: str,
        kind: str,
        media: str,
        chunks: AsyncIterable[bytes],
        *,
        seal: bool,
        name: str = "",
        id: UUID | None = None,
    ) -> StoredFile:
        """Store a stream, piece by piece, in this transaction."""
        file_id = id or new_id()
        cipher = self._cipher(file_id) if seal else None
        digest = hashlib.sha256()
        size = count = 0
        waiting = bytearray()

        async def write(piece: bytes) -> None:
            nonlocal count
            if cipher is not None:
                nonce = os.urandom(12)
                piece = nonce + cipher.encrypt(nonce, piece, _place(file_id, count))
            await tx.run(
                "INSERT INTO file_chunk (file_id, ordinal, data) VALUES (:id, :ordinal, :data)", id=file_id, ordinal=count, data=piece
            )
            count += 1

        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            waiting += chunk
            while len(waiting) >= PIECE:
                await write(bytes(waiting[:PIECE]))
                del waiting[:PIECE]
        if waiting:
            await write(bytes(waiting))
        stored = StoredFile(file_id, region, kind, media, name, digest.hexdigest(), size, count, seal, tx.stamp.wall)
        await tx.run(
            "INSERT INTO file (id, region, kind, media, name, sha256, size, chunks, sealed, actor, created_at)"
            " VALUES (:id, :region, :kind, :media, :name, :sha256, :size, :chunks, :sealed, :actor, :at)",
            id=stored.id,
            region=region,
            kind=kind,
            media=media,
            name=name,
            sha256=stored.sha256,
            size=size,
            chunks=count,
            sealed=seal,
            actor=tx.scope.actor,
            at=tx.stamp.wall,
        )
        return stored

    async def put_bytes(
        self, tx: "Tx", region: str, kind: str, media: str, content: bytes, *, seal: bool, name: str = "", id: UUID | None = None
    ) -> StoredFile:
        """Store what is already in memory."""

        async def once() -> AsyncIterator[bytes]:
            yield content

        return await self.put(tx, region, kind, media, once(), seal=seal, name=name, id=id)

    async def find(self, tx: "Tx", file_id: UUID) -> StoredFile:
        """The description, within the caller's regions. Raises `NotFound`."""
        row = await tx.one(
            "SELECT id, region, kind, media, name, sha256, size, chunks, sealed, created_at FROM file WHERE id = :id", id=file_id
        )
        if row is None:
            raise NotFound("no-such-file")
        return StoredFile(**row)

    async def stream(self, tx: "Tx", file_id: UUID) -> AsyncIterator[bytes]:
        """The plain bytes, piece by piece; one piece in memory at a time. Raises `NotFound`, `FileDamaged`."""
        stored = await self.find(tx, file_id)
        cipher = self._cipher(file_id) if stored.sealed else None
        digest = hashlib.sha256()
        for ordinal in range(stored.chunks):
            row = await tx.one("SELECT data FROM file_chunk WHERE file_id = :id AND ordinal = :ordinal", id=file_id, ordinal=ordinal)
            if row is None:
                raise FileDamaged(str(file_id))
            piece = bytes(row["data"])
            if cipher is not None:
                try:
                    piece = cipher.decrypt(piece[:12], piece[12:], _place(file_id, ordinal))
                except InvalidTag as error:
                    raise FileDamaged(str(file_id)) from error
            digest.update(piece)
            yield piece
        if digest.hexdigest() != stored.sha256:
            raise FileDamaged(str(file_id))

    async def read(self, tx: "Tx", file_id: UUID) -> bytes:
        """The whole file; for small ones."""
        return b"".join([piece async for piece in self.stream(tx, file_id)])

    async def delete(self, tx: "Tx", file_id: UUID) -> None:
        """Remove a file and its pieces (worker transactions only)."""
        await tx.run("DELETE FROM file_chunk WHERE file_id = :id", id=file_id)
        await tx.run("DELETE FROM file WHERE id = :id", id=file_id)


def _place(file_id: UUID, ordinal: int) -> bytes:
    return file_id.bytes + ordinal.to_bytes(4, "big")

"""Keys with ids: one that seals, and older ones that still open."""

import base64
import re
from collections.abc import Mapping
from typing import Self

_ID = re.compile(r"^[a-z0-9]{1,16}$")


def decode_key(text: str) -> bytes:
    """32 bytes from base64url with or without padding; raises `ValueError` that never shows the text."""
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError("a key is 32 bytes in base64url")
    return key


class KeyRing:
    """Keys of 32 bytes by id. The first one is current: everything new is made with it."""

    __slots__ = ("_keys", "current")

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        if not all(_ID.match(name) for name in keys):
            raise ValueError("a key id is 1 to 16 small letters and digits")
        if any(len(key) != 32 for key in keys.values()):
            raise ValueError("a key is 32 bytes")
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a setting: `k2:<base64url>,k1:<base64url>`, the current one first; one bare key gets the id `k1`."""
        keys: dict[str, bytes] = {}
        for part in text.split(","):
            name, colon, key = part.strip().partition(":")
            name, key = (name, key) if colon else ("k1", name)
            if name in keys:
                raise ValueError("a key id is given twice")
            keys[name] = decode_key(key)
        return cls(keys)

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, the current one first."""
        return tuple(self._keys)

    def key(self, name: str) -> bytes:
        """The key of this id; raises `KeyError` with the id."""
        return self._keys[name]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

"""Finding without opening: keyed digests. A plain hash of a NIK falls in seconds; one keyed with a secret does not."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from .keyring import KeyRing


class BlindIndex:
    """Equal values have equal entries, per purpose and key version: `k1.<43 signs>`. Nothing leads back to the value.

    While the key is being changed a value may be stored under any version: look for `candidates`, store `of`.
    """

    __slots__ = ("_current", "_states")

    def __init__(self, keys: KeyRing, purpose: str) -> None:
        self._current = keys.current
        # Copying a started state is a third of the cost of starting one, and imports ask for many.
        start = _joined((purpose,))
        self._states = {name: hmac.new(keys.key(name), start, hashlib.sha256) for name in keys.ids}

    def of(self, value: str) -> str:
        """The entry to store, under the current key."""
        return self._entry(self._current, value)

    def candidates(self, value: str) -> tuple[str, ...]:
        """The entries the value may be stored under, the current one first."""
        return tuple(self._entry(name, value) for name in self._states)

    def is_current(self, entry: str) -> bool:
        """Whether a stored entry was made with the current key."""
        return entry.startswith(self._current + ".")

    def _entry(self, name: str, value: str) -> str:
        state = self._states[name].copy()
        state.update(_joined((value,)))
        digest = state.digest()
        return f"{name}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def content_mac(key: bytes, *parts: str) -> str:
    """A keyed digest of a row's content: the same content again is seen to be the same, and tells nothing else."""
    return hmac.new(key, _joined(parts), hashlib.sha256).hexdigest()


def _joined(parts: Iterable[str]) -> bytes:
    # Lengths first, so that ("ab", "c") and ("a", "bc") differ.
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)

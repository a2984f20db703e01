"""Handing over: a box sealed to a public key (X25519) opens only with the private one. The sender needs no secret.

A box is base64url text: 1 byte format, 4 bytes of the receiving key's fingerprint, 32 bytes of a one-time public key, ciphertext
with tag (AES-256-GCM; key and nonce from HKDF-SHA256 over the shared secret, both public keys and the context).
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .keyring import decode_key
from .vault import Unreadable

FORMAT = b"\x01"
HINT = 4
PUBLIC = 32
TAG = 16


def new_pair() -> tuple[str, str]:
    """A fresh pair (private, public), both base64url as the settings want them."""
    private = X25519PrivateKey.generate()
    return _text(private.private_bytes_raw()), _text(private.public_key().public_bytes_raw())


def seal(public: bytes | str, data: bytes, context: str = "") -> str:
    """Seal to a public key (32 bytes or base64url). `context` (whose, what for) must be named again to open."""
    receiver = decode_key(public) if isinstance(public, str) else public
    once = X25519PrivateKey.generate()
    sender = once.public_key().public_bytes_raw()
    secret = once.exchange(X25519PublicKey.from_public_bytes(receiver))
    cipher, nonce = _derived(secret, sender, receiver, context)
    return _text(FORMAT + _hint(receiver) + sender + cipher.encrypt(nonce, data, None))


class BoxKeys:
    """The private keys of a receiver, the current one first; older ones still open."""

    __slots__ = ("_keys", "public")

    def __init__(self, private: Iterable[bytes]) -> None:
        self._keys: dict[bytes, tuple[X25519PrivateKey, bytes]] = {}
        for raw in private:
            key = X25519PrivateKey.from_private_bytes(raw)
            public = key.public_key().public_bytes_raw()
            self._keys[_hint(public)] = (key, public)
        if not self._keys:
            raise ValueError("a receiver needs a private key")
        self.public = _text(next(iter(self._keys.values()))[1])

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a setting: private keys in base64url, separated by commas, the current one first."""
        return cls(decode_key(part.strip()) for part in text.split(","))

    def open(self, box: str, context: str = "") -> bytes:
        """What is in the box; raises `Unreadable`."""
        try:
            raw = base64.b64decode(box + "=" * (-len(box) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error) as error:
            raise Unreadable("not a sealed box") from error
        if len(raw) < 1 + HINT + PUBLIC + TAG or raw[:1] != FORMAT:
            raise Unreadable("not a sealed box")
        sender, sealed = raw[1 + HINT : 1 + HINT + PUBLIC], raw[1 + HINT + PUBLIC :]
        found = self._keys.get(raw[1 : 1 + HINT])
        if found is None:
            raise Unreadable("the box is sealed to another key")
        private, receiver = found
        try:
            secret = private.exchange(X25519PublicKey.from_public_bytes(sender))
            cipher, nonce = _derived(secret, sender, receiver, context)
            return cipher.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError) as error:
            raise Unreadable("a sealed box does not open") from error

    def __repr__(self) -> str:
        return f"BoxKeys({len(self._keys)})"


def _derived(secret: bytes, sender: bytes, receiver: bytes, context: str) -> tuple[AESGCM, bytes]:
    info = b"jembatan box 1" + sender + receiver + context.encode()
    made = HKDF(algorithm=SHA256(), length=44, salt=None, info=info).derive(secret)
    # The key is used for this one message only, so a derived nonce is as good as a random one.
    return AESGCM(made[:32]), made[32:]


def _hint(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:HINT]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")

"""What placement needs beyond what every service needs."""

import base64
import binascii
from typing import Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import Settings as Common


class Settings(Common):
    """What `main` reads from the environment."""

    signing_key: SecretStr = Field(
        SecretStr(""),
        description="RSA private key, PEM or base64 of PEM: attests signed runs. Needed in production; elsewhere a fresh one is made.",
    )
    matching_workers: int = Field(1, ge=1, le=16, description="Processes that compute rounds.")

    @model_validator(mode="after")
    def _signs(self) -> Self:
        if self.environment == "production" and not self.signing_pem:
            raise ValueError("JEMBATAN_SIGNING_KEY must be an RSA private key in PEM (make one: openssl genrsa 3072)")
        return self

    @property
    def signing_pem(self) -> bytes:
        """The key in PEM; empty when none was given."""
        text = self.signing_key.get_secret_value().replace("\\n", "\n").strip()
        if "PRIVATE KEY" not in text:
            try:
                text = base64.b64decode(text, altchars=b"-_", validate=True).decode()
            except (binascii.Error, ValueError):
                return b""
        return (text + "\n").encode() if "PRIVATE KEY" in text else b""

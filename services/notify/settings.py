"""What notify needs beyond every service's settings. Only `main` reads it."""

from pydantic import Field, SecretStr, field_validator

from shared.privacy import BoxKeys, KeyRing
from shared.settings import Settings as Common


class Settings(Common):
    """Environment variables with the prefix `JEMBATAN_`."""

    kek: SecretStr = Field(description="Key-encryption keys of the vault: `k2:<base64url>,k1:<base64url>`, the current one first.")
    contacts_private_key: SecretStr = Field(description="X25519 private keys that open sealed contacts, base64url, the current one first.")
    smtp_url: SecretStr = Field(
        SecretStr("smtp://127.0.0.1:25"), description="The mail server: smtps://, smtp+starttls:// or smtp:// here."
    )
    mail_from: str = Field("jembatan@jembatan.example", description="The sender of letters.")
    public_url: str = Field("http://127.0.0.1:8000", description="How people reach the answer pages; no slash at the end.")

    @field_validator("public_url")
    @classmethod
    def _plain(cls, given: str) -> str:
        if not given.startswith(("https://", "http://")):
            raise ValueError("JEMBATAN_PUBLIC_URL starts with https://")
        return given.rstrip("/")

    @property
    def key_ring(self) -> KeyRing:
        """The vault's key-encryption keys."""
        return KeyRing.parse(self.kek.get_secret_value())

    @property
    def box_keys(self) -> BoxKeys:
        """The keys that open sealed contacts."""
        return BoxKeys.parse(self.contacts_private_key.get_secret_value())

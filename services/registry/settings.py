"""The registry's settings: the common ones and its keys."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from services.registry.store.vault import Safe
from shared.settings import Settings


class RegistrySettings(Settings):
    """Only `main` reads them."""

    service: str = "registry"
    kek: SecretStr = Field(description="Key-encryption keys of the vault: `k2:<key>,k1:<key>`, the current one first, or one bare key.")
    index_key: SecretStr = Field(description="Keys of the blind indexes, in the same form.")
    contacts_public_key: str = Field(description="notify's public key (X25519, base64url), to which contacts are sealed.")

    @model_validator(mode="after")
    def _keys(self) -> Self:
        try:
            self.safe()
        except ValueError:
            raise ValueError("JEMBATAN_KEK, JEMBATAN_INDEX_KEY or JEMBATAN_CONTACTS_PUBLIC_KEY is not 32 bytes in base64url") from None
        return self

    def safe(self) -> Safe:
        """The keys at work."""
        return Safe.parse(self.kek.get_secret_value(), self.index_key.get_secret_value(), self.contacts_public_key)

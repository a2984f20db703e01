"""Settings: typed, read once in `main` from the environment, printed masked at start."""

import base64
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Role = Literal["api", "consumer", "relay", "timers", "jobs"]
ROLES: frozenset[Role] = frozenset(("api", "consumer", "relay", "timers", "jobs"))


def key_bytes(secret: SecretStr, name: str) -> bytes:
    """The 32 bytes of a base64url key; the error names the setting and never shows the key."""
    text = secret.get_secret_value()
    try:
        key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ValueError(f"{name} must be 32 bytes in base64url (make one: openssl rand -base64 32 | tr '+/' '-_')")
    return key


class Settings(BaseSettings):
    """What every service needs. A service adds its own in `services/<name>/settings.py`."""

    model_config = SettingsConfigDict(env_prefix="JEMBATAN_", extra="ignore", hide_input_in_errors=True)

    service: str = Field(description="The service's name: registry, vendor, placement or notify.")
    installation: str = Field("local", description="Names this installation in the source of every event.")
    environment: Literal["development", "demo", "production"] = Field(
        "development", description="`production` refuses what only a demonstration may have."
    )
    owner_url: SecretStr = Field(SecretStr(""), description="Database URL of the owner role; migrations only.")
    api_url: SecretStr = Field(description="Database URL of the api role, held to the caller's regions.")
    worker_url: SecretStr = Field(description="Database URL of the worker role: consumers, relay, timers, jobs.")
    direct_url: SecretStr = Field(SecretStr(""), description="The worker's URL past any pooler, for session locks; empty: the worker URL.")
    kafka_bootstrap: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["127.0.0.1:9092"], description="Brokers, separated by commas."
    )
    topic_prefix: str = Field("jembatan", description="First part of every topic's name.")
    topic_partitions: int = Field(12, ge=1, le=1000, description="Partitions per topic; changing it is a procedure.")
    http_host: str = Field("127.0.0.1", description="Where the doors listen.")
    http_port: int = Field(8000, ge=0, le=65535)
    metrics_host: str = Field("", description="Where the probes and metrics listen; empty: as the doors.")
    metrics_port: int = Field(0, ge=0, le=65535, description="0: any free port.")
    roles: Annotated[frozenset[Role], NoDecode] = Field(
        default=ROLES, description="What this process does: api, consumer, relay, timers, jobs; comma separated."
    )
    clock_url: str = Field("", description="A simulation clock to follow; refused in production.")
    issuers_file: Path = Field(Path("issuers.json"), description="The trusted token issuers.")
    packs_folder: Path = Field(Path("packs"), description="Compiled rule packs, named by hash.")
    cache_folder: Path = Field(Path("var/cache"), description="Where fetched key sets are kept.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    mac_key: SecretStr = Field(description="32 bytes, base64url: fingerprints of idempotent bodies, sealed files.")
    actor_key: SecretStr = Field(description="32 bytes, base64url: pseudonyms of callers.")
    database_pool: int = Field(8, ge=1, le=100, description="Connections per role and process.")
    upload_limit: int = Field(64 * 1024 * 1024, ge=1, description="Largest upload in bytes.")
    job_workers: int = Field(2, ge=1, le=32, description="Jobs worked on at once by this process.")

    @classmethod
    def read(cls) -> Self:
        """The settings as the environment gives them. Raises `ValidationError`, which names what is missing."""
        nothing: dict[str, Any] = {}
        return cls(**nothing)

    @field_validator("kafka_bootstrap", mode="before")
    @classmethod
    def _split(cls, given: Any) -> Any:
        return [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given

    @field_validator("roles", mode="before")
    @classmethod
    def _roles(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = frozenset(part.strip() for part in given.split(",") if part.strip())
        return given or ROLES

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.environment == "production" and self.clock_url:
            raise ValueError("JEMBATAN_CLOCK_URL names a simulation clock; production keeps real time: unset it")
        key_bytes(self.mac_key, "JEMBATAN_MAC_KEY")
        key_bytes(self.actor_key, "JEMBATAN_ACTOR_KEY")
        return self

    @property
    def mac(self) -> bytes:
        """The key of idempotency fingerprints and sealed files."""
        return key_bytes(self.mac_key, "JEMBATAN_MAC_KEY")

    @property
    def actor(self) -> bytes:
        """The key of pseudonyms."""
        return key_bytes(self.actor_key, "JEMBATAN_ACTOR_KEY")

    @property
    def direct(self) -> str:
        """The URL for connections that hold session locks."""
        return self.direct_url.get_secret_value() or self.worker_url.get_secret_value()

    @property
    def source(self) -> str:
        """`ce_source` of this service's events."""
        return f"/jembatan/{self.installation}/{self.service}"

    def masked(self) -> dict[str, object]:
        """The settings as they may be printed: secrets are `***` when given and empty when not."""
        shown: dict[str, object] = {}
        for name, value in self.model_dump().items():
            if isinstance(value, SecretStr):
                shown[name] = "***" if value.get_secret_value() else ""
            elif isinstance(value, frozenset | set):
                shown[name] = ",".join(sorted(map(str, value)))
            elif isinstance(value, int | list | str):
                shown[name] = value
            else:
                shown[name] = str(value)
        return shown

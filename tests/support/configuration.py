"""`docs/configuration.md` from the settings classes: `python -m tests.support.configuration` writes it, a test compares it."""

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shared.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
SERVICES = ("registry", "vendor", "placement", "notify")


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield "# Configuration"
    yield ""
    yield "Environment variables with the prefix `JEMBATAN_`. Secrets are never printed; the others are logged, masked, at start."
    yield "Generated from the settings classes by `make contracts`; do not edit."
    yield from _table("All services", Settings.model_fields)
    for service in SERVICES:
        module = importlib.import_module(f"services.{service}.settings")
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Settings) and found is not Settings:
                own = {name: field for name, field in found.model_fields.items() if name not in Settings.model_fields}
                if own:
                    yield from _table(service, own)


def _table(title: str, fields: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in fields.items():
        default = "" if field.is_required() or "Secret" in str(field.annotation) else field.get_default(call_default_factory=True)
        text = (
            ",".join(sorted(default))
            if isinstance(default, frozenset | set)
            else ",".join(default)
            if isinstance(default, list | tuple)
            else default
        )
        yield f"| `JEMBATAN_{name.upper()}` | {f'`{text}`' if text not in ('', None) else ''} | {field.description or ''} |"


def page() -> str:
    """The whole text."""
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())

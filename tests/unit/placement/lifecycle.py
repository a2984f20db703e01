"""Writes docs/lifecycle.md from the table: `python -m tests.unit.placement.lifecycle`."""

from pathlib import Path

from services.placement.domain import markdown

if __name__ == "__main__":
    (Path(__file__).parents[3] / "docs" / "lifecycle.md").write_text(markdown())

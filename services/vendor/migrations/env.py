"""For those who run `alembic` by hand; the project's own way is `jembatan migrate vendor`."""

from shared.migrating import environment

environment()

"""For those who run `alembic` by hand; the project's own way is `jembatan migrate placement`."""

from shared.migrating import environment

environment()

"""For `alembic` by hand; `jembatan migrate notify` is the usual way."""

from shared.migrating import environment

environment()

"""For those who run `alembic` by hand; `jembatan migrate registry` needs none of it."""

from shared.migrating import environment

environment()

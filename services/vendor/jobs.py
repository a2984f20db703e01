"""No durable jobs here: every piece of work of this service fits one short transaction."""

from collections.abc import Mapping

from shared.jobs import Handler

JOBS: Mapping[str, Handler] = {}

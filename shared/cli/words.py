"""What went wrong, in one line that says what to do next."""

from shared.errors import Problem

_STATES = {
    "28P01": "the database refuses the password: check the URLs in the environment",
    "28000": "the database refuses the role: check the URLs in the environment",
    "3D000": "there is no such database: make it first (deploy/local/provision.py does it on one machine)",
    "42P01": "a table is missing: run `jembatan migrate <service>` first",
    "42501": "the database role may not do this: migrations need JEMBATAN_OWNER_URL, all else the worker's URL",
}


class Stop(Exception):
    """Ends a command with a line of ours."""


def advice(error: BaseException) -> str | None:
    """The line for an expected error; None for a mistake of ours, which deserves its traceback."""
    if isinstance(error, Stop):
        return str(error)
    if isinstance(error, Problem):
        return f"refused: {error.slug}" + (f" - {error.detail}" if error.detail else "")
    if isinstance(error, ExceptionGroup):
        return advice(error.exceptions[0])
    if isinstance(error, AssertionError):
        return f"a check did not hold: {str(error).splitlines()[0] if str(error) else 'see above'}"
    name = type(error).__name__
    module = type(error).__module__
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    if isinstance(state, str) and state in _STATES:
        return _STATES[state]
    if module.startswith("aiokafka"):
        return f"Kafka does not answer ({name}): is it up, and is JEMBATAN_KAFKA_BOOTSTRAP right?"
    if isinstance(error, OSError | TimeoutError) or module.startswith(("asyncpg", "sqlalchemy")):
        return f"the database does not answer ({name}): is it up, and are the JEMBATAN_*_URL settings right?"
    return None

"""What can go wrong, as two kinds: never (refused, with a reason) and not now (try again).

Each error carries a slug that is stable for ever and no value of anybody's: texts are written by us, never made
from input. One place per edge turns them into status codes or into recorded outcomes. Nothing but the standard
library is imported here, so that the domain may raise them.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field: its path ("lots.0.seats"), a stable code, a text without the value."""

    field: str
    code: str
    text: str


class Problem(Exception):
    """Base of all expected failures."""

    status = 500

    def __init__(
        self,
        slug: str,
        detail: str = "",
        *,
        status: int | None = None,
        rule: str = "",
        article: str = "",
        field: str = "",
        errors: Iterable[FieldError | tuple[str, str, str]] = (),
    ) -> None:
        super().__init__(slug)
        self.slug = slug
        self.detail = detail
        if status is not None:
            self.status = status
        self.rule = rule
        self.article = article
        found = tuple(error if isinstance(error, FieldError) else FieldError(*error) for error in errors)
        self.errors = found or ((FieldError(field, slug, detail or title(slug)),) if field else ())

    @property
    def title(self) -> str:
        """The slug as words."""
        return title(self.slug)

    def __reduce__(self) -> tuple[object, ...]:
        # Crossing a process pool must not lose the fields.
        return (_restore, (type(self), self.slug, dict(self.__dict__)))


def _restore(kind: type[Problem], slug: str, state: dict[str, object]) -> Problem:
    problem = kind.__new__(kind, slug)
    problem.__dict__.update(state)
    return problem


def title(slug: str) -> str:
    """`over-the-line` -> `Over the line`."""
    return slug.replace("-", " ").replace("_", " ").capitalize()


class Refused(Problem):
    """Never: a rule forbids it, and asking again changes nothing. `rule` names the rule, `article` its law."""

    status = 409

    def __init__(
        self,
        slug: str,
        detail: str = "",
        *,
        status: int = 409,
        rule: str = "",
        article: str = "",
        field: str = "",
        errors: Iterable[FieldError | tuple[str, str, str]] = (),
    ) -> None:
        super().__init__(slug, detail, status=status, rule=rule, article=article, field=field, errors=errors)


class NotFound(Problem):
    """There is no such thing, or not for this caller: the two are never told apart."""

    status = 404

    def __init__(self, slug: str = "not-found", detail: str = "") -> None:
        super().__init__(slug, detail)


class Unauthenticated(Problem):
    """No token, or none we trust."""

    status = 401

    def __init__(self, slug: str = "unauthenticated", detail: str = "") -> None:
        super().__init__(slug, detail)


class Forbidden(Problem):
    """The caller is known and may not do this."""

    status = 403

    def __init__(self, slug: str = "forbidden", detail: str = "", *, rule: str = "", article: str = "") -> None:
        super().__init__(slug, detail, rule=rule, article=article)


class Invalid(Problem):
    """The request cannot be read as what it claims to be."""

    status = 422

    def __init__(
        self,
        errors: Iterable[FieldError | tuple[str, str, str]] = (),
        *,
        slug: str = "invalid",
        detail: str = "",
        status: int = 422,
    ) -> None:
        super().__init__(slug, detail, status=status, errors=errors)


class NotNow(Problem):
    """Not now: something is missing that will come (a rule pack, a lock, a neighbour). Trying again is right."""

    status = 503

    def __init__(self, slug: str, detail: str = "", *, status: int = 503, retry_after: int = 0) -> None:
        super().__init__(slug, detail, status=status)
        self.retry_after = retry_after

"""One HTTP call: who asks, and the one transaction its work runs in.

The transaction is committed before the answer leaves: a failed commit is a 5xx, never a 200 that did not happen.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from fastapi import Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from pydantic_core import to_json

from shared import identity
from shared.errors import Invalid, Problem, Unauthenticated
from shared.http import upload
from shared.http.idempotency import Answered, Once
from shared.identity import Scope

if TYPE_CHECKING:
    from shared.db import Tx
    from shared.service import Service

T = TypeVar("T")
Role = Literal["api", "worker"]
_BEARER = HTTPBearer(auto_error=False, description="A JWT of a trusted issuer.")


def etag(version: int | str) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def changed() -> Problem:
    """412: the thing is no longer at the version the caller saw."""
    return Problem("changed-meanwhile", "Read it again and repeat the change on what you find.", status=412)


def check(expected: int | None, actual: int) -> None:
    """Refuse with 412 when the caller named a version (If-Match) and the thing is at another."""
    if expected is not None and expected != actual:
        raise changed()


class Call:
    """What a door is given. `scope` is the caller; `service` the machine behind the door."""

    def __init__(self, service: "Service", request: Request, response: Response, scope: Scope) -> None:
        self.service = service
        self.request = request
        self.response = response
        self.scope = scope

    async def read(self, use_case: str, permission: str, work: "Callable[[Tx], Awaitable[T]]", *, role: Role = "api") -> T:
        """Run a read in one transaction under the caller's scope; an empty permission is a public door's."""
        if permission:
            self.scope.require(permission)
        return await self.service.db.attempt(role, self.scope, use_case, work)

    async def write(
        self,
        use_case: str,
        permission: str,
        work: "Callable[[Tx], Awaitable[Any]]",
        *,
        status: int = 200,
        fingerprint: bytes | None = None,
        role: Role = "api",
    ) -> Response:
        """Run a change in one transaction, commit, answer with what `work` returned (a model, mapping, list or None).

        The work may be repeated after a lost race, so it changes nothing outside its transaction. With `Idempotency-Key` on
        a POST the answer is remembered; `fingerprint` stands for a body that was streamed. Headers set on
        `call.response` (an ETag, a Location) go with the answer.
        """
        if permission:
            self.scope.require(permission)
        once = await self._once(fingerprint)

        async def attempt(tx: "Tx") -> Answered:
            if once is not None and (known := await once.before(tx)) is not None:
                return Answered(known.status, {**known.headers, "Idempotent-Replay": "true"}, known.body)
            result = await work(tx)
            await tx.flush()
            body = b"" if result is None else to_json(result.model_dump(mode="json") if isinstance(result, BaseModel) else result)
            headers = {name: self.response.headers[name] for name in ("etag", "location") if name in self.response.headers}
            answered = Answered(204 if result is None and status == 200 else status, headers, body)
            if once is not None:
                await once.after(tx, answered)
            return answered

        answered = await self.service.db.attempt(role, self.scope, use_case, attempt)
        media = "application/json" if answered.body else None
        return Response(answered.body, answered.status, headers=dict(answered.headers), media_type=media)

    async def _once(self, fingerprint: bytes | None) -> Once | None:
        key = self.request.headers.get("idempotency-key")
        if key is None or self.request.method != "POST":
            return None
        url = self.request.url
        body = fingerprint if fingerprint is not None else await self.request.body()
        return Once(
            self.service.settings.mac,
            actor=self.scope.actor,
            method=self.request.method,
            path=url.path,
            key=key,
            body=json.dumps([url.path, url.query]).encode() + b"\n" + body,
        )

    def etag(self, version: int | str) -> None:
        """Put the version on the answer."""
        self.response.headers["ETag"] = etag(version)

    def location(self, path: str) -> None:
        """Say where the thing just made is found."""
        self.response.headers["Location"] = path

    def if_match(self, *, required: bool = False) -> int | None:
        """The version named by If-Match; None without it or for `*`. `required` refuses its absence with 428."""
        given = self.request.headers.get("if-match")
        if given is None:
            if required:
                raise Problem("condition-required", "Say with If-Match which version you saw.", status=428)
            return None
        text = given.strip().removeprefix("W/").strip('"')
        if text == "*":
            return None
        if not text.isdecimal() or not text.isascii() or len(text) > 18:
            raise Invalid([("If-Match", "bad-etag", "is not an ETag of ours")], slug="bad-etag")
        return int(text)

    def upload(self, limit_bytes: int | None = None) -> AsyncIterator[bytes]:
        """The body by the stream; over the limit it ends in 413."""
        return upload.stream(self.request, limit_bytes or self.service.settings.upload_limit)


def _service(request: Request) -> "Service":
    service: Service = request.app.state.service
    return service


async def _call(
    request: Request,
    response: Response,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Call:
    if credentials is None:
        raise Unauthenticated(detail="Send a token: Authorization: Bearer <JWT>.")
    service = _service(request)
    return Call(service, request, response, await service.caller(credentials.credentials))


async def _public_call(request: Request, response: Response) -> Call:
    return Call(_service(request), request, response, identity.PUBLIC)


CallDep = Annotated[Call, Depends(_call, scope="function")]
PublicCallDep = Annotated[Call, Depends(_public_call, scope="function")]

"""A mail server that keeps what it is given: SMTP in, Python or HTTP out.

`GET /messages?to=<address>&after=<number>` -> `{"messages": [{"number", "sender", "to", "subject", "text", "html",
"headers"}]}`, oldest first. It can be told to refuse or to defer, as real servers do.
"""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.servers.web import serving

SIZE_LIMIT = 16 * 1024 * 1024


@dataclass(frozen=True)
class Message:
    """One message as it was handed over. `number` counts from 1 in the order of arrival."""

    number: int
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    raw: bytes = field(repr=False)


class MailSink:
    """Every message handed over since the start, per recipient."""

    def __init__(self) -> None:
        self.smtp_url = ""
        """smtp://127.0.0.1:<port> while `serving`."""
        self.url = ""
        """Address of the HTTP answer, without a path."""
        self.refused: dict[str, str] = {}
        """Recipient (lower case) -> SMTP answer it gets instead of being accepted, e.g. `550 no such mailbox`."""
        self._messages: list[Message] = []
        self._to: dict[str, list[Message]] = {}
        self._arrived = asyncio.Condition()

    def messages(self, to: str | None = None, after: int = 0) -> Sequence[Message]:
        """Messages with a number above `after`, oldest first; with `to`, those for this recipient (any case)."""
        found = self._messages if to is None else self._to.get(to.lower(), [])
        return [message for message in found if message.number > after]

    @property
    def count(self) -> int:
        """How many have arrived: the number of the last one."""
        return len(self._messages)

    async def wait_for(self, to: str, after: int = 0, seconds: float = 60.0) -> Message:
        """The first message for this recipient with a number above `after`. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._arrived:
            while not (found := self.messages(to, after)):
                await self._arrived.wait()
            return found[0]

    @asynccontextmanager
    async def serving(self, smtp_port: int = 0, http_port: int = 0) -> AsyncIterator["MailSink"]:
        """Take mail and answer HTTP while the block runs; 0: any free port."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(
            lambda: SMTP(_Handler(self), data_size_limit=SIZE_LIMIT, enable_SMTPUTF8=True, ident="sink", loop=loop),
            "127.0.0.1",
            smtp_port,
        )
        self.smtp_url = f"smtp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        try:
            async with serving(Starlette(routes=[Route("/messages", self._answer)]), http_port) as self.url:
                yield self
        finally:
            listener.close()

    async def keep(self, sender: str, to: Sequence[str], raw: bytes) -> None:
        """Add one message."""
        parsed = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        message = Message(
            number=len(self._messages) + 1,
            sender=sender,
            to=tuple(to),
            subject=str(parsed["subject"] or ""),
            text=_body(parsed, "plain"),
            html=_body(parsed, "html"),
            headers={name.lower(): str(value) for name, value in parsed.items()},
            raw=raw,
        )
        self._messages.append(message)
        for recipient in {address.lower() for address in to}:
            self._to.setdefault(recipient, []).append(message)
        async with self._arrived:
            self._arrived.notify_all()

    async def _answer(self, request: Request) -> Response:
        try:
            after = int(request.query_params.get("after", "0"))
        except ValueError:
            return JSONResponse({"title": "after is a number"}, 422)
        found = [asdict(message) for message in self.messages(request.query_params.get("to"), after)]
        for message in found:
            del message["raw"]
        return JSONResponse({"messages": found})


class _Handler:
    """What aiosmtpd asks; the names are its own."""

    def __init__(self, sink: MailSink) -> None:
        self._sink = sink

    async def handle_RCPT(  # noqa: N802, RUF100 - aiosmtpd finds it by this name
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self._sink.refused.get(address.lower()):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802, RUF100
        content = envelope.content or b""
        raw = content.encode() if isinstance(content, str) else content
        await self._sink.keep(envelope.mail_from or "", envelope.rcpt_tos, raw)
        return f"250 kept as {self._sink.count}"


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""

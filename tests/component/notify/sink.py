"""A real SMTP server on loopback, with moods: accept, refuse, defer, silent (takes the letter and hangs up), slow, away."""

import asyncio
import contextlib
import email
import re
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session

LINK = re.compile(r"https://jawab\.test(/a/[A-Za-z0-9_-]{43})")


class Sink:
    """Letters by recipient."""

    def __init__(self) -> None:
        self._mood = "accept"
        self._server: asyncio.Server | None = None
        self._letters: dict[str, list[bytes]] = {}
        self.port = 0
        self.taken = asyncio.Event()
        self.go_on = asyncio.Event()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def mood(self, mood: str) -> None:
        self._mood = mood
        self.taken.clear()
        self.go_on.clear()

    def to(self, address: str) -> list[EmailMessage]:
        """The letters somebody got."""
        return [email.message_from_bytes(raw, _class=EmailMessage, policy=default) for raw in self._letters.get(address, [])]

    def link(self, address: str) -> str:
        """The path of the answer link in the newest letter somebody got."""
        return links(self.to(address)[-1])[0]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="sink.test"), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()

    async def handle_EHLO(self, server: Any, session: Session, envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:
        if self._mood == "away":
            server.transport.close()
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if self._mood == "refuse":
            return "550 no such mailbox"
        if self._mood == "defer":
            return "451 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        for address in envelope.rcpt_tos:
            self._letters.setdefault(address, []).append(content)
        if self._mood == "slow":
            self.taken.set()
            await self.go_on.wait()
        if self._mood == "silent":
            with contextlib.suppress(ConnectionError):
                server.transport.abort()
        return "250 taken"


def text(letter: EmailMessage) -> str:
    """The plain part of a letter."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def links(letter: EmailMessage) -> list[str]:
    """The paths of answer links in the plain part."""
    return LINK.findall(text(letter))

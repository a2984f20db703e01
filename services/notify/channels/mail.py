"""Mail by SMTP. Each letter ends as sent, refused for good, to be tried again, or `unknown` when the server fell silent after taking it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from services.notify.domain import MessageState, Sending, Sent, pause
from shared.clock import Clock
from shared.logs import kind, logger

WIRE = SMTP.clone(cte_type="7bit")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
TIMEOUT = 20.0
MOST_ATTEMPTS = 12
log = logger("notify.mail")


class Mail:
    """A mail server, by URL: `smtps://user:password@host:465`, `smtp+starttls://host:587`, or `smtp://127.0.0.1:25`.

    Plain `smtp://` is refused beyond this machine: letters carry names and answer links.
    """

    def __init__(self, url: str, sender: str, clock: Clock) -> None:
        address = urlsplit(url)
        if address.scheme not in {"smtp", "smtps", "smtp+starttls"} or not address.hostname:
            raise ValueError("JEMBATAN_SMTP_URL must be smtps://, smtp+starttls:// or (this machine only) smtp://")
        if address.scheme == "smtp" and address.hostname not in LOOPBACK:
            raise ValueError("JEMBATAN_SMTP_URL: plain smtp:// is for this machine only; use smtps:// or smtp+starttls://")
        if "@" not in sender:
            raise ValueError("JEMBATAN_MAIL_FROM must be a mail address")
        self._host = address.hostname
        self._port = address.port or {"smtp": 25, "smtps": 465, "smtp+starttls": 587}[address.scheme]
        self._tls = address.scheme == "smtps"
        self._starttls = address.scheme == "smtp+starttls"
        self._user = unquote(address.username or "")
        self._password = unquote(address.password or "")
        self._sender = sender
        self._domain = sender.rpartition("@")[2]
        self._clock = clock

    async def send(self, letters: Sequence[Sending], stopping: Callable[[], bool]) -> list[Sent]:
        """Send letters over one connection, one after the other; those not begun when `stopping` turns true go back at once."""
        results: list[Sent] = []
        waiting = list(letters)
        while waiting:
            try:
                async with self._connected() as client:
                    while waiting and client.is_connected:
                        if stopping():
                            return [*results, *(Sent(one.message_id, MessageState.QUEUED) for one in waiting)]
                        # Taken off the list first: whatever happens now, this letter has its own result.
                        results.append(await self._one(client, waiting.pop(0)))
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                log.warning("mail server away", error=kind(error))
                return [*results, *(self._again(one, "server_away") for one in waiting)]
        return results

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            start_tls=self._starttls,
            username=self._user or None,
            password=self._password or None,
            local_hostname=self._domain,
            timeout=TIMEOUT,
        )
        await client.connect()
        try:
            yield client
        finally:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await client.quit()
            client.close()

    async def _one(self, client: aiosmtplib.SMTP, letter: Sending) -> Sent:
        try:
            wire = self._wire(letter)
        except (MessageError, ValueError):
            return Sent(letter.message_id, MessageState.FAILED, "refused")
        try:
            await client.mail(self._sender)
            await client.rcpt(letter.to)
        except aiosmtplib.SMTPRecipientRefused as error:
            await self._reset(client)
            return self._refused(letter, error.code)
        except aiosmtplib.SMTPResponseException as error:
            # The sender is refused: our own setting, not the person's address.
            await self._reset(client)
            log.warning("mail server refuses the sender", code=error.code)
            return self._again(letter, "deferred")
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            log.warning("mail server fell silent before the letter", error=kind(error))
            client.close()
            return self._again(letter, "server_away")
        try:
            await client.data(wire)
        except aiosmtplib.SMTPResponseException as error:
            await self._reset(client)
            return self._refused(letter, error.code)
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            # The server may have taken it: asking again could deliver it twice.
            log.warning("mail server fell silent after the letter", error=kind(error))
            client.close()
            return Sent(letter.message_id, MessageState.UNKNOWN, "no_reply")
        return Sent(letter.message_id, MessageState.SENT)

    def _refused(self, letter: Sending, code: int) -> Sent:
        if code >= 500:
            return Sent(letter.message_id, MessageState.FAILED, "refused")
        return self._again(letter, "deferred")

    def _again(self, letter: Sending, reason: str) -> Sent:
        if reason == "deferred" and letter.attempts >= MOST_ATTEMPTS:
            return Sent(letter.message_id, MessageState.FAILED, "refused")
        return Sent(letter.message_id, MessageState.QUEUED, reason, pause(letter.attempts))

    async def _reset(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            client.close()

    def _wire(self, letter: Sending) -> bytes:
        mail = EmailMessage(policy=WIRE)
        mail["From"] = self._sender
        mail["To"] = letter.to
        mail["Subject"] = letter.written.subject
        mail["Date"] = format_datetime(self._clock.now().wall)
        # The same letter has the same id, so that a mailbox can tell a repeat.
        mail["Message-ID"] = f"<{letter.message_id}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["Content-Language"] = letter.written.language
        mail.set_content(letter.written.text)
        mail.add_alternative(letter.written.html, subtype="html")
        letter.to.encode("ascii")
        if [one.addr_spec for one in mail["To"].addresses] != [letter.to]:
            raise ValueError("not one mail address")
        return mail.as_bytes()

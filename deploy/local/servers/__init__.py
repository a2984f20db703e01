"""Stand-ins for what surrounds an installation: a token issuer, a mail server, a clock. All on the loopback address."""

from deploy.local.servers.clockserver import ClockServer
from deploy.local.servers.issuer import Issuer
from deploy.local.servers.mailsink import MailSink, Message

__all__ = ["ClockServer", "Issuer", "MailSink", "Message"]

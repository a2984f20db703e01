"""The outside world: how words reach people. Mail goes by SMTP; SMS has its place and no provider yet; paper goes by the agency."""

from .mail import Mail
from .texts import Texts

__all__ = ["Mail", "Texts"]

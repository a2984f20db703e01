"""How a person is reached: what registry hands to notify, in one form, sealed."""

from uuid import UUID

import msgspec

from .boxes import BoxKeys, seal
from .vault import Unreadable

BLOCK = 128


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Name, chosen form of address (`Ibu`, `Bapak`, `Kak`), mail address and phone (empty when there is none)."""

    name: str
    address_form: str
    email: str = ""
    phone: str = ""
    locale: str = "id"
    worker_number: str = ""

    def encode(self) -> bytes:
        """JSON, padded with spaces to full blocks, so that the length of a box does not tell the length of a name."""
        text = msgspec.json.encode(self)
        return text + b" " * (-len(text) % BLOCK)

    @classmethod
    def decode(cls, text: bytes) -> "Contact":
        """Raises `Unreadable` (without the text) when it is not a contact."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError:
            raise Unreadable("not a contact") from None

    def seal(self, public: bytes | str, worker_id: UUID) -> str:
        """For the event `contact.changed`: only the receiver opens it, and only as this worker's."""
        return seal(public, self.encode(), f"contact:{worker_id}")

    @classmethod
    def open(cls, keys: BoxKeys, box: str, worker_id: UUID) -> "Contact":
        """The receiver's side; raises `Unreadable`."""
        return cls.decode(keys.open(box, f"contact:{worker_id}"))

    def __repr__(self) -> str:
        return "Contact(...)"

    __str__ = __repr__

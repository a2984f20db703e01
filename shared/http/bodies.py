"""Bodies as strict as JSON allows: no unknown fields, no endless texts, no NUL, no number where a text is due."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from shared.privacy.redaction import personal

LONGEST_TEXT = 4000
DEEPEST = 16


def bad(code: str, text: str) -> PydanticCustomError:
    """A validator's refusal; the text is ours and quotes nothing. Usage: `raise bad("not_a_region", "must be a region code")`."""
    return PydanticCustomError(code, text)


def _storable(value: Any, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise bad("too_deep", "is nested too deeply")
    if isinstance(value, str):
        # PostgreSQL stores neither NUL nor half of a surrogate pair.
        if "\x00" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise bad("unstorable", "holds a character that cannot be stored")
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key, depth + 1)
            _storable(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _storable(item, depth + 1)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise bad("too_big", "is too big a number")


def impersonal(text: str) -> str:
    """The text of an office, kept as it is written and told to others: no number or address of a person may stand in it."""
    if personal(text):
        raise bad("personal", "holds a NIK, a telephone number or a mail address, which do not belong here")
    return text


class Body(BaseModel):
    """Base of every HTTP body, in and out."""

    model_config = ConfigDict(
        extra="forbid",
        hide_input_in_errors=True,
        str_max_length=LONGEST_TEXT,
        allow_inf_nan=False,
        frozen=True,
        from_attributes=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _only_storable(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name, item in data.items():
                if isinstance(item, bool) and name in cls.model_fields and cls.model_fields[name].annotation is int:
                    raise bad("int_not_bool", "must be a whole number")
                _storable(item)
        return data

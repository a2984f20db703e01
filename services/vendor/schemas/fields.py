"""The fields that several bodies share."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.http import impersonal

Money = Annotated[int, Field(strict=True, ge=0, le=10**15)]
Positive = Annotated[int, Field(strict=True, ge=1, le=10**13)]
Seats = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(impersonal)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True), AfterValidator(impersonal)]
Region = Annotated[str, StringConstraints(pattern=r"^\d\d\.\d\d$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,59}$")]

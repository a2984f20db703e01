"""One region's offices: who holds which role, and the calls they make. A person has one role; two officers where the law wants two."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from .driver import Driver, Refusal
from .figures import Figures


@dataclass(slots=True)
class Office:
    """The officers of one region."""

    driver: Driver
    figures: Figures
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """Kode wilayah."""
        return self.figures.region

    def token(self, role: str, person: str = "", *, agency: str = "", vendor: UUID | str | None = None) -> str:
        """A token of the officer `<role>-<person>`; the same officer gets the same token."""
        subject = "-".join(filter(None, (role, person, agency, str(vendor or ""))))
        if subject not in self.tokens:
            agencies = (agency,) if agency else ()
            mint = self.driver.place.mint
            vendor_id = UUID(str(vendor)) if vendor else None
            self.tokens[subject] = mint(self.figures.issuer, subject, (role,), (self.region,), agencies, vendor_id)
        return self.tokens[subject]

    async def get(self, service: str, path: str, token: str = "", **params: Any) -> Any:
        """A JSON answer."""
        return (await self.driver.call("GET", f"{self.driver.place.url(service)}{path}", token, params=params)).json()

    async def text(self, service: str, path: str, token: str = "", **params: Any) -> str:
        """A text answer."""
        return (await self.driver.call("GET", f"{self.driver.place.url(service)}{path}", token, params=params)).text

    async def post(self, service: str, path: str, token: str, body: Any) -> Any:
        """A JSON answer to a JSON body."""
        return (await self.driver.call("POST", f"{self.driver.place.url(service)}{path}", token, json=body)).json()

    async def refused(self, service: str, path: str, token: str, body: Any) -> Refusal:
        """Post something that must be refused; the refusal. Raises `AssertionError` when it is taken."""
        try:
            answer = await self.post(service, path, token, body)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"{path} was taken and must be refused: {answer}")

    def list(self, service: str, path: str, token: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Every item of a paged list of this region."""
        return self.driver.pages(f"{self.driver.place.url(service)}{path}", token, region=self.region, **params)

    async def upload(self, kind: str, content: bytes) -> dict[str, Any]:
        """A file for the registry, streamed; the finished import. Raises `AssertionError` when the job failed."""
        token = self.token("people_officer", "a")
        url = f"{self.driver.place.url('registry')}/v1/imports"
        params = {"region": self.region, "kind": kind}
        headers = {"content-type": "text/csv"}
        started = (await self.driver.call("POST", url, token, params=params, content=content, headers=headers)).json()

        async def done() -> dict[str, Any] | None:
            found: dict[str, Any] = await self.get("registry", f"/v1/imports/{started['import_id']}", token)
            return found if found["state"] in ("done", "failed") else None

        found: dict[str, Any] = await self.driver.until(f"the import of {kind}", done)
        assert found["state"] == "done", found
        return found

    async def uploads(self, kind: str, rows: Sequence[dict[str, str]]) -> dict[str, Any]:
        """`upload` of rows, none of which may be rejected."""
        from .people import table

        found = await self.upload(kind, table(rows))
        assert found["read"] == len(rows) and not found["rejected"], (kind, len(rows), found)
        return found

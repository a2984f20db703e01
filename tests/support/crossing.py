"""A region's things as its own officers and its own databases know them, to see whether anybody else gets to see one."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from deploy.local.scenario.stage import Stage
from tests.support.planted import texts_of

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NOT_THE_REGIONS = frozenset({"audit"})
"""Tables that an attempt from outside may write to."""


async def prepare(stage: Stage) -> dict[str, Sequence[str]]:
    """Kind of id -> real ids, fetched with the region's own tokens; what the scenario left out is made first."""
    office = stage.office
    known: dict[str, Sequence[str]] = {}
    clerk, procurement = office.token("people_officer", "a"), office.token("procurement_officer", "a")
    signer, desk = office.token("placement_signer", "b"), office.token("desk", "a")

    async def fetch(service: str, path: str, token: str, **params: Any) -> list[dict[str, Any]]:
        return [item async for item in office.list(service, path, token, **params)]

    people = await fetch("registry", "/v1/people", clerk)
    known["worker_number"] = [one["worker_number"] for one in people]
    placements = await fetch("placement", "/v1/placements", signer)
    known["placement_id"] = [one["id"] for one in placements]
    known["worker_id"] = [one["worker_id"] for one in placements]
    known["nik"] = [stage.persons[worker].nik for worker in known["worker_id"]]
    merge = {"survivor_id": known["worker_id"][-1], "merged_id": known["worker_id"][-2], "reason": "double_entry"}
    await office.post("registry", "/v1/merges", clerk, merge)
    known["merge_id"] = [one["merge_id"] for one in await fetch("registry", "/v1/merges", clerk)]
    known["pack_id"] = [one["pack_id"] for one in await fetch("registry", "/v1/packs", clerk)]
    imports = await fetch("registry", "/v1/imports", clerk)
    known["import_id"] = [one["import_id"] for one in imports if sum(one["rejected"].values())]
    known["roll_seal_id"] = [one["seal_id"] for one in await fetch("registry", "/v1/rolls", clerk)]
    contracts = [one for one in await fetch("vendor", "/v1/contracts", procurement) if one["state"] == "signed"]
    known["contract_id"] = [one["id"] for one in contracts]
    known["vendor_id"] = [one["vendor_id"] for one in contracts]
    known["lot_id"] = [lot["lot_id"] for one in contracts for lot in one["lots"]]
    known["line_id"] = [one["id"] for one in await fetch("vendor", "/v1/budget-lines", office.token("treasurer", "a"))]
    agent = office.token("vendor_user", "a", vendor=known["vendor_id"][0])
    lot = contracts[0]["lots"][0]["lot_id"]
    roster = {
        "contract_id": known["contract_id"][0],
        "month": "2026-01-01",
        "people": [{"worker_id": known["worker_id"][0], "lot_id": lot}],
    }
    await office.post("vendor", "/v1/rosters", agent, roster)
    known["roster_id"] = [one["id"] for one in await fetch("vendor", "/v1/rosters", agent)]
    known["case_id"] = [one["id"] for one in await fetch("vendor", "/v1/cases", office.token("mediator", "a"))]
    known["round_id"] = [one["id"] for one in await fetch("placement", "/v1/rounds", signer)]
    round_ = await office.get("placement", f"/v1/rounds/{known['round_id'][0]}", signer)
    known["capacity_seal_id"] = [round_["capacity_seal_id"]]
    files = await office.get("placement", f"/v1/rounds/{known['round_id'][0]}/files", signer)
    known["/v1/rounds/{round_id}/files/{name} name"] = [one["name"] for one in files["items"]]
    known["/v1/rounds/{round_id}/openings/{name} name"] = ["openings.jsonl"]
    known["offer_id"] = [one["id"] for one in await fetch("placement", "/v1/offers", signer)]
    known["question_id"] = [one["id"] for one in await fetch("notify", "/v1/questions", desk)]
    for service, token in (("registry", clerk), ("placement", signer), ("notify", clerk)):
        known[f"{service} job_id"] = [one["id"] for one in await fetch(service, "/v1/jobs", token)]
    # this service has no long work of its own
    known["vendor job_id"] = known["registry job_id"]
    known["token"] = [link.rsplit("/", 1)[-1] for link in stage.notes.get("links", ())]
    await office.driver.quiet()
    empty = sorted(kind for kind, values in known.items() if not values)
    assert not empty, f"the scenario left nothing to ask for of {empty}"
    return known


@dataclass(slots=True)
class Kept:
    """What the databases hold of a region: its ids, and a digest of every table's rows of it."""

    ids: set[str] = field(default_factory=set)
    digests: dict[str, str] = field(default_factory=dict)
    rows: int = 0


async def kept(dsns: Mapping[str, str], region: str) -> Kept:
    """Every row of the region in every table."""
    found = Kept()
    for service, dsn in dsns.items():
        connection = await asyncpg.connect(dsn)
        try:
            tables = await connection.fetch(
                "SELECT table_schema AS s, table_name AS t FROM information_schema.columns WHERE column_name = 'region'"
                " AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
            )
            for one in tables:
                rows = await connection.fetch(
                    f'SELECT t::text AS r FROM "{one["s"]}"."{one["t"]}" t WHERE region = $1 ORDER BY 1',
                    region,
                )
                texts = [row["r"] for row in rows]
                found.rows += len(texts)
                found.ids.update(uuid for text in texts for uuid in UUIDS.findall(text))
                if one["t"] not in NOT_THE_REGIONS:
                    found.digests[f"{service}.{one['t']}"] = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        finally:
            await connection.close()
    return found


@dataclass(slots=True)
class Known:
    """Knows a region's things again in an answer."""

    ids: set[str]
    texts: tuple[str, ...]
    """In small letters."""

    @classmethod
    def of(cls, stage: Stage, ids: set[str], more: Iterable[str]) -> "Known":
        """Ids, everything personal, and further texts of the region."""
        texts = {text.lower() for _, text in texts_of(stage.people)} | {text.lower() for text in more}
        return cls(ids, tuple(sorted(texts)))

    def seen(self, answer: str, sent: str) -> list[str]:
        """What of the region the answer holds that its caller did not send."""
        small = answer.lower()
        found = [uuid for uuid in UUIDS.findall(small) if uuid in self.ids and uuid not in sent]
        return found + [text for text in self.texts if text in small and text not in sent.lower()]

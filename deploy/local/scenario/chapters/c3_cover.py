"""Vendors and cover: strict selection, the budget line with its three locks, contracts with lots; refusals name rule and article."""

from datetime import date
from typing import Any

from deploy.local.scenario.figures import VendorPlan
from deploy.local.scenario.stage import Stage, Step
from shared.regulation import rules
from shared.regulation.sources import build

TITLE = "cover"
BUDGET = 45.0
SELECTION = date(2025, 12, 10)
DRAFTED = date(2025, 12, 29)
SIGNED = date(2026, 1, 2)


def steps(stage: Stage) -> list[Step]:
    """Selection in December, signatures once the DPA and the SPD are there."""
    return [
        Step(SELECTION, TITLE, "selection", lambda: selection(stage)),
        Step(DRAFTED, TITLE, "drafts", lambda: drafts(stage)),
        Step(SIGNED, TITLE, "signatures", lambda: signatures(stage)),
    ]


async def register(stage: Stage, name: str, *, guards: bool = False, bpjs: bool = True) -> dict[str, Any]:
    """A vendor with its documents, registered by one officer."""
    office, token = stage.office, stage.office.token("procurement_officer", "a")
    number = f"{len(stage.notes.setdefault('vendors', {})) + 1:013d}"
    vendor = await office.post("vendor", "/v1/vendors", token, {"region": stage.region, "name": name, "nib": number})
    kinds = ["legal_entity", "nib", "kbli", *(["bpjs_employment", "bpjs_health"] if bpjs else []), *(["bujp"] if guards else [])]
    documents = [{"kind": kind, "number": f"{kind}-{number}", "valid_from": "2024-01-01", "valid_until": "2028-12-31"} for kind in kinds]
    found: dict[str, Any] = await office.post("vendor", f"/v1/vendors/{vendor['id']}/documents", token, {"documents": documents})
    stage.notes["vendors"][name] = found["id"]
    return found


async def selection(stage: Stage) -> None:
    """Two qualified, one refused for missing insurance records, one qualified and later on the blacklist."""
    office = stage.office
    registrar, assessor = office.token("procurement_officer", "a"), office.token("procurement_officer", "b")
    minutes = {"minutes": "BA-01/2025"}
    for plan in stage.figures.vendors:
        vendor = await register(stage, plan.name, guards=plan.guard_licence)
        path = f"/v1/vendors/{vendor['id']}/qualification"
        if plan is stage.figures.vendors[0]:
            found = await office.refused("vendor", path, registrar, minutes)
            stage.refusal("a vendor qualified by the officer who registered it", found, "separation-of-duties")
        judged = await office.post("vendor", path, assessor, minutes)
        assert judged["state"] == "qualified", judged
    weak = await register(stage, "PT Tanpa Jaminan", bpjs=False)
    judged = await office.post("vendor", f"/v1/vendors/{weak['id']}/qualification", assessor, minutes)
    assert judged["state"] == "refused" and judged["reasons"], judged
    for reason in judged["reasons"]:
        stage.refused.append(
            {
                "what": "a vendor without its documents",
                "slug": reason["slug"],
                "rule": reason.get("rule") or reason["slug"],
                "article": reason["article"],
            }
        )
    black = await register(stage, "PT Pernah Ingkar")
    await office.post("vendor", f"/v1/vendors/{black['id']}/qualification", assessor, minutes)
    ban = {"reason": "wages-withheld", "decree": "SK-77/2025"}
    await office.post("vendor", f"/v1/vendors/{black['id']}/debarment", assessor, ban)
    stage.notes["debarred"] = black["id"]


def draft(stage: Stage, plan: VendorPlan, number: str, lines: list[str], **changes: Any) -> dict[str, Any]:
    """The body of a contract draft: every lot at the floor of 2026 and the least price that covers it."""
    pack = build(stage.region)
    wage = rules.wage_floor(pack, SIGNED)
    price = rules.least_price(pack, wage, SIGNED)
    lots = [
        {
            "agency": lot.agency,
            "job": lot.job,
            "site": lot.site,
            "kecamatan": lot.kecamatan,
            "seats": lot.seats,
            "wage": changes.get("wage", wage),
            "price_per_seat_month": price,
        }
        for lot in plan.lots
    ]
    for lot in lots:
        lot["seats"] = int(lot["seats"]) * changes.get("times", 1)
    return {
        "region": stage.region,
        "vendor_id": changes.get("vendor", stage.notes["vendors"][plan.name]),
        "number": number,
        "budget_line_ids": lines,
        "starts_on": SIGNED.isoformat(),
        "ends_on": "2026-12-31",
        "lots": lots,
        "obligation": {"incumbents": True, "by": "2026-02-28"},
        "transfer_clause": True,
    }


async def drafts(stage: Stage) -> None:
    """The budget line before the council agreed: drafting may run, signing may not."""
    office, budget = stage.office, stage.figures.budget
    treasurer, drafter = office.token("treasurer", "a"), office.token("procurement_officer", "a")
    signer = office.token("commitment_officer", "a")
    body = {"region": stage.region, "agency": "setda", "account": budget.account, "year": 2026, "ceiling": budget.ceiling}
    line = await office.post("vendor", "/v1/budget-lines", treasurer, body)
    stage.notes["line"] = line["id"]
    early = await office.post("vendor", "/v1/contracts", drafter, draft(stage, stage.figures.vendors[0], "027/000/2026", [line["id"]]))
    found = await office.refused("vendor", f"/v1/contracts/{early['id']}/signature", signer, {})
    stage.refusal("a contract on a line the council has not approved", found, "line-not-approved")
    stage.notes["contracts"] = {}
    for plan in stage.figures.vendors:
        contract = await office.post("vendor", "/v1/contracts", drafter, draft(stage, plan, plan.contract, [line["id"]]))
        stage.notes["contracts"][plan.name] = contract["id"]


async def signatures(stage: Stage) -> None:
    """DPA and SPD are there: what is lawful is signed, what is not is refused with rule and article."""
    office, budget, line = stage.office, stage.figures.budget, stage.notes["line"]
    treasurer, drafter = office.token("treasurer", "a"), office.token("procurement_officer", "a")
    signer = office.token("commitment_officer", "a")
    approval = {"dpa_number": "DPA-2026/01", "approved_on": "2025-12-30"}
    await office.post("vendor", f"/v1/budget-lines/{line}/approval", treasurer, approval)
    release = {"quarter": 1, "spd_number": "SPD-2026/1", "released_on": "2026-01-02", "amount": budget.ceiling}
    await office.post("vendor", f"/v1/budget-lines/{line}/releases", treasurer, release)
    old_floor = rules.wage_floor(build(stage.region), date(2025, 12, 31))
    first = stage.figures.vendors[0]
    bad = (
        ("a wage below the floor of 2026", "wage-below-floor", {"wage": old_floor}),
        ("a contract over its budget line", "over-the-line", {"times": 9}),
        ("a contract with a vendor on the blacklist", "vendor-debarred", {"vendor": stage.notes["debarred"]}),
    )
    for at, (what, slug, changes) in enumerate(bad):
        made = await office.post("vendor", "/v1/contracts", drafter, draft(stage, first, f"027/9{at}/2026", [line], **changes))
        found = await office.refused("vendor", f"/v1/contracts/{made['id']}/signature", signer, {})
        stage.refusal(what, found, slug)
    for contract in stage.notes["contracts"].values():
        signed = await office.post("vendor", f"/v1/contracts/{contract}/signature", signer, {})
        assert signed["state"] == "signed", signed
    less = {"ceiling": budget.ceiling // 2, "basis": "rationalisation"}
    found = await office.refused("vendor", f"/v1/budget-lines/{line}/revision", treasurer, less)
    stage.refusal("a budget line revised below its commitments", found, "revision-below-commitments")
    now = await office.get("vendor", f"/v1/budget-lines/{line}", treasurer)
    assert now["committed"] <= now["ceiling"], now

"""Gates of the signature, amendments, the end, findings."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vendor.domain import Contract, Line, Vendor, contracts, findings, vendors
from services.vendor.domain.contracts import Reduction
from shared.errors import Refused
from shared.events.vendor import ContractAmended, ContractEnded, ContractSigned, VendorQualified, VendorRefused
from shared.regulation import Pack
from tests.unit.vendor import made

calm = settings(derandomize=True, deadline=None, max_examples=60)


def sign(
    contract: Contract | None = None,
    *,
    vendor: Vendor | None = None,
    lines: list[Line] | None = None,
    pack: Pack = made.PACK,
    on: date = made.TODAY,
    signer: str = "signer",
) -> contracts.Change:
    return contracts.sign(contract or made.contract(), vendor or made.vendor(), lines or [made.line()], pack, on, signer=signer)


def test_a_signature_commits_and_tells() -> None:
    change = sign()
    assert (change.contract.state, change.contract.terms, change.contract.signed_by) == ("signed", 1, "signer")
    (line,), (movement,), (fact,) = change.lines, change.movements, change.facts
    assert line.committed == movement.amount == 2 * 12 * made.PRICE
    assert isinstance(fact, ContractSigned)
    assert (fact.terms, fact.lots[0].covered_seats, fact.obligation_by) == (1, 2, date(2026, 2, 28))


@pytest.mark.parametrize(
    ("slug", "more"),
    [
        ("contract-not-draft", {"contract": made.signed()}),
        ("separation-of-duties", {"signer": "drafter"}),
        ("contract-over", {"on": date(2027, 1, 1)}),
        ("vendor-debarred", {"vendor": made.vendor(debarred=True)}),
        ("vendor-not-qualified", {"vendor": made.vendor(standing="registered")}),
        ("vendor-not-qualified", {"vendor": made.vendor(qualified_until=date(2026, 1, 1))}),
        ("licence-missing", {"vendor": made.vendor(papers=made.papers("legal_entity", "nib"))}),
        (
            "licence-missing",
            {"vendor": made.vendor(papers=made.papers(*made.KINDS[:5])), "contract": made.contract(lots=(made.lot(job="guard"),))},
        ),
        ("no-transfer-clause", {"contract": made.contract(transfer_clause=False)}),
        ("unknown-agency", {"contract": made.contract(lots=(made.lot(agency="none"),))}),
        ("unknown-kecamatan", {"contract": made.contract(lots=(made.lot(kecamatan="99.01.01"),))}),
        ("no-legal-basis", {"contract": made.contract(lots=(made.lot(job="administrative"),))}),
        ("unknown-job", {"contract": made.contract(lots=(made.lot(job="pilot"),))}),
        ("wage-below-floor", {"contract": made.contract(lots=(made.lot(), made.lot(wage=made.FLOOR - 1)))}),
        ("price-below-cost", {"contract": made.contract(lots=(made.lot(price_per_seat_month=made.FLOOR + 1),))}),
        ("line-missing", {"lines": [made.line(year=2025)]}),
        ("line-missing", {"lines": [made.line(), made.line()]}),
        ("line-not-approved", {"lines": [made.line(state="draft", approved_on=None)]}),
        ("line-not-approved", {"lines": [made.line(approved_on=date(2026, 1, 3))]}),
        ("over-the-line", {"lines": [made.line(2 * 12 * made.PRICE - 1)]}),
        ("over-the-line", {"contract": made.contract(partial_cover=True), "lines": [made.line(12 * made.PRICE - 1)]}),
        ("spd-missing", {"contract": made.contract(starts_on=date(2026, 4, 1))}),
    ],
)
def test_a_signature_is_refused_with_rule_and_article(slug: str, more: dict[str, Any]) -> None:
    with pytest.raises(Refused) as no:
        sign(**more)
    assert no.value.slug == slug and no.value.article and no.value.rule


def test_the_floor_of_every_known_month_counts() -> None:
    spans = made.contract(starts_on=date(2025, 12, 1), ends_on=date(2026, 11, 30), lots=(made.lot(wage=made.FLOOR_2025),))
    lines = [
        made.line(
            year=2025, quarters=tuple(replace(q, spd_number="SPD", released_on=made.TODAY, released=10**12) for q in made.line().quarters)
        ),
        made.line(),
    ]
    with pytest.raises(Refused, match="wage-below-floor") as no:
        sign(spans, lines=lines)
    assert "88E" in no.value.article and "2026-01-01" in no.value.detail
    unknown = msgspec.structs.replace(made.PACK, figures={**made.PACK.figures, "wage_floor": made.PACK.figures["wage_floor"][:1]})
    signed = sign(spans, lines=lines, pack=unknown)
    assert {line.year: line.committed for line in signed.lines} == {2025: 2 * made.PRICE, 2026: 22 * made.PRICE}


def test_the_same_contract_is_right_on_31_december_and_short_on_1_january() -> None:
    running = made.signed(
        starts_on=date(2025, 12, 1), ends_on=date(2026, 11, 30), lots=(made.lot(5, covered_seats=4, wage=made.FLOOR_2025), made.lot())
    )
    assert findings.below_floor(running, made.PACK, date(2025, 12, 31)) == ()
    (found,) = findings.below_floor(running, made.PACK, date(2026, 1, 1))
    assert (found.shortfall_per_seat, found.shortfall) == (made.FLOOR - made.FLOOR_2025, 4 * (made.FLOOR - made.FLOOR_2025))
    assert found.pack == made.PACK.sha256 and "88E" in found.article
    assert findings.below_floor(running, made.PACK, date(2026, 3, 1))[0].id == found.id
    assert findings.below_floor(replace(running, state="ended"), made.PACK, date(2026, 1, 1)) == ()
    assert findings.below_floor(running, made.PACK, date(2026, 12, 1)) == ()


def test_a_contract_is_judged_at_its_start_and_every_first_of_january() -> None:
    spans = made.signed(starts_on=date(2025, 12, 1), ends_on=date(2027, 1, 1))
    found = [date(2025, 11, 1)]
    while (following := findings.next_floor_day(spans, found[-1])) is not None:
        found.append(following)
    assert found[1:] == [date(2025, 12, 1), date(2026, 1, 1), date(2027, 1, 1)]


def test_seats_given_back_change_terms_and_free_the_months_after() -> None:
    contract = made.signed(lots=(made.lot(5, covered_seats=5),))
    lot, line = contract.lots[0], replace(made.line(), committed=60 * made.PRICE)
    asked, facts = contracts.ask_back(contract, uuid4(), lot.lot_id, 3, 0, made.TODAY)
    assert len(facts) == 1 and (asked.asked, asked.released) == (3, 0)
    answer = contracts.amend(contract, asked, 2, {2026: line}, date(2026, 3, 10))
    assert not isinstance(answer, str)
    change, reduction = answer
    (fact,) = change.facts
    assert isinstance(fact, ContractAmended)
    assert (fact.terms, fact.lots[0].seats, fact.lots[0].covered_seats, reduction.released) == (2, 3, 3, 2)
    assert change.lines[0].committed == 60 * made.PRICE - 2 * 9 * made.PRICE
    assert contracts.amend(change.contract, reduction, 2, {2026: line}, made.TODAY) == "over-release"
    assert contracts.amend(replace(contract, state="ended"), asked, 1, {2026: line}, made.TODAY) == "contract-not-running"
    elsewhere = Reduction(uuid4(), made.REGION, contract.id, uuid4(), 1)
    assert contracts.amend(contract, elsewhere, 1, {2026: line}, made.TODAY) == "unknown-lot"


def test_uncovered_seats_go_first_and_free_nothing() -> None:
    contract = made.signed(lots=(made.lot(5, covered_seats=3),))
    asked = Reduction(uuid4(), made.REGION, contract.id, contract.lots[0].lot_id, 5)
    answer = contracts.amend(contract, asked, 2, {2026: made.line()}, made.TODAY)
    assert not isinstance(answer, str)
    assert (answer[0].movements, answer[0].contract.lots[0].covered_seats) == ((), 3)


@pytest.mark.parametrize(("more", "slug"), [({"seats": 3}, "reduction-too-large"), ({"lot": uuid4()}, "unknown-lot")])
def test_a_reduction_asks_for_what_is_there(more: dict[str, Any], slug: str) -> None:
    contract = made.signed()
    with pytest.raises(Refused, match=slug):
        contracts.ask_back(contract, uuid4(), more.get("lot", contract.lots[0].lot_id), more.get("seats", 1), 0, made.TODAY)
    with pytest.raises(Refused, match="contract-not-running"):
        contracts.ask_back(made.contract(), uuid4(), uuid4(), 1, 0, made.TODAY)


@calm
@given(day=st.dates(date(2025, 12, 1), date(2027, 1, 31)), seats=st.integers(1, 9))
def test_whatever_the_day_of_the_end_the_paid_months_stay_committed(day: date, seats: int) -> None:
    contract = made.signed(lots=(made.lot(seats, covered_seats=seats),))
    line = replace(made.line(), committed=12 * seats * made.PRICE)
    change = contracts.end(contract, {2026: line}, day, reason="terminated")
    paid = 0 if day < made.START else min(12, 12 * (day.year - 2026) + day.month)
    left = change.lines[0].committed if change.lines else line.committed
    assert left == paid * seats * made.PRICE
    assert isinstance(change.facts[0], ContractEnded) and change.contract.ended_on == day


def test_a_vendor_is_refused_with_every_reason_and_qualified_without_any() -> None:
    lacking = made.vendor(standing="registered", papers=made.papers("legal_entity", "nib", "bpjs_employment"))
    judged, (fact,) = vendors.qualify(lacking, made.PACK, made.TODAY, assessor="assessor", grounds=("false-minutes",))
    assert isinstance(fact, VendorRefused)
    assert (judged.state, fact.reasons) == ("refused", ("missing-bpjs-health", "missing-kbli", "false-minutes"))
    assert all(reason.article for reason in judged.reasons)
    whole = replace(judged, papers=made.papers())
    again, (told,) = vendors.qualify(whole, made.PACK, made.TODAY, assessor="assessor", until=date(2026, 12, 31))
    assert isinstance(told, VendorQualified)
    assert (again.state, again.reasons, told.qualified_until) == ("qualified", (), date(2026, 12, 31))


def test_an_expired_document_counts_as_none() -> None:
    old = tuple(replace(paper, valid_until=date(2026, 1, 1)) if paper.kind == "kbli" else paper for paper in made.papers())
    judged, _ = vendors.qualify(made.vendor(papers=old), made.PACK, made.TODAY, assessor="assessor")
    assert [reason.slug for reason in judged.reasons] == ["expired-kbli"]


def test_the_blacklist_outranks_the_standing_and_passes() -> None:
    listed, _ = vendors.debar(made.vendor(), made.TODAY, reason="wages_withheld", until=None)
    assert listed.state == "debarred"
    with pytest.raises(Refused, match="vendor-debarred"):
        vendors.debar(listed, made.TODAY, reason="x", until=None)
    with pytest.raises(Refused, match="vendor-debarred"):
        vendors.qualify(listed, made.PACK, made.TODAY, assessor="assessor")
    with pytest.raises(Refused, match="not-debarred"):
        vendors.lift(made.vendor(), made.TODAY)
    with pytest.raises(Refused, match="separation-of-duties"):
        vendors.qualify(made.vendor(), made.PACK, made.TODAY, assessor="registrar")
    assert vendors.lift(listed, made.TODAY)[0].state == "qualified"

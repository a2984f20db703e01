"""Work agreements against accepted offers; refusals; rules that name their law."""

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vendor.domain import RULES, Contract, people
from shared.errors import Refused
from shared.events.vendor import CaseOpened, WorkAgreementRecorded
from tests.unit.vendor import made

calm = settings(derandomize=True, deadline=None, max_examples=60)


def test_what_fits_is_recorded() -> None:
    contract = made.signed()
    offer = made.offer(contract)
    (verdict,) = people.record([made.agreement(offer)], made.known(contract, offer), contract.vendor_id, made.TODAY)
    assert verdict.outcome == "recorded" and isinstance(verdict.fact, WorkAgreementRecorded)
    assert (verdict.fact.worker_id, verdict.fact.lot_id, verdict.fact.terms) == (offer.worker_id, offer.lot_id, 1)


@pytest.mark.parametrize(
    ("slug", "item", "of_offer", "of_contract", "of_known"),
    [
        ("wage-below-offer", {"wage": made.FLOOR - 1}, {}, {}, {}),
        ("start-differs", {"starts_on": date(2026, 1, 13)}, {}, {}, {}),
        ("ends-too-early", {"ends_on": date(2026, 12, 30)}, {}, {}, {}),
        ("end-missing", {"ends_on": None}, {}, {}, {}),
        ("end-not-allowed", {"agreement": "pkwtt"}, {}, {}, {}),
        ("offer-withdrawn", {}, {"withdrawn": True}, {}, {}),
        ("terms-differ", {}, {"terms": 2}, {}, {}),
        ("terms-differ", {}, {"lot_id": uuid4()}, {}, {}),
        ("no-accepted-offer", {}, {"vendor_id": uuid4()}, {}, {}),
        ("no-accepted-offer", {}, {}, {}, {"offers": {}}),
        ("no-accepted-offer", {}, {}, {}, {"contracts": {}}),
        ("contract-not-running", {}, {}, {"state": "ended"}, {}),
        ("contract-not-running", {}, {}, {"ends_on": date(2026, 1, 1)}, {}),
        ("vendor-debarred", {}, {}, {}, {"debarred": True}),
        ("worker-gone", {}, {}, {}, {"gone": True}),
        ("number-used", {}, {}, {}, {"number": True}),
    ],
)
def test_what_differs_is_refused(
    slug: str, item: dict[str, Any], of_offer: dict[str, Any], of_contract: dict[str, Any], of_known: dict[str, Any]
) -> None:
    contract: Contract = made.signed(**of_contract)
    offer = made.offer(contract, **of_offer)
    agreement = made.agreement(offer, **item)
    known = made.known(contract, offer)
    if of_known.pop("debarred", False):
        known = replace(known, vendors={contract.vendor_id: made.vendor(id=contract.vendor_id, debarred=True)})
    if of_known.pop("gone", False):
        known = replace(known, gone=frozenset({offer.worker_id}))
    if of_known.pop("number", False):
        known = replace(known, numbers={agreement.number: uuid4()})
    (verdict,) = people.record([agreement], replace(known, **of_known), contract.vendor_id, made.TODAY)
    assert (verdict.outcome, verdict.slug, verdict.fact) == ("refused", slug, None)
    assert verdict.rule and verdict.article


@calm
@given(order=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=20))
def test_in_any_order_an_offer_is_signed_once_and_a_number_used_once(order: list[tuple[int, int]]) -> None:
    contract = made.signed()
    offers = [made.offer(contract) for _ in range(4)]
    items = [made.agreement(offers[which], number=f"N{number}") for which, number in order]
    verdicts = people.record(items, made.known(contract, *offers), contract.vendor_id, made.TODAY)
    recorded = [verdict.signed for verdict in verdicts if verdict.outcome == "recorded" and verdict.signed is not None]
    assert len({one.offer.offer_id for one in recorded}) == len(recorded) == len({one.agreement.number for one in recorded})
    assert all(verdict.fact is not None for verdict in verdicts if verdict.outcome == "recorded")
    for item, verdict in zip(items, verdicts, strict=True):
        if verdict.outcome == "unchanged":
            assert any(one.agreement == item for one in recorded)


def test_a_refusal_needs_a_ground_of_the_rules() -> None:
    contract = made.signed()
    offer = made.offer(contract)
    answer = people.refuse_person(offer, "not_appeared", made.PACK, False, made.TODAY)
    assert not isinstance(answer, str)
    case, fact = answer
    assert isinstance(fact, CaseOpened)
    assert (case.kind, fact.rule, fact.offer_id) == ("vendor_refusal", "not_appeared", offer.offer_id)
    assert people.refuse_person(offer, "too_old", made.PACK, False, made.TODAY) == "ground-not-allowed"
    assert people.refuse_person(offer, "not_appeared", made.PACK, True, made.TODAY) == "already-signed"
    assert people.refuse_person(replace(offer, withdrawn=True), "not_appeared", made.PACK, False, made.TODAY) == "offer-withdrawn"
    assert people.refuse_person(None, "not_appeared", None, False, made.TODAY) == "no-accepted-offer"


def test_a_case_is_decided_once() -> None:
    case = people.Case(uuid4(), made.REGION, "vendor_refusal", "not_appeared")
    assert people.decide_case(case, "upheld", made.TODAY).outcome == "upheld"
    with pytest.raises(Refused, match="case-decided"):
        people.decide_case(replace(case, state="decided"), "upheld", made.TODAY)


def test_every_rule_names_its_law_and_how_sure_that_is() -> None:
    for slug, rule in RULES.items():
        assert rule.name and rule.article and rule.mark in "PSDAM", slug

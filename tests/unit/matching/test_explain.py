"""Explanations: the first losing field is true, and every advice, applied, works."""

from random import Random

import pytest

from services.placement.matching import EdgeSpec, LotSpec, Seeker, build, check, solve
from services.placement.matching.explain import Change, apply, explain, nearest_change, shortage
from tests.unit.matching.markets import Market, crowded_market, random_market


def test_the_first_losing_field_and_the_seat_are_true() -> None:
    rnd, seen = Random(8), dict[str, int]()
    for _ in range(250):
        market = random_market(rnd, rnd.randint(2, 14), rnd.randint(2, 6))
        plain, solution = market.plain(), market.solve()
        names = [f for f in market.priority if f != "lottery"]
        for worker, wishes in plain.wish.items():
            told = explain(solution, worker)
            seen[told.reason] = seen.get(told.reason, 0) + 1
            assert told.seat == solution.assignment.get(worker)
            assert [r.lot for r in told.refusals] == wishes[: plain.place(worker, solution.assignment)]
            for refusal in told.refusals:
                inside = [plain.key[w, x] for w, x in solution.m0.items() if x == refusal.lot]
                if refusal.field == "seats":
                    assert plain.q[refusal.lot] == 0
                elif refusal.field == "gave_way":
                    assert told.reason == "mover" and told.return_right == solution.m0[worker]
                else:
                    own, needed = plain.key[worker, refusal.lot], min(inside)
                    first = next(i for i, (a, b) in enumerate(zip(own, needed, strict=True)) if a != b)
                    assert own[first] < needed[first] and (*names, "lottery")[first] == refusal.field
                    if refusal.field != "lottery":
                        assert (refusal.own, refusal.needed) == (own[first], needed[first])
                    assert refusal.own < refusal.needed
    assert {"incumbent", "priority", "newcomer", "unplaced", "no_edges"} <= set(seen), seen


def advise(count: int, seed: int) -> None:
    """`count` advices over unplaced people, each applied to the instance and solved again here."""
    rnd, given, kinds = Random(seed), 0, dict[str, int]()
    while given < count:
        market = crowded_market(rnd, rnd.randint(4, 16)) if rnd.random() < 0.5 else random_market(rnd, 12, 5)
        solution = market.solve()
        without = [s for s in market.seekers if s.id not in solution.assignment]
        for seeker in without:
            extra = [x.id for x in market.lots if x.id not in {e.lot for e in seeker.edges}]
            candidates = [Change("credential", (EdgeSpec(x, years=rnd.randint(0, 9)),)) for x in extra[:2]]
            advice = nearest_change(solution, seeker.id, candidates if rnd.random() < 0.5 else ())
            if advice is None:
                assert not seeker.edges
                continue
            again = solve(apply(solution.instance, seeker.id, advice.change), solution.seed)
            assert again.assignment[seeker.id] == advice.seat
            assert check(again).ok
            kinds[advice.change.name] = kinds.get(advice.change.name, 0) + 1
            given += 1
    print(f"{given} advices, all of them work when applied: {kinds}")
    assert {"credential", "one more seat"} <= set(kinds)


def test_a_hundred_advices_work_when_applied() -> None:
    advise(100, 21)


@pytest.mark.slow
def test_five_hundred_advices_work_when_applied() -> None:
    advise(500, 22)


def test_a_placed_person_needs_no_advice_and_an_unknown_one_is_refused() -> None:
    market = Market((Seeker("a", (EdgeSpec("l"),)),), (LotSpec("l", 1),))
    solution = market.solve()
    assert nearest_change(solution, "a") is None
    with pytest.raises(KeyError):
        explain(solution, "b")


def test_the_shortage_is_named_and_its_remedy_is_solved_again() -> None:
    seekers = [Seeker(f"w{i}", (EdgeSpec("guard", years=i),)) for i in range(5)] + [Seeker("x", ())]
    solution = solve(build(seekers, [LotSpec("guard", 2), LotSpec("clean", 3)]), b"\1" * 32)
    found = shortage(solution)
    assert found.without_lots == ("x",) and found.stuck == ("w0", "w1", "w2")
    assert found.demand == {"guard": 3} and found.seats == {"guard": 3} and found.left == 0


def test_the_remedy_of_a_shortage_places_everybody_who_has_a_lot() -> None:
    rnd = Random(5)
    for _ in range(150):
        found = shortage(random_market(rnd, rnd.randint(1, 14), rnd.randint(1, 5)).solve())
        assert found.left == 0 and sum(found.seats.values()) >= len(found.stuck)

"""M0, the rights step: oracles 1, 2, 3, 5, 6, 7, 8."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.placement.matching import EdgeSpec, LotSpec, Seeker, acceptance, build, check, draw
from services.placement.matching.acceptance import accept
from services.placement.matching.instance import keys
from tests.bench.matching.generator import market as large_market
from tests.unit.matching.markets import Market, markets, random_market, steady


@given(markets(workers=5, lots=4))
@steady(120)
def test_the_rights_step_is_the_best_stable_matching_for_every_worker(market: Market) -> None:
    plain, m0 = market.plain(), market.solve().m0
    stable = [match for match in plain.all_matches() if plain.stable(match)]
    assert m0 in stable
    for match in stable:
        assert all(plain.place(w, m0) <= plain.place(w, match) for w in plain.wish)


@given(markets(workers=30, lots=12))
@steady(150)
def test_two_implementations_of_the_rights_step_agree(market: Market) -> None:
    assert market.solve().m0 == market.plain().deferred_acceptance()


def test_rounds_and_heaps_agree_on_large_markets(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(3):
        instance = large_market(400, 0.9, 40, seed)
        key = keys(instance, bytes([seed]) * 32)
        results = []
        for tail in (0, acceptance.TAIL, 10_000):
            monkeypatch.setattr(acceptance, "TAIL", tail)
            results.append(accept(instance.ip, instance.lot, key, instance.q))
        for m, cut in results[1:]:
            assert (m == results[0][0]).all() and (cut == results[0][1]).all()


def test_thousands_of_small_markets_pass_every_check() -> None:
    rnd, movers, newcomers = Random(11), 0, 0
    for _ in range(2000):
        solution = random_market(rnd, rnd.randint(0, 14), rnd.randint(1, 7)).solve()
        report = check(solution)
        assert report.ok, report
        movers, newcomers = movers + report.movers, newcomers + report.newcomers
    assert movers and newcomers


def test_a_few_large_markets_pass_every_check() -> None:
    for seed, ratio in ((1, 0.95), (2, 1.0), (3, 1.1)):
        instance = large_market(1500, ratio, 60, seed)
        from services.placement.matching import solve

        report = check(solve(instance, bytes([seed]) * 32))
        assert report.ok and report.movers and report.newcomers, report


@given(markets(workers=20, lots=8), st.randoms(use_true_random=False))
@steady(80)
def test_the_order_of_the_inputs_changes_nothing(market: Market, rnd: Random) -> None:
    seekers, lots = list(market.seekers), list(market.lots)
    rnd.shuffle(seekers)
    rnd.shuffle(lots)
    shuffled = replace(market, seekers=tuple(seekers), lots=tuple(lots))
    assert shuffled.instance().public == market.instance().public
    first, second = market.solve(), shuffled.solve()
    assert first.assignment == second.assignment and first.m0 == second.m0 and (first.closed == second.closed).all()


@given(markets(), st.randoms(use_true_random=False))
@steady(120)
def test_one_more_seat_hurts_nobody_in_the_rights_step(market: Market, rnd: Random) -> None:
    gift = rnd.choice(market.lots)
    lots = tuple(replace(x, seats=x.seats + (x is gift)) for x in market.lots)
    plain, before, after = market.plain(), market.solve().m0, replace(market, lots=lots).solve().m0
    assert all(plain.place(w, after) <= plain.place(w, before) for w in plain.wish)


@given(markets(), st.randoms(use_true_random=False))
@steady(120)
def test_a_departure_hurts_nobody_who_stays(market: Market, rnd: Random) -> None:
    gone = rnd.choice(market.seekers)
    rest = replace(market, seekers=tuple(s for s in market.seekers if s is not gone))
    plain, before, after = market.plain(), market.solve().m0, rest.solve().m0
    assert all(plain.place(s.id, after) <= plain.place(s.id, before) for s in rest.seekers)


@given(markets(), st.randoms(use_true_random=False))
@steady(120)
def test_more_service_never_hurts_the_person_in_the_rights_step(market: Market, rnd: Random) -> None:
    lucky = rnd.choice(market.seekers)
    older = replace(lucky, edges=tuple(replace(e, years=e.years + rnd.randint(1, 3)) for e in lucky.edges))
    richer = replace(market, seekers=tuple(older if s is lucky else s for s in market.seekers))
    plain, before, after = market.plain(), market.solve().m0, richer.solve().m0
    assert plain.place(lucky.id, after) <= plain.place(lucky.id, before)


@given(markets(), st.randoms(use_true_random=False))
@steady(250)
def test_misreporting_or_hiding_a_wish_never_helps_in_the_rights_step(market: Market, rnd: Random) -> None:
    liar = rnd.choice(market.seekers)
    told = rnd.sample(liar.edges, rnd.randint(0, len(liar.edges)))
    lie = replace(market, seekers=tuple(Seeker(s.id, tuple(told)) if s is liar else s for s in market.seekers))
    plain, honest, after = market.plain(), market.solve().m0, lie.solve().m0
    assert plain.place(liar.id, honest) <= plain.place(liar.id, after)
    if len(told) == len(liar.edges):
        assert (liar.id in honest) == (liar.id in after)


@given(markets(workers=16, lots=6))
@steady(150)
def test_incumbents_are_never_displaced(market: Market) -> None:
    seats = {lot.id: lot.seats for lot in market.lots}
    claims: dict[str, list[str]] = {}
    for seeker in market.seekers:
        for edge in seeker.edges:
            if edge.incumbent:
                claims.setdefault(edge.lot, []).append(seeker.id)
    plain, solution = market.plain(), market.solve()
    for lot, people in claims.items():
        if len(people) <= seats[lot]:
            for worker in people:
                for match in (solution.m0, solution.assignment):
                    assert plain.place(worker, match) <= plain.wish[worker].index(lot)


def test_no_workers_no_lots_no_edges_and_no_seats_are_fine() -> None:
    from services.placement.matching import solve

    seed = b"\1" * 32
    assert solve(build([], []), seed).assignment == {}
    assert solve(build([Seeker("a", ())], []), seed).assignment == {}
    closed = solve(build([Seeker("a", (EdgeSpec("l"),))], [LotSpec("l", 0)]), seed)
    assert closed.assignment == {} and closed.closed.tolist() == [True] and check(closed).ok
    assert check(solve(build([], [LotSpec("l", 2)]), seed)).ok


def test_bad_inputs_are_refused() -> None:
    one, lot = Seeker("a", (EdgeSpec("l"),)), LotSpec("l", 1)
    with pytest.raises(ValueError, match="twice"):
        build([one, one], [lot])
    with pytest.raises(ValueError, match="twice"):
        build([Seeker("a", (EdgeSpec("l"), EdgeSpec("l")))], [lot])
    with pytest.raises(ValueError, match="negative"):
        build([one], [LotSpec("l", -1)])
    with pytest.raises(ValueError, match="lottery last"):
        build([one], [lot], ("lottery", "years"))
    with pytest.raises(ValueError, match="lottery last"):
        build([one], [lot], ("income",))
    with pytest.raises(ValueError, match="salt"):
        draw(b"s" * 32, b"r" * 32, build([one], [lot]))
    with pytest.raises(KeyError):
        build([one], [])


def test_the_priority_order_is_the_pack_s() -> None:
    seekers = [Seeker("a", (EdgeSpec("l", years=9),)), Seeker("b", (EdgeSpec("l", vulnerable=True, years=1),))]
    from services.placement.matching import solve

    for order, winner in ((("years", "vulnerable"), "a"), (("vulnerable", "years"), "b"), (("years",), "a")):
        assert solve(build(seekers, [LotSpec("l", 1)], order), b"\1" * 32).assignment == {winner: "l"}


@pytest.mark.parametrize("cells", [0, 1 << 25])
def test_ranks_are_dense_and_follow_the_packed_priority(monkeypatch: pytest.MonkeyPatch, cells: int) -> None:
    monkeypatch.setattr("services.placement.matching.instance.TABLE_CELLS", cells)
    instance = large_market(400, 0.9, 20, 4)
    for lot in range(len(instance.lots)):
        edges = np.flatnonzero(instance.lot == lot)
        order = sorted({int(b) for b in instance.base[edges]})
        assert [order.index(int(instance.base[e])) for e in edges] == instance.rank[edges].tolist()

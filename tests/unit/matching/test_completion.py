"""M, completion and settle: oracles 1, 4, 8, 10, and the exact objective against brute force."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.placement.matching import check
from services.placement.matching.completion import complete, right_holders
from tests.unit.matching.markets import Market, crowded_market, markets, steady


@given(markets(workers=6, lots=4))
@steady(150)
def test_the_completion_is_the_best_there_is(market: Market) -> None:
    plain, solution = market.plain(), market.solve()
    instance = solution.instance
    frozen = right_holders(instance, solution.m0_edge)
    assert {instance.workers[w] for w in frozen.nonzero()[0]} == plain.right_holders(solution.m0)
    raw = complete(instance, solution.key, solution.m0_edge, frozen)
    seats = {instance.workers[w]: instance.lots[instance.lot[e]] for w, e in enumerate(raw.tolist()) if e >= 0}
    best = max(plain.completion_value(solution.m0, match) for match in plain.completions(solution.m0))
    assert plain.completion_value(solution.m0, seats) == best
    assert len(solution.assignment) == best[0]


@given(markets(workers=18, lots=8))
@steady(250)
def test_the_result_is_fair_in_the_words_of_the_rule(market: Market) -> None:
    solution = market.solve()
    assert market.plain().fair(solution.m0, solution.assignment)
    assert check(solution).ok


def test_chains_and_claims_happen_in_the_tested_markets() -> None:
    rnd, movers, newcomers, envious = Random(3), 0, 0, 0
    for _ in range(1000):
        market = crowded_market(rnd, rnd.randint(4, 24))
        solution = market.solve()
        report = check(solution)
        assert report.ok, report
        assert len(solution.assignment) == market.plain().largest(solution.m0)
        movers, newcomers, envious = movers + report.movers, newcomers + report.newcomers, envious + report.envious
    print(f"crowded markets: {movers} movers, {newcomers} newcomers, {envious} with envy")
    assert movers > 100 and newcomers > 100 and envious > 100


@given(markets(workers=14, lots=6), st.randoms(use_true_random=False))
@steady(200)
def test_one_more_seat_never_places_fewer(market: Market, rnd: Random) -> None:
    gift = rnd.choice(market.lots)
    lots = tuple(replace(x, seats=x.seats + (x is gift)) for x in market.lots)
    assert len(replace(market, lots=lots).solve().assignment) >= len(market.solve().assignment)


@given(markets(workers=14, lots=6), st.randoms(use_true_random=False))
@steady(200)
def test_reordering_the_own_list_never_decides_whether_one_is_placed(market: Market, rnd: Random) -> None:
    one = rnd.choice(market.seekers)
    other = replace(one, edges=tuple(rnd.sample(one.edges, len(one.edges))))
    turned = replace(market, seekers=tuple(other if s is one else s for s in market.seekers))
    before, after = market.solve(), turned.solve()
    assert (one.id in before.m0) == (one.id in after.m0)
    assert (one.id in before.assignment) == (one.id in after.assignment)

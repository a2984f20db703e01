"""Small markets: a hypothesis strategy, and a seeded generator for the long loops."""

from dataclasses import dataclass
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from services.placement.matching import DEFAULT_PRIORITY, EdgeSpec, Instance, LotSpec, Seeker, Solution, build, solve
from tests.unit.matching.plain import Plain

SALT = b"salt of the tests, long enough"
PRIORITIES = (
    DEFAULT_PRIORITY,
    ("incumbent", "carry_over", "years", "nearness", "lottery"),
    ("incumbent", "vulnerable", "carry_over", "years", "nearness", "lottery"),
)


def steady(examples: int) -> settings:
    """The same examples on every machine, no clock."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@dataclass(frozen=True)
class Market:
    seekers: tuple[Seeker, ...]
    lots: tuple[LotSpec, ...]
    priority: tuple[str, ...] = DEFAULT_PRIORITY
    seed: bytes = b"\x07" * 32

    def instance(self) -> Instance:
        return build(self.seekers, self.lots, self.priority, salt=SALT)

    def solve(self) -> Solution:
        return solve(self.instance(), self.seed)

    def plain(self) -> Plain:
        return Plain(self.seekers, self.lots, self.priority, self.seed)


def random_market(rnd: Random, workers: int, lots: int, longest: int = 5, seats: int = 2) -> Market:
    names = [f"lot-{i}" for i in range(lots)]
    seekers = []
    for number in range(workers):
        wishes = rnd.sample(names, rnd.randint(0, min(longest, lots)))
        home = rnd.choice(wishes) if wishes and rnd.random() < 0.5 else None
        years, vulnerable = rnd.randint(0, 3), rnd.random() < 0.3
        edges = (EdgeSpec(x, x == home, rnd.random() < 0.05, years, vulnerable, rnd.randint(0, 4)) for x in wishes)
        seekers.append(Seeker(f"w-{number}", tuple(edges)))
    specs = tuple(LotSpec(name, rnd.randint(0, seats)) for name in names)
    return Market(tuple(seekers), specs, rnd.choice(PRIORITIES), rnd.randbytes(32))


def crowded_market(rnd: Random, workers: int) -> Market:
    """Nearly as many seats as workers, few rights, nested lists: the markets where chains and claims happen."""
    lots = max(2, workers // 2)
    names = [f"lot-{i}" for i in range(lots)]
    seekers = []
    for number in range(workers):
        start = rnd.randrange(lots)
        wishes = [names[(start + i) % lots] for i in range(rnd.randint(1, min(3, lots)))]
        rnd.shuffle(wishes)
        home = wishes[-1] if rnd.random() < 0.15 else None
        years, vulnerable = rnd.randint(0, 9), rnd.random() < 0.2
        edges = (EdgeSpec(x, x == home, False, years, vulnerable, rnd.randint(0, 9)) for x in wishes)
        seekers.append(Seeker(f"w-{number}", tuple(edges)))
    specs = tuple(LotSpec(name, rnd.choice((1, 2, 2, 3))) for name in names)
    return Market(tuple(seekers), specs, rnd.choice(PRIORITIES), rnd.randbytes(32))


@st.composite
def markets(draw: st.DrawFn, workers: int = 8, lots: int = 5) -> Market:
    """Markets of up to `workers` and `lots`; every other one is crowded."""
    rnd = Random(draw(st.integers(0, 2**32)))
    size = draw(st.integers(1, workers))
    if draw(st.booleans()):
        return crowded_market(rnd, size)
    return random_market(rnd, size, draw(st.integers(1, lots)))

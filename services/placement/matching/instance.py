"""Canonical form of a market: who may sit where, in which order of wish, with which rights.

Plain values go in (:class:`Seeker`, :class:`LotSpec`), arrays come out. Workers and lots are sorted by their opaque
id, so that no order of arrival can reach the result. Shapes: W workers, P lots, E eligible (worker, lot) edges.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Bools = NDArray[np.bool_]

DEFAULT_PRIORITY = ("incumbent", "carry_over", "years", "vulnerable", "nearness", "lottery")
BITS = {"incumbent": 1, "carry_over": 1, "years": 7, "vulnerable": 1, "nearness": 10}
MAX_YEARS, MAX_KM = 127, 1023
CLASS_FIELDS = ("years", "vulnerable")
MIN_SECRET = 16
TABLE_CELLS = 1 << 25
# one eligible edge as it is committed to: 12 bytes, little-endian
ROW = np.dtype([("lot", "<u4"), ("incumbent", "u1"), ("carry_over", "u1"), ("years", "u1"), ("vulnerable", "u1"), ("km", "<u4")])


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """One lot this seeker may lawfully hold; `years` 0-127 and `km` 0-1023 are cut to those limits."""

    lot: str
    incumbent: bool = False
    carry_over: bool = False
    years: int = 0
    vulnerable: bool = False
    km: int = 0


@dataclass(frozen=True, slots=True)
class Seeker:
    """A person to be placed: opaque id and eligible lots, the most wished first."""

    id: str
    edges: tuple[EdgeSpec, ...]


@dataclass(frozen=True, slots=True)
class LotSpec:
    """Agency x job x contract x site, with the number of seats that are covered by money (0 is allowed)."""

    id: str
    seats: int


@dataclass(frozen=True, eq=False)
class Instance:
    """The frozen input of a run.

    `ip int64[W+1]` bounds each worker's edges in `lot int32[E]` (order of wish); `q int32[P]` seats; one field array
    per priority field, `[E]`; `base int64[E]` the packed priority without the lottery, higher is better.
    """

    workers: tuple[str, ...]
    lots: tuple[str, ...]
    ip: Ints
    lot: Small
    q: Small
    incumbent: Bools
    carry_over: Bools
    years: NDArray[np.uint8]
    vulnerable: Bools
    km: NDArray[np.int16]
    priority: tuple[str, ...]
    salt: bytes = b""

    @property
    def fields(self) -> tuple[str, ...]:
        """Priority fields that come from facts, strongest first (the lottery is always behind them)."""
        return self.priority[:-1]

    @cached_property
    def base(self) -> Ints:
        packed = np.zeros(len(self.lot), dtype=np.int64)
        for name in self.fields:
            packed <<= BITS[name]
            if name == "nearness":
                packed += MAX_KM
                packed -= self.km
            else:
                packed += getattr(self, name)
        return packed

    def field(self, name: str) -> Ints:
        """Values of one priority field per edge, as they enter the key."""
        if name == "nearness":
            return MAX_KM - self.km.astype(np.int64)
        values: Ints = getattr(self, name).astype(np.int64)
        return values

    @cached_property
    def owner(self) -> Small:
        """Worker index of each edge, int32[E]."""
        return np.repeat(np.arange(len(self.workers), dtype=np.int32), np.diff(self.ip))

    @cached_property
    def right(self) -> Bools:
        """Edges that carry a right: the incumbent's own lot, or a carried-over one."""
        return self.incumbent | self.carry_over

    @cached_property
    def rank(self) -> Ints:
        """Dense rank of `base` inside each lot, 0 the weakest: all that the public needs of the key fields."""
        if not len(self.lot):
            return np.zeros(0, dtype=np.int64)
        seen = np.zeros(1 << sum(BITS[name] for name in self.fields), dtype=np.bool_)
        seen[self.base] = True
        distinct = int(seen.sum())
        table = np.zeros(len(seen), dtype=np.uint16 if distinct <= 1 << 16 else np.int64)
        table[seen] = np.arange(distinct)
        dense: NDArray[Any] = table[self.base]
        if len(self.lots) * distinct <= TABLE_CELLS:
            # tables of (lot, base): several times faster than a sort
            cell: Ints = self.lot.astype(np.int64) * distinct + dense
            used = np.zeros(len(self.lots) * distinct, dtype=np.bool_)
            used[cell] = True
            cells = np.flatnonzero(used)
            place = np.empty(len(used), dtype=np.int32)
            place[cells] = _within(cells // distinct)
            short: Ints = place[cell].astype(np.int64)
            return short
        order = np.argsort(dense, kind="stable")
        narrow = self.lot.astype(np.uint16 if len(self.lots) <= 1 << 16 else np.int32)
        order = order[np.argsort(narrow[order], kind="stable")]
        lots, values = self.lot[order], dense[order]
        new = np.r_[True, (lots[1:] != lots[:-1]) | (values[1:] != values[:-1])]
        ranks = np.empty(len(order), dtype=np.int64)
        ranks[order] = _within(lots[new])[np.cumsum(new) - 1]
        return ranks

    @cached_property
    def worker_class(self) -> Ints:
        """Class of each worker inside the completion, int64[W]: years and vulnerable in the pack's order."""
        packed = np.zeros(len(self.lot), dtype=np.int64)
        for name in self.fields:
            if name in CLASS_FIELDS:
                packed = (packed << BITS[name]) + self.field(name)
        best = np.full(len(self.workers), -1, dtype=np.int64)
        np.maximum.at(best, self.owner, packed)
        return best

    @cached_property
    def rows(self) -> NDArray[np.void]:
        """All edges with their plain facts in the committed layout (`ROW`)."""
        table = np.empty(len(self.lot), dtype=ROW)
        for name in ROW.names or ():
            table[name] = getattr(self, name)
        return table

    def salt_of(self, worker: int) -> bytes:
        """The worker's own salt, 32 bytes: opening one row never opens another."""
        if len(self.salt) < MIN_SECRET:
            raise ValueError(f"a certificate needs a salt of at least {MIN_SECRET} bytes: build(..., salt=...)")
        return hmac.digest(self.salt, self.workers[worker].encode(), "sha256")

    @cached_property
    def commitments(self) -> tuple[str, ...]:
        """SHA-256(salt of the worker | id | 0x00 | facts of all edges) per worker, hex."""
        data, bounds = self.rows.tobytes(), (self.ip * ROW.itemsize).tolist()
        salts = [self.salt_of(w) for w in range(len(self.workers))]
        table = zip(salts, self.workers, bounds, bounds[1:], strict=False)
        sha = hashlib.sha256
        return tuple([sha(b"%b%b\0%b" % (salt, name.encode(), data[a:b])).hexdigest() for salt, name, a, b in table])

    @cached_property
    def public(self) -> dict[str, bytes]:
        """The public files of the frozen instance (docs/certificate.md); no lottery in them."""
        from .certificate import instance_files

        return instance_files(self)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of `instance.json`, which names the hash of every other instance file."""
        return hashlib.sha256(self.public["instance.json"]).digest()

    def edges_of(self, worker: int) -> slice:
        return slice(int(self.ip[worker]), int(self.ip[worker + 1]))

    def with_seats(self, lot: int, seats: int) -> "Instance":
        """The same market with another number of seats at one lot."""
        q = self.q.copy()
        q[lot] = seats
        return replace(self, q=q)

    def with_edges(self, worker: int, extra: Sequence[EdgeSpec]) -> "Instance":
        """The same market after one worker gains eligible lots, wished behind the present ones."""
        own = self.edges_of(worker)
        known = {self.lots[i] for i in self.lot[own]}
        row = _columns([edge for edge in extra if edge.lot not in known], {n: i for i, n in enumerate(self.lots)})
        size = len(row["lot"])
        ip = self.ip.copy()
        ip[worker + 1 :] += size
        grown: dict[str, Any] = {name: np.insert(getattr(self, name), own.stop, values) for name, values in row.items()}
        return replace(self, ip=ip, **grown)


def _within(groups: NDArray[Any]) -> Ints:
    """Place of each entry inside its run of equal `groups`, from 0."""
    first = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
    places: Ints = np.arange(len(groups)) - np.repeat(first, np.diff(np.r_[first, len(groups)]))
    return places


def spans(starts: Ints, stops: Ints) -> Ints:
    """The numbers of many half-open ranges, one range after the other."""
    sizes = stops - starts
    before = np.cumsum(sizes) - sizes
    total = int(sizes.sum())
    spread: Ints = np.arange(total, dtype=np.int64) + np.repeat(starts - before, sizes)
    return spread


def canonical_priority(priority: Sequence[str]) -> tuple[str, ...]:
    """The pack's order with the lottery as the last digit; an unknown, doubled or misplaced field is refused."""
    names = tuple(priority)
    if "lottery" not in names:
        names = (*names, "lottery")
    if names[-1] != "lottery" or len(set(names)) != len(names) or not set(names[:-1]) <= set(BITS):
        raise ValueError(f"priority must list {sorted(BITS)} at most once each, lottery last; got {names}")
    return names


def build(
    seekers: Iterable[Seeker],
    lots: Iterable[LotSpec],
    priority: Sequence[str] = DEFAULT_PRIORITY,
    salt: bytes = b"",
) -> Instance:
    """Canonical instance from plain values in any order.

    `salt` (16 bytes or more, secret, drawn at the freeze) hides the key fields in the public view; without it the
    instance can be solved but not certified. Refuses doubled ids, doubled edges, unknown lots and negative seats.
    """
    people = sorted(seekers, key=lambda s: s.id)
    places = sorted(lots, key=lambda p: p.id)
    index = {p.id: i for i, p in enumerate(places)}
    if len(index) != len(places) or len({s.id for s in people}) != len(people):
        raise ValueError("an id occurs twice")
    for name in [*index, *(s.id for s in people)]:
        if not name or not name.isprintable() or any(c.isspace() for c in name):
            raise ValueError("ids are printable, without spaces")
    for seeker in people:
        if len({e.lot for e in seeker.edges}) != len(seeker.edges):
            raise ValueError(f"{seeker.id} lists a lot twice")
    sizes = np.array([len(s.edges) for s in people], dtype=np.int64)
    columns = _columns([e for s in people for e in s.edges], index)
    seats = np.array([p.seats for p in places], dtype=np.int32)
    if (seats < 0).any():
        raise ValueError("seats are never negative")
    return Instance(
        workers=tuple(s.id for s in people),
        lots=tuple(p.id for p in places),
        ip=np.r_[np.int64(0), np.cumsum(sizes)].astype(np.int64),
        q=seats,
        priority=canonical_priority(priority),
        salt=salt,
        **columns,
    )


def _columns(edges: Sequence[EdgeSpec], index: dict[str, int]) -> dict[str, Any]:
    return {
        "lot": np.array([index[e.lot] for e in edges], dtype=np.int32),
        "incumbent": np.array([e.incumbent for e in edges], dtype=np.bool_),
        "carry_over": np.array([e.carry_over for e in edges], dtype=np.bool_),
        "years": np.array([min(max(e.years, 0), MAX_YEARS) for e in edges], dtype=np.uint8),
        "vulnerable": np.array([e.vulnerable for e in edges], dtype=np.bool_),
        "km": np.array([min(max(e.km, 0), MAX_KM) for e in edges], dtype=np.int16),
    }


def draw(operator_secret: bytes, second: bytes, instance: Instance) -> bytes:
    """Seed of the lottery: SHA-256(s | r | instance hash), 32 bytes.

    The operator publishes SHA-256(s) while the round is a draft; a second party names r after the freeze. Both are
    at least 16 bytes; r has a fixed length in a deployment, so that the border between the two cannot be shifted
    without breaking the published SHA-256(s).
    """
    if len(operator_secret) < MIN_SECRET or len(second) < MIN_SECRET:
        raise ValueError(f"both parts of the seed have at least {MIN_SECRET} bytes")
    return hashlib.sha256(operator_secret + second + instance.hash).digest()


@lru_cache(maxsize=1)
def numbers(workers: tuple[str, ...], seed: bytes) -> NDArray[np.uint64]:
    """Lottery number of each worker: the first 8 bytes of HMAC-SHA256(seed, id), big-endian; the higher one wins."""
    raw = b"".join([hmac.digest(seed, name.encode(), "sha256")[:8] for name in workers])
    drawn = np.frombuffer(raw, dtype=">u8").astype(np.uint64)
    drawn.flags.writeable = False
    return drawn


def keys(instance: Instance, seed: bytes) -> Ints:
    """Complete keys, int64[E]: `base` followed by the worker's place in the lottery; strict inside every lot."""
    drawn = numbers(instance.workers, seed)
    if len(np.unique(drawn)) != len(drawn):
        raise ValueError("two lottery numbers are equal: draw again")
    place = np.empty(len(drawn), dtype=np.int64)
    place[np.argsort(drawn)] = np.arange(len(drawn))
    packed: Ints = instance.base << lottery_bits(instance)
    packed += np.repeat(place, np.diff(instance.ip))
    return packed


def lottery_bits(instance: Instance) -> int:
    return max(1, len(instance.workers).bit_length())

"""The independent opinion: the rule in plain Python, written from the rule and not from the engine."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from itertools import product

from services.placement.matching import EdgeSpec, LotSpec, Seeker

Key = tuple[int, ...]
Match = dict[str, str]


class Plain:
    """A market as dictionaries: `wish[w]` lots in order, `key[w, l]` tuples, `q[l]` seats, `right[w, l]`."""

    def __init__(self, seekers: Sequence[Seeker], lots: Sequence[LotSpec], priority: Sequence[str], seed: bytes):
        self.seekers = list(seekers)
        self.q = {lot.id: lot.seats for lot in lots}
        self.wish = {s.id: [e.lot for e in s.edges] for s in seekers}
        self.key: dict[tuple[str, str], Key] = {}
        self.right: dict[tuple[str, str], bool] = {}
        self.rank: dict[str, Key] = {}
        for s in seekers:
            number = int.from_bytes(hmac.new(seed, s.id.encode(), hashlib.sha256).digest()[:8], "big")
            facts = [f for f in priority if f in ("years", "vulnerable")]
            self.rank[s.id] = (*max(([self._fact(e, f) for f in facts] for e in s.edges), default=[-1]), number)
            for e in s.edges:
                fields = [self._fact(e, name) for name in priority if name != "lottery"]
                self.key[s.id, e.lot] = (*fields, number)
                self.right[s.id, e.lot] = e.incumbent or e.carry_over

    @staticmethod
    def _fact(edge: EdgeSpec, name: str) -> int:
        return 1023 - edge.km if name == "nearness" else int(getattr(edge, name))

    def deferred_acceptance(self) -> Match:
        held: dict[str, list[str]] = {lot: [] for lot in self.q}
        following = dict.fromkeys(self.wish, 0)
        free = sorted(self.wish)
        while free:
            worker = free.pop()
            if following[worker] >= len(self.wish[worker]):
                continue
            lot = self.wish[worker][following[worker]]
            following[worker] += 1
            held[lot].append(worker)
            held[lot].sort(key=lambda w: self.key[w, lot], reverse=True)
            if len(held[lot]) > self.q[lot]:
                free.append(held[lot].pop())
        return {w: lot for lot, people in held.items() for w in people}

    def place(self, worker: str, match: Match) -> int:
        """Place in the own list, 0 the best; behind all of it when without a seat."""
        return self.wish[worker].index(match[worker]) if worker in match else len(self.wish[worker])

    def feasible(self, match: Match) -> bool:
        used = list(match.values())
        return all(lot in self.wish[w] for w, lot in match.items()) and all(used.count(x) <= self.q[x] for x in used)

    def stable(self, match: Match, people: Sequence[str] | None = None) -> bool:
        for worker in self.wish if people is None else people:
            for lot in self.wish[worker][: self.place(worker, match)]:
                inside = [self.key[w, lot] for w, at in match.items() if at == lot]
                if len(inside) < self.q[lot] or (inside and min(inside) < self.key[worker, lot]):
                    return False
        return True

    def all_matches(self) -> Iterator[Match]:
        names = list(self.wish)
        for choice in product(*[[None, *self.wish[w]] for w in names]):
            match = {w: lot for w, lot in zip(names, choice, strict=True) if lot is not None}
            if self.feasible(match):
                yield match

    def right_holders(self, m0: Match) -> set[str]:
        return {w for w, lot in m0.items() if any(self.right[w, x] for x in self.wish[w][self.place(w, m0) :])}

    def largest(self, m0: Match) -> int:
        """Size of the largest matching with right-holders frozen: augmenting paths, one after the other."""
        frozen, match = self.right_holders(m0), dict(m0)

        def augment(worker: str, seen: set[str]) -> bool:
            for lot in self.wish[worker]:
                if lot in seen:
                    continue
                seen.add(lot)
                inside = [w for w, at in match.items() if at == lot]
                if len(inside) < self.q[lot]:
                    match[worker] = lot
                    return True
                for other in inside:
                    if other not in frozen:
                        before = match[other]
                        if augment(other, seen):
                            match[worker] = before
                            return True
            return False

        for worker in self.wish:
            if worker not in match:
                augment(worker, set())
        return len(match)

    def completion_value(self, m0: Match, match: Match) -> tuple[int, list[Key], int, int]:
        """What the completion maximises: size, classes placed, fewest moves, least loss of wish."""
        new = [w for w in match if w not in m0]
        moved = [w for w in m0 if match[w] != m0[w]]
        loss = sum(self.place(w, match) for w in new)
        loss += sum(self.place(w, match) - self.place(w, m0) for w in moved)
        return len(match), sorted((self.rank[w] for w in new), reverse=True), -len(moved), -loss

    def completions(self, m0: Match) -> Iterator[Match]:
        frozen = self.right_holders(m0)
        for match in self.all_matches():
            if all(w in match for w in m0) and all(match[w] == m0[w] for w in frozen):
                yield match

    def fair(self, m0: Match, m: Match) -> bool:
        """F0-F6 straight from their sentences."""
        frozen = self.right_holders(m0)
        listed = {w for w in m if m.get(w) != m0.get(w)}
        movers = listed & set(m0)
        if not (self.feasible(m0) and self.feasible(m) and self.stable(m0)):
            return False
        if any(m[w] != m0[w] for w in frozen) or any(w not in m for w in m0) or len(m) != self.largest(m0):
            return False
        for worker, wishes in self.wish.items():
            for lot in wishes[: self.place(worker, m)]:
                for other in [w for w, at in m.items() if at == lot]:
                    envied = self.key[worker, lot] > self.key[other, lot]
                    if envied and (worker not in m or (other not in listed and worker not in movers)):
                        return False
        return True

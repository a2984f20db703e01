"""One run from frozen instance and seed to final seats: M0, completion, settle, and what the certificate needs."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .acceptance import accept
from .completion import closed_lots, complete, right_holders
from .instance import Bools, Instance, Ints, keys
from .settle import settle

engine_version = "1.0.0"


@dataclass(frozen=True, eq=False)
class Solution:
    """Result of a run. Arrays hold edge indices of the instance, -1 where nobody sits.

    `key int64[E]` complete keys; `m0_edge`, `m_edge int64[W]`; `cut int64[P]` cut-offs of M0 (acceptance.accept);
    `closed bool[P]` the lots that prove that nobody more can be placed.
    """

    instance: Instance
    seed: bytes
    key: Ints
    m0_edge: Ints
    m_edge: Ints
    cut: Ints
    closed: Bools

    @cached_property
    def m0(self) -> dict[str, str]:
        """Worker id -> lot id after the rights step."""
        return self._named(self.m0_edge)

    @cached_property
    def assignment(self) -> dict[str, str]:
        """Worker id -> lot id, final; who is absent has no seat."""
        return self._named(self.m_edge)

    @cached_property
    def holders(self) -> Bools:
        """Right-holders, bool[W]: placed by M0 with a right at or below the seat held; never moved."""
        return right_holders(self.instance, self.m0_edge)

    @cached_property
    def exceptions(self) -> dict[str, str]:
        """Worker id -> "mover" (has a return right to the M0 lot) or "newcomer" (placed by the completion)."""
        changed = np.flatnonzero((self.m_edge >= 0) & (self.m_edge != self.m0_edge)).tolist()
        return {self.instance.workers[w]: "mover" if self.m0_edge[w] >= 0 else "newcomer" for w in changed}

    def _named(self, edges: Ints) -> dict[str, str]:
        workers, lots = self.instance.workers, self.instance.lots
        placed = np.flatnonzero(edges >= 0)
        seats = self.instance.lot[edges[placed]]
        return {workers[w]: lots[p] for w, p in zip(placed.tolist(), seats.tolist(), strict=True)}


def solve(instance: Instance, seed: bytes) -> Solution:
    """The canonical run: same instance and seed, same result, whatever order the inputs had."""
    key = keys(instance, seed)
    m0, cut = accept(instance.ip, instance.lot, key, instance.q)
    frozen = right_holders(instance, m0)
    m = settle(instance, key, m0, complete(instance, key, m0, frozen))
    return Solution(instance, seed, key, m0, m, cut, closed_lots(instance, m, frozen))

"""Synthetic markets for the bench: 7 job types, 70 % incumbents, districts, certificates. Same seed, same market."""

import numpy as np

from services.placement.matching.instance import DEFAULT_PRIORITY, Instance

FAMILIES = 7
SHARES = np.array([0.26, 0.2, 0.18, 0.13, 0.1, 0.08, 0.05])
PER_LOT = 6.5
SIDE_KM = 90.0


def market(workers: int, seats_per_worker: float = 0.95, edges_per_worker: int = 94, seed: int = 1) -> Instance:
    """An instance with about `edges_per_worker` edges per worker, each worker's nearest eligible lots of the family."""
    rng = np.random.default_rng(seed)
    lots = max(FAMILIES, round(workers / PER_LOT))
    districts = rng.random((max(4, lots // 40), 2)) * SIDE_KM
    lot_at = districts[rng.integers(len(districts), size=lots)] + rng.normal(0, 4, (lots, 2))
    home = districts[rng.integers(len(districts), size=workers)] + rng.normal(0, 6, (workers, 2))
    lot_family = rng.choice(FAMILIES, size=lots, p=SHARES)
    lot_family[:FAMILIES] = np.arange(FAMILIES)
    family = rng.choice(FAMILIES, size=workers, p=SHARES)
    needs_paper = rng.random(lots) < 0.3
    has_paper = rng.random(workers) < 0.4
    years = np.minimum(rng.geometric(0.14, size=workers), 30)
    vulnerable = rng.random(workers) < 0.12
    works = rng.random(workers) < 0.7
    weight = rng.gamma(1.6, 1.0, size=lots)
    per_family = np.bincount(family, minlength=FAMILIES)[lot_family] * seats_per_worker
    family_weight = np.bincount(lot_family, weights=weight, minlength=FAMILIES)[lot_family]
    q = rng.poisson(per_family * weight / family_weight).astype(np.int32)
    parts: list[list[np.ndarray]] = []
    for kind in range(FAMILIES):
        people, places = np.flatnonzero(family == kind), np.flatnonzero(lot_family == kind)
        for chunk in np.array_split(people, max(1, len(people) // 500)):
            km = np.hypot(*(home[chunk][:, None, :] - lot_at[places][None, :, :]).transpose(2, 0, 1))
            allowed = ~needs_paper[places][None, :] | has_paper[chunk][:, None]
            pull = np.where(allowed, km - 8 * rng.gumbel(size=km.shape), np.inf)
            pull += np.where(q[places] == 0, 30, 0)
            own = np.where(works[chunk], np.argmin(pull, axis=1), -1)
            wish = km + rng.normal(0, 12, km.shape)
            content = (own >= 0) & (rng.random(len(chunk)) < 0.8)
            wish[np.flatnonzero(content), own[content]] = -1e6
            near = np.where(allowed, km, np.inf)
            near[np.flatnonzero(own >= 0), own[own >= 0]] = -1
            size = min(round(edges_per_worker * (1.35 if workers < 20_000 else 1.0)), len(places))
            limit = np.partition(near, size - 1, axis=1)[:, size - 1 : size]
            keep = allowed & (near <= limit)
            order = np.argsort(np.where(keep, wish, np.inf), axis=1)
            kept = np.take_along_axis(keep, order, axis=1)
            who = np.broadcast_to(np.arange(len(chunk))[:, None], kept.shape)[kept]
            column = order[kept]
            parts.append([chunk[who], places[column], own[who] == column, np.minimum(km[who, column], 1023)])
    owner, lot, incumbent, distance = (np.concatenate([part[i] for part in parts]) for i in range(4))
    order = np.argsort(owner, kind="stable")
    owner = owner[order]
    return Instance(
        workers=tuple(f"w{i:07d}" for i in range(workers)),
        lots=tuple(f"l{i:06d}" for i in range(lots)),
        ip=np.r_[0, np.cumsum(np.bincount(owner, minlength=workers))].astype(np.int64),
        lot=lot[order].astype(np.int32),
        q=q,
        incumbent=incumbent[order],
        carry_over=rng.random(len(order)) < 0.002,
        years=years[owner].astype(np.uint8),
        vulnerable=vulnerable[owner],
        km=distance[order].astype(np.int16),
        priority=DEFAULT_PRIORITY,
        salt=b"bench salt, 16 bytes or more",
    )

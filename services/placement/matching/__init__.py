"""The matching engine: pure, values in and values out. Rule and proof obligations: docs/certificate.md.

It owns how a market is solved (rights first, then fill), proved (certificate, verify), explained and repaired between
rounds. It knows nothing of the rest of the project: no clock, no I/O, no randomness, no logging; the lottery seed,
salts and keys are arguments. A run of 5,000 people takes about 0.1 s of one core: call it in a process pool.

How placement's use cases use it::

    from services.placement.matching import (
        EdgeSpec, LotSpec, SeedParts, Seeker, Signature, auditor_file, build, check, commitment, draw,
        own_row, run_files, run_hash, sign, solve,
    )

    # 1. draft: draw s and salt (32 random bytes each, by the caller), keep both secret, publish commitment(s)
    published = commitment(s)
    # 2. freeze: plain values, any order; edges in the person's own order of wish; salt hides the facts in public
    seekers = [
        Seeker("w-01", (EdgeSpec("lot-a", incumbent=True, years=12, km=3), EdgeSpec("lot-b", years=12, km=9))),
        Seeker("w-02", (EdgeSpec("lot-a", years=2, vulnerable=True, km=1),)),
    ]
    lots = [LotSpec("lot-a", seats=1), LotSpec("lot-b", seats=2)]
    instance = build(seekers, lots, ("incumbent", "carry_over", "years", "nearness", "lottery"), salt=salt)
    published_at_freeze = instance.hash.hex()  # before r is named
    # 3. a council member or auditor names r; the seed follows
    seed = draw(s, r, instance)
    # 4. solve (process pool: everything passed is picklable) and check with the engine's own fast checker
    solution = solve(instance, seed)
    assert check(solution).ok
    solution.assignment  # {"w-01": "lot-a"}: worker id -> lot id, only those who are placed
    solution.m0          # the same for the rights step; solution.exceptions: {worker id: "mover" | "newcomer"}
    # 5. certificate: file name -> content. Unsigned first; the officer's decision adds signature.json later
    files = run_files(instance, solution, SeedParts(s, r), pack_hash)  # pack_hash: hex SHA-256 of the rule pack
    decision = Signature(officer="o-7", role="ppk", time="2026-01-05T02:00:00Z", key_pem=rsa_private_pem)
    files["signature.json"] = sign(files, decision)  # or run_files(..., pack_hash, decision) in one call
    run_hash(files)  # hex; what the officer signs
    # 6. never in public: auditor_file(instance) for signer and auditor; own_row(instance, "w-02") for the person

After a run: `explain` (why here, why not there, nearest change that was re-solved) and `incremental` (repairs between
rounds). `verify.py` is the stand-alone checker: ``python3 -I verify.py RUN_DIR``.
"""

from .certificate import (
    SeedParts,
    Signature,
    auditor_file,
    commitment,
    own_row,
    run_files,
    run_hash,
    sign,
)
from .check import Report, check
from .instance import DEFAULT_PRIORITY, EdgeSpec, Instance, LotSpec, Seeker, build, draw
from .solution import Solution, engine_version, solve

Edge = EdgeSpec
seed = draw

__all__ = [
    "DEFAULT_PRIORITY",
    "Edge",
    "EdgeSpec",
    "Instance",
    "LotSpec",
    "Report",
    "SeedParts",
    "Seeker",
    "Signature",
    "Solution",
    "auditor_file",
    "build",
    "check",
    "commitment",
    "draw",
    "engine_version",
    "own_row",
    "run_files",
    "run_hash",
    "seed",
    "sign",
    "solve",
]

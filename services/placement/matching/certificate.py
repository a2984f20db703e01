"""The run folder (docs/certificate.md): what the public, the signer, the auditor and the person each receive.

Everything is returned as bytes by file name; nothing here writes. JSON is canonical: sorted keys, no spaces, ASCII,
one newline at the end. Text tables have one line per worker or lot in canonical order.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .acceptance import NO_CUT, NO_SEAT
from .instance import ROW, Instance, Ints, draw, numbers

if TYPE_CHECKING:
    from .solution import Solution

FORMAT = "jembatan-run/1"


@dataclass(frozen=True)
class SeedParts:
    """The operator's secret s (committed to while the round was a draft) and the second party's r."""

    operator_secret: bytes
    second: bytes


@dataclass(frozen=True)
class Signature:
    """The officer's decision: opaque id, role, time (RFC 3339, UTC) and the service's RSA private key (PEM)."""

    officer: str
    role: str
    time: str
    key_pem: bytes


def commitment(operator_secret: bytes) -> str:
    """SHA-256(s), hex: what the operator publishes while the round is a draft."""
    return hashlib.sha256(operator_secret).hexdigest()


def instance_files(instance: Instance) -> dict[str, bytes]:
    """The public files of the frozen instance: ids, seats, dense ranks, right bits and salted commitments."""
    sizes = np.diff(instance.ip).tolist()
    rows = zip(instance.workers, sizes, instance.commitments, strict=True)
    edges = np.empty((len(instance.lot), 2), dtype="<u4")
    edges[:, 0] = instance.lot
    edges[:, 1] = instance.rank * 2 + instance.right
    lots = zip(instance.lots, instance.q.tolist(), strict=True)
    files = {
        "workers.txt": "".join([f"{name} {size} {seal}\n" for name, size, seal in rows]).encode(),
        "lots.txt": "".join([f"{name} {seats}\n" for name, seats in lots]).encode(),
        "edges.bin": edges.tobytes(),
    }
    head = {
        "edges": len(instance.lot),
        "files": _hashes(files),
        "format": FORMAT,
        "lots": len(instance.lots),
        "priority": list(instance.priority),
        "workers": len(instance.workers),
    }
    return {"instance.json": _canonical(head), **files}


def run_files(
    instance: Instance,
    solution: "Solution",
    seed_parts: SeedParts,
    pack_hash: str,
    signature: Signature | None = None,
) -> dict[str, bytes]:
    """The public run folder; without `signature` everything but `signature.json` (see `sign`).

    Refuses a solution of another instance and seed parts that do not give the solution's seed.
    """
    from .solution import engine_version

    seed = draw(seed_parts.operator_secret, seed_parts.second, instance)
    if solution.seed != seed or solution.instance.hash != instance.hash:
        raise ValueError("the solution was not drawn from this instance and these seed parts")
    files = dict(instance.public)
    files["lottery.json"] = _canonical(
        {
            "commitment": commitment(seed_parts.operator_secret),
            "instance_hash": instance.hash.hex(),
            "operator_secret": seed_parts.operator_secret.hex(),
            "second": seed_parts.second.hex(),
            "seed": seed.hex(),
        }
    )
    files["result.txt"] = _result(solution)
    files["cutoffs.txt"] = _cutoffs(solution)
    run = {
        "engine": engine_version,
        "files": _hashes(files),
        "format": FORMAT,
        "placed": int((solution.m_edge >= 0).sum()),
        "placed_by_rights": int((solution.m0_edge >= 0).sum()),
        "rule_pack": pack_hash,
    }
    files["run.json"] = _canonical(run)
    if signature is not None:
        files["signature.json"] = sign(files, signature)
    return files


def run_hash(files: dict[str, bytes]) -> str:
    """SHA-256 of `run.json`, hex: it names the hash of every other file of the run."""
    return hashlib.sha256(files["run.json"]).hexdigest()


def sign(files: dict[str, bytes], signature: Signature) -> bytes:
    """`signature.json`: RSA PKCS#1 v1.5 with SHA-256 over ``run hash|officer|role|time``, so that pow() verifies it."""
    key = _private_key(signature.key_pem)
    parts = (run_hash(files), signature.officer, signature.role, signature.time)
    if any(not part or "|" in part for part in parts):
        raise ValueError("officer, role and time are not empty and have no '|'")
    signed = key.sign("|".join(parts).encode(), padding.PKCS1v15(), SHA256())
    public = key.public_key().public_numbers()
    return _canonical(
        {
            "algorithm": "RSASSA-PKCS1-v1_5-SHA256",
            "exponent": public.e,
            "modulus": f"{public.n:x}",
            "officer": signature.officer,
            "role": signature.role,
            "run_hash": parts[0],
            "signature": signed.hex(),
            "time": signature.time,
        }
    )


@lru_cache(maxsize=2)
def _private_key(pem: bytes) -> rsa.RSAPrivateKey:
    # loading proves the primes, which takes 0.1 s
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048 or key.key_size % 8:
        raise ValueError("the signing key is RSA with at least 2048 bits, whole bytes")
    return key


def own_row(instance: Instance, worker: str) -> dict[str, Any]:
    """What opens the person's own commitment: salt and plain facts of every edge, in the order of wish."""
    index = instance.workers.index(worker)
    return _opening(instance, index)


def auditor_file(instance: Instance) -> bytes:
    """`openings.jsonl`: every worker's opening, one canonical JSON line each. Signer and auditor only."""
    return b"".join(_canonical(_opening(instance, w)) for w in range(len(instance.workers)))


def _opening(instance: Instance, worker: int) -> dict[str, Any]:
    rows = instance.rows[instance.edges_of(worker)]
    facts = [[instance.lots[row[0]], *row[1:]] for row in rows.tolist()]
    columns = list(ROW.names or ())
    return {
        "columns": columns,
        "edges": facts,
        "id": instance.workers[worker],
        "salt": instance.salt_of(worker).hex(),
    }


def _result(solution: "Solution") -> bytes:
    """Per worker: lot index in M0, lot index in M, kind (- stays, N newcomer, M mover with a return right)."""
    instance, m0, m = solution.instance, solution.m0_edge, solution.m_edge
    first, last = _seats(instance, m0), _seats(instance, m)
    kinds = np.where((m < 0) | (m == m0), "-", np.where(m0 < 0, "N", "M")).tolist()
    rows = zip(first, last, kinds, strict=True)
    return "".join([f"{a} {b} {kind}\n" for a, b, kind in rows]).encode()


def _seats(instance: Instance, m: Ints) -> list[int]:
    seats = np.full(len(m), -1, dtype=np.int64)
    seats[m >= 0] = instance.lot[m[m >= 0]]
    return seats.tolist()


def _cutoffs(solution: "Solution") -> bytes:
    """Per lot: lowest admitted rank and lottery number ("- -": a seat is free, "* *": no seats), closed or open."""
    instance = solution.instance
    drawn = numbers(instance.workers, solution.seed)
    edge_at: dict[int, int] = {}
    for worker in np.flatnonzero(solution.m0_edge >= 0).tolist():
        edge = int(solution.m0_edge[worker])
        lot = int(instance.lot[edge])
        if solution.key[edge] == solution.cut[lot]:
            edge_at[lot] = edge
    lines = []
    for lot, (cut, closed) in enumerate(zip(solution.cut.tolist(), solution.closed.tolist(), strict=True)):
        if cut == NO_CUT:
            shown = "- -"
        elif cut == NO_SEAT:
            shown = "* *"
        else:
            edge = edge_at[lot]
            shown = f"{instance.rank[edge]} {int(drawn[instance.owner[edge]])}"
        lines.append(f"{shown} {'closed' if closed else 'open'}\n")
    return "".join(lines).encode()


def _hashes(files: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"

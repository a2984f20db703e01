"""Run folders for the certificate tests: made once, tampered with in memory, checked on disk by `verify.py`."""

import contextlib
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.placement.matching import (
    Instance,
    SeedParts,
    Signature,
    Solution,
    check,
    commitment,
    draw,
    run_files,
    sign,
    solve,
)
from services.placement.matching.verify import Verifier
from tests.unit.matching.markets import crowded_market

PACK = hashlib.sha256(b"rule pack").hexdigest()
Files = dict[str, bytes]


@cache
def pem(which: int = 0) -> bytes:
    """The service's key (0), or somebody else's."""
    del which
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def fingerprint(which: int = 0) -> str:
    key = load_pem_private_key(pem(which), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return hashlib.sha256(f"{key.public_key().public_numbers().n:x}".encode()).hexdigest()


def decision(which: int = 0) -> Signature:
    return Signature("officer-7", "ppk", "2026-01-05T02:00:00Z", pem(which))


@dataclass(frozen=True)
class Run:
    instance: Instance
    solution: Solution
    parts: SeedParts
    files: Files


@cache
def run(seed: int, workers: int = 40) -> Run:
    """A run with movers, newcomers, right-holders and unplaced people."""
    rnd = Random(seed)
    while True:
        instance = crowded_market(rnd, workers).instance()
        parts = SeedParts(rnd.randbytes(32), rnd.randbytes(32))
        solution = solve(instance, draw(parts.operator_secret, parts.second, instance))
        report = check(solution)
        if report.movers and report.newcomers and report.right_holders and report.placed < workers:
            return Run(instance, solution, parts, run_files(instance, solution, parts, PACK, decision()))


class Folder:
    """A directory that always equals `files`, writing only what differs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content: Files = {}

    def put(self, files: Files) -> Path:
        for name in set(self.content) - set(files):
            (self.path / name).unlink()
        for name, content in files.items():
            if self.content.get(name) != content:
                (self.path / name).write_bytes(content)
        self.content = dict(files)
        return self.path


def verify(path: Path, **given: str) -> tuple[int, str]:
    """Exit code and text of the verifier, in this process."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = Verifier(str(path), **given).run()
    return code, text.getvalue()


def published(made: Run) -> dict[str, str]:
    """What everybody knew before the result."""
    return {
        "key": fingerprint(),
        "commitment": commitment(made.parts.operator_secret),
        "instance": made.instance.hash.hex(),
    }


def canonical(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def reseal(files: Files) -> Files:
    """What a dishonest operator can do: all hashes, counts, the seed and the signature made to fit again."""
    files = dict(files)
    head = json.loads(files["instance.json"])
    for name in head["files"]:
        head["files"][name] = hashlib.sha256(files[name]).hexdigest()
    head["workers"], head["lots"] = files["workers.txt"].count(b"\n"), files["lots.txt"].count(b"\n")
    head["edges"] = len(files["edges.bin"]) // 8
    files["instance.json"] = canonical(head)
    drawn = json.loads(files["lottery.json"])
    drawn["instance_hash"] = hashlib.sha256(files["instance.json"]).hexdigest()
    secret = bytes.fromhex(drawn["operator_secret"])
    drawn["commitment"] = hashlib.sha256(secret).hexdigest()
    tail = bytes.fromhex(drawn["second"]) + bytes.fromhex(drawn["instance_hash"])
    drawn["seed"] = hashlib.sha256(secret + tail).hexdigest()
    files["lottery.json"] = canonical(drawn)
    rows = [line.split() for line in files["result.txt"].splitlines()]
    head = json.loads(files["run.json"])
    head["placed_by_rights"] = sum(row[0] != b"-1" for row in rows)
    head["placed"] = sum(row[1] != b"-1" for row in rows)
    head["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in head["files"]}
    files["run.json"] = canonical(head)
    files["signature.json"] = sign(files, decision())
    return files


def rows_of(content: bytes) -> list[list[str]]:
    return [line.split(" ") for line in content.decode().splitlines()]


def table(rows: list[list[str]]) -> bytes:
    return "".join(" ".join(row) + "\n" for row in rows).encode()


def kind_of(first: str, final: str) -> str:
    return "-" if final in (first, "-1") else "N" if first == "-1" else "M"


def wishes(files: Files) -> Iterator[list[int]]:
    """Lots of each worker, in order of wish, from the public files."""
    at = 0
    for _, size, _ in rows_of(files["workers.txt"]):
        end = at + 8 * int(size)
        yield [int.from_bytes(files["edges.bin"][i : i + 4], "little") for i in range(at, end, 8)]
        at = end

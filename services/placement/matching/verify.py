"""Stand-alone checker of a run folder: ``python3 -I verify.py RUN_DIR`` with, where known, --key, --commitment,
--instance (all three are published before the result) and --openings (auditor, signer, or a person's own row).

Standard library only, nothing of the project. One pass over the edges, memory a few machine words per worker and lot.
It prints each test with what it looked at, and ends 0 when all hold, else 1. The format is docs/certificate.md.
"""

import argparse
import hashlib
import hmac
import json
import os
import struct
import sys
from array import array
from collections.abc import Iterator
from typing import Any

PUBLIC = ("workers.txt", "lots.txt", "edges.bin", "lottery.json", "result.txt", "cutoffs.txt")
SIGNED = {"algorithm", "exponent", "modulus", "officer", "role", "run_hash", "signature", "time"}
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
COLUMNS = ["lot", "incumbent", "carry_over", "years", "vulnerable", "km"]
BITS = {"incumbent": 1, "carry_over": 1, "years": 7, "vulnerable": 1, "nearness": 10}
NOBODY = NO_CUT = -1
NO_SEAT = 1 << 200


class Broken(Exception):
    """The folder cannot be read as a run."""


def need(truth: object, text: str) -> None:
    if not truth:
        raise Broken(text)


class Verifier:
    def __init__(self, folder: str, key: str = "", commitment: str = "", instance: str = "", openings: str = "") -> None:
        self.folder, self.openings = folder, openings
        self.key, self.commitment, self.instance = key.lower(), commitment.lower(), instance.lower()
        self.failed = 0

    def say(self, test: str, bad: int, looked: str) -> None:
        self.failed += bool(bad)
        print(f"{'FAIL' if bad else 'pass'}  {test:<10} {looked}" + (f"; broken: {bad}" if bad else ""))

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def load(self, name: str) -> tuple[dict[str, Any], str]:
        with open(self.path(name), "rb") as file:
            raw = file.read(1 << 20)
        value = json.loads(raw)
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        need(raw == canonical and isinstance(value, dict), f"{name} is not canonical JSON")
        return value, hashlib.sha256(raw).hexdigest()

    def digest(self, name: str) -> str:
        total = hashlib.sha256()
        with open(self.path(name), "rb") as file:
            while chunk := file.read(1 << 20):
                total.update(chunk)
        return total.hexdigest()

    def lines(self, name: str, count: int, width: int) -> Iterator[list[str]]:
        seen = 0
        with open(self.path(name), encoding="utf-8", newline="\n") as file:
            for line in file:
                parts = line[:-1].split(" ")
                need(line.endswith("\n") and len(parts) == width, f"{name} line {seen + 1} is malformed")
                seen += 1
                yield parts
        need(seen == count, f"{name} has {seen} lines, not {count}")

    def run(self) -> int:
        try:
            self.seals()
            self.lottery()
            self.tables()
            self.edges()
            if self.openings:
                self.open_rows()
        except (Broken, OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as error:
            self.say("format", 1, f"{type(error).__name__}: {error}")
        print("ACCEPTED" if not self.failed else f"REJECTED ({self.failed} tests failed)")
        return 1 if self.failed else 0

    def seals(self) -> None:
        run, run_hash = self.load("run.json")
        self.head, self.instance_hash = self.load("instance.json")
        names = {*PUBLIC, "instance.json"}
        need(set(run["files"]) == names and set(self.head["files"]) == set(PUBLIC[:3]), "the list of files differs")
        need(run["format"] == self.head["format"] == "jembatan-run/1", "unknown format")
        found = {name: self.digest(name) for name in PUBLIC} | {"instance.json": self.instance_hash}
        bad = sum(found[name] != run["files"][name] for name in names)
        bad += sum(found[name] != self.head["files"][name] for name in PUBLIC[:3])
        extra = set(os.listdir(self.folder)) - names - {"run.json", "signature.json", "verify.py"}
        self.say("hashes", bad + len(extra), f"{len(names)} files named by run.json, rule pack {run['rule_pack'][:16]}")
        self.totals = (run["placed_by_rights"], run["placed"])
        mark, _ = self.load("signature.json")
        n, e, size = int(mark["modulus"], 16), mark["exponent"], (len(mark["modulus"]) + 1) // 2
        text = "|".join((mark["run_hash"], mark["officer"], mark["role"], mark["time"]))
        tail = DIGEST_INFO + hashlib.sha256(text.encode()).digest()
        want = b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail
        seal = bytes.fromhex(mark["signature"])
        sane = e == 65537 and n.bit_length() >= 2048 and len(seal) == size and set(mark) == SIGNED
        sane &= mark["modulus"] == f"{n:x}" and mark["signature"] == seal.hex()
        bad = not sane or pow(int.from_bytes(seal, "big"), e, n) != int.from_bytes(want, "big")
        bad |= mark["run_hash"] != run_hash or mark["algorithm"] != "RSASSA-PKCS1-v1_5-SHA256"
        print_of_key = hashlib.sha256(f"{n:x}".encode()).hexdigest()
        bad |= self.key not in ("", print_of_key)
        trust = "as given" if self.key else "compare it with the published one"
        who = f"{mark['officer']} as {mark['role']} at {mark['time']}"
        self.say("signature", int(bad), f"{who} over {run_hash[:16]}, key {print_of_key} ({trust})")

    def lottery(self) -> None:
        drawn, _ = self.load("lottery.json")
        s, r = bytes.fromhex(drawn["operator_secret"]), bytes.fromhex(drawn["second"])
        self.seed = hashlib.sha256(s + r + bytes.fromhex(self.instance_hash)).digest()
        bad = hashlib.sha256(s).hexdigest() != drawn["commitment"]
        bad |= self.seed.hex() != drawn["seed"] or drawn["instance_hash"] != self.instance_hash
        bad |= min(len(s), len(r)) < 16 or drawn["operator_secret"] != s.hex() or drawn["second"] != r.hex()
        bad |= self.commitment not in ("", drawn["commitment"]) or self.instance not in ("", self.instance_hash)
        self.say("lottery", int(bad), f"H(s) {drawn['commitment'][:16]}, r {drawn['second'][:16]}, instance {self.instance_hash}")

    def tables(self) -> None:
        workers, lots = self.head["workers"], self.head["lots"]
        self.q, self.names = array("q"), list[str]()
        for name, seats in self.lines("lots.txt", lots, 2):
            need(not self.names or self.names[-1] < name, "lots are not in order of id")
            need(seats.isdecimal(), "seats are not a number")
            self.names.append(name)
            self.q.append(int(seats))
        self.cut, self.closed = list[int](), bytearray()
        for rank, number, state in self.lines("cutoffs.txt", lots, 3):
            need(state in ("closed", "open"), "a lot is neither closed nor open")
            named = {"- -": NO_CUT, "* *": NO_SEAT}.get(f"{rank} {number}")
            self.cut.append((int(rank) << 64) | int(number) if named is None else named)
            self.closed.append(state == "closed")
        need(len(self.q) == lots and os.path.getsize(self.path("edges.bin")) == 8 * self.head["edges"], "sizes differ")
        self.workers = workers

    def rows(self) -> Iterator[tuple[str, str, tuple[int, ...], tuple[int, ...], int, int, str]]:
        """Per worker: id, commitment, lots and marks in order of wish, M0 lot, M lot, kind."""
        last, total = "", 0
        table = self.lines("workers.txt", self.workers, 3)
        result = self.lines("result.txt", self.workers, 3)
        with open(self.path("edges.bin"), "rb") as file:
            for name, edges, seal in table:
                need(last < name, "workers are not in order of id")
                last, size = name, int(edges)
                total += size
                row = struct.unpack(f"<{2 * size}I", file.read(8 * size))
                first, final, kind = next(result, ("", "", ""))
                need(kind in ("-", "N", "M"), "result.txt is too short or has an unknown kind")
                yield name, seal, row[::2], row[1::2], int(first), int(final), kind
        need(next(result, None) is None and total == self.head["edges"], "tables of different length")

    def edges(self) -> None:
        lots, q = len(self.q), self.q
        cut, closed = self.cut, self.closed
        count0, count = array("q", bytes(8 * lots)), array("q", bytes(8 * lots))
        low0, low, low_stay = [NO_SEAT] * lots, [NO_SEAT] * lots, [NO_SEAT] * lots
        unplaced_top, envy_top, wish_top, wish_lot = [-1] * lots, [-1] * lots, [-1] * lots, [NOBODY] * lots
        wrong_kind = unlisted = twice = above = moved = lost = leaks = 0
        holders = unplaced = edges = kinds_n = kinds_m = placed0 = placed = 0
        numbers: set[int] = set()
        for name, _, row, marks, first, final, kind in self.rows():
            number = int.from_bytes(hmac.digest(self.seed, name.encode(), "sha256")[:8], "big")
            numbers.add(number)
            edges += len(row)
            twice += len(set(row)) != len(row) or any(lot >= lots for lot in row)
            if twice or (first != NOBODY and first not in row) or (final != NOBODY and final not in row):
                unlisted += 1
                continue
            size = len(row)
            at0 = size if first == NOBODY else row.index(first)
            at = size if final == NOBODY else row.index(final)
            wrong_kind += kind != ("-" if final in (first, NOBODY) else "N" if first == NOBODY else "M")
            kinds_n, kinds_m = kinds_n + (kind == "N"), kinds_m + (kind == "M")
            for lot, mark in zip(row[:at0], marks, strict=False):
                key = ((mark >> 1) << 64) | number
                above += key >= cut[lot]
                if key > wish_top[lot]:
                    wish_top[lot], wish_lot[lot] = key, first
            holder = False
            if first != NOBODY:
                placed0 += 1
                key = ((marks[at0] >> 1) << 64) | number
                count0[first] += 1
                low0[first] = min(low0[first], key)
                holder = any(mark & 1 for mark in marks[at0:])
                holders += holder
                moved += holder and final != first
                lost += final == NOBODY
            if final == NOBODY:
                unplaced += 1
                for lot, mark in zip(row, marks, strict=True):
                    leaks += not closed[lot]
                    unplaced_top[lot] = max(unplaced_top[lot], ((mark >> 1) << 64) | number)
                continue
            placed += 1
            key = ((marks[at] >> 1) << 64) | number
            count[final] += 1
            low[final] = min(low[final], key)
            if kind == "-":
                low_stay[final] = min(low_stay[final], key)
            if closed[final] and not holder:
                leaks += not all(closed[lot] for lot in row)
            if kind != "M":
                for lot, mark in zip(row[:at], marks, strict=False):
                    envy_top[lot] = max(envy_top[lot], ((mark >> 1) << 64) | number)
        every = range(lots)
        over = sum(count0[i] > q[i] or count[i] > q[i] for i in every)
        shape = f"{self.workers} workers, {lots} lots, {edges} edges, {sum(q)} covered seats"
        totals = (placed0, placed) != tuple(self.totals)
        self.say("F0", over + unlisted + twice + totals, f"{shape}; eligible, one place each, no lot over its seats")
        want = [NO_SEAT if not q[i] else low0[i] if count0[i] == q[i] else NO_CUT for i in every]
        wrong_cut = sum(want[i] != cut[i] for i in every)
        self.say("F1 stable", above + wrong_cut, f"{placed0} placed by rights, {lots} cut-offs, all better wishes")
        self.say("F1 best", len(cycle(wish_lot)), "no ring of lots around which workers could all move up")
        self.say("F2", moved, f"{holders} right-holders sit where rights put them")
        self.say("F3", lost, f"{placed} placed in the end, {placed0} by rights")
        not_full = sum(closed[i] and count[i] < q[i] for i in every)
        looked = f"{unplaced} unplaced and all movable occupants of {sum(closed)} closed lots have no way out"
        self.say("F4", leaks + not_full, looked)
        beaten = sum(unplaced_top[i] > low[i] for i in every)
        self.say("F5", beaten, f"{unplaced} unplaced workers against the lowest holder of every eligible lot")
        envy = sum(envy_top[i] > low_stay[i] for i in every)
        listed = f"{kinds_m} movers (return right) and {kinds_n} newcomers on the exception list"
        self.say("F6", envy + wrong_kind, f"{listed}; nobody else is envied by one who was not moved")
        self.say("tickets", self.workers - len(numbers), f"{len(numbers)} lottery numbers, all different")

    def open_rows(self) -> None:
        """Auditor, signer or a person: opened rows fit their commitments; all together give the published ranks."""
        opened = {}
        with open(self.openings, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                opened[row["id"]] = row
        index = {name: i for i, name in enumerate(self.names)}
        fields = self.head["priority"][:-1]
        rows = bad = 0
        ranks: list[dict[int, int]] = [{} for _ in self.names]
        for name, seal, lots, marks, _, _, _ in self.rows():
            if name not in opened:
                continue
            row = opened.pop(name)
            facts = [[index[edge[0]], *edge[1:]] for edge in row["edges"]]
            data = b"".join(struct.pack("<IBBBBI", *fact) for fact in facts)
            fits = hashlib.sha256(bytes.fromhex(row["salt"]) + name.encode() + b"\0" + data).hexdigest() == seal
            bad += not fits or row["columns"] != COLUMNS or [fact[0] for fact in facts] != list(lots)
            rows += 1
            for fact, mark in zip(facts, marks, strict=False):
                values = dict(zip(COLUMNS, fact, strict=True))
                values["nearness"] = 1023 - values["km"]
                bad += (mark & 1) != (values["incumbent"] | values["carry_over"])
                base = 0
                for field in fields:
                    base = base << BITS[field] | values[field]
                bad += ranks[fact[0]].setdefault(base, mark >> 1) != mark >> 1
        if rows == self.workers:
            bad += sum([by[base] for base in sorted(by)] != list(range(len(by))) for by in ranks)
        what = "all ranks follow from the facts" if rows == self.workers else "own rows only, ranks not compared"
        self.say("openings", bad + len(opened), f"{rows} of {self.workers} rows open to their commitments; {what}")


def cycle(target: list[int]) -> list[int]:
    """A ring in a graph where each lot points to at most one lot; empty when there is none."""
    seen = [0] * len(target)
    for start in range(len(target)):
        at, path = start, []
        while at != NOBODY and not seen[at]:
            seen[at] = start + 1
            path.append(at)
            at = target[at]
        if at != NOBODY and seen[at] == start + 1:
            return path[path.index(at) :]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description="Check a run folder; ends 0 when every test holds, else 1.")
    parser.add_argument("folder")
    parser.add_argument("--key", default="", help="published fingerprint of the signing key: SHA-256 of its modulus in hex")
    parser.add_argument("--commitment", default="", help="H(s) as the operator published it while the round was a draft")
    parser.add_argument("--instance", default="", help="hash of instance.json as published at the freeze")
    parser.add_argument("--openings", default="", help="openings.jsonl of the auditor, or the one line of a person")
    given = parser.parse_args()
    return Verifier(given.folder, given.key, given.commitment, given.instance, given.openings).run()


if __name__ == "__main__":
    sys.exit(main())

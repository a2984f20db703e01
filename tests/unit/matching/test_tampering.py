"""Oracle 11: every tampering is rejected, by an outsider (bytes) and by the operator (all hashes and the signature redone)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from services.placement.matching import sign
from tests.unit.matching.folder import (
    Files,
    Folder,
    Run,
    canonical,
    decision,
    kind_of,
    published,
    reseal,
    rows_of,
    run,
    table,
    verify,
    wishes,
)

Tamper = Callable[[Random, Run, Run], Files]


def _swap_workers(rnd: Random, made: Run, other: Run) -> Files:
    rows = rows_of(made.files["result.txt"])
    a, b = rnd.sample([i for i, row in enumerate(rows) if row[1] != "-1"], 2)
    rows[a], rows[b] = rows[b], rows[a]
    return {**made.files, "result.txt": table(rows)}


def _flip_bit(rnd: Random, made: Run, other: Run) -> Files:
    name = rnd.choice(sorted(made.files))
    content = bytearray(made.files[name])
    bit = rnd.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    return {**made.files, name: bytes(content)}


def _change_number(name: str, column: int) -> Tamper:
    def change(rnd: Random, made: Run, other: Run) -> Files:
        rows = rows_of(made.files[name])
        row = rnd.choice([r for r in rows if r[column].lstrip("-").isdecimal()])
        row[column] = str(int(row[column]) + rnd.choice((-1, 1, 2)))
        return {**made.files, name: table(rows)}

    return change


def _change_key(rnd: Random, made: Run, other: Run) -> Files:
    edges = bytearray(made.files["edges.bin"])
    at = 8 * rnd.randrange(len(edges) // 8) + 4
    mark = int.from_bytes(edges[at : at + 4], "little")
    edges[at : at + 4] = (mark ^ rnd.choice((1, 2, 4))).to_bytes(4, "little")
    return {**made.files, "edges.bin": bytes(edges)}


def _change_seed(rnd: Random, made: Run, other: Run) -> Files:
    drawn = json.loads(made.files["lottery.json"])
    drawn[rnd.choice(("seed", "operator_secret", "second"))] = rnd.randbytes(32).hex()
    return {**made.files, "lottery.json": canonical(drawn)}


def _drop_row(rnd: Random, made: Run, other: Run) -> Files:
    name = rnd.choice(("workers.txt", "lots.txt", "result.txt", "cutoffs.txt"))
    rows = rows_of(made.files[name])
    del rows[rnd.randrange(len(rows))]
    return {**made.files, name: table(rows)}


def _add_row(rnd: Random, made: Run, other: Run) -> Files:
    name = rnd.choice(("workers.txt", "lots.txt", "result.txt", "cutoffs.txt"))
    rows = rows_of(made.files[name])
    rows.insert(rnd.randrange(len(rows) + 1), rnd.choice(rows))
    return {**made.files, name: table(rows)}


def _replay_file(rnd: Random, made: Run, other: Run) -> Files:
    name = rnd.choice(sorted(made.files))
    return {**made.files, name: other.files[name]}


def _lose_or_add_file(rnd: Random, made: Run, other: Run) -> Files:
    if rnd.random() < 0.5:
        return {**made.files, f"extra-{rnd.randrange(99)}.txt": b"\n"}
    gone = rnd.choice(sorted(made.files))
    return {name: content for name, content in made.files.items() if name != gone}


def _change_decision(rnd: Random, made: Run, other: Run) -> Files:
    mark = json.loads(made.files["signature.json"])
    mark[rnd.choice(("officer", "role", "time"))] = f"other-{rnd.randrange(10**6)}"
    return {**made.files, "signature.json": canonical(mark)}


def _foreign_signer(rnd: Random, made: Run, other: Run) -> Files:
    forged = {**made.files, "result.txt": table(rnd.sample(rows := rows_of(made.files["result.txt"]), len(rows)))}
    forged = reseal(forged)
    return {**forged, "signature.json": sign(forged, decision(1))}


def _result_row(rnd: Random, made: Run, pick: Callable[[list[str], int], Iterator[tuple[str, str]]]) -> Files:
    rows = rows_of(made.files["result.txt"])
    choices = [(i, pair) for i, row in enumerate(rows) for pair in pick(row, i)]
    at, (first, final) = rnd.choice(choices)
    rows[at] = [first, final, kind_of(first, final)]
    return reseal({**made.files, "result.txt": table(rows)})


def _other_rights_seat(rnd: Random, made: Run, other: Run) -> Files:
    lists = list(wishes(made.files))

    def pick(row: list[str], at: int) -> Iterator[tuple[str, str]]:
        for lot in [*map(str, lists[at]), "-1"]:
            if lot != row[0]:
                yield lot, lot if row[1] == row[0] else row[1]

    return _result_row(rnd, made, pick)


def _ineligible_seat(rnd: Random, made: Run, other: Run) -> Files:
    lists, lots = list(wishes(made.files)), range(len(made.instance.lots))

    def pick(row: list[str], at: int) -> Iterator[tuple[str, str]]:
        yield from ((row[0], str(lot)) for lot in lots if lot not in lists[at])

    return _result_row(rnd, made, pick)


def _moved_right_holder(rnd: Random, made: Run, other: Run) -> Files:
    lists, holders = list(wishes(made.files)), made.solution.holders

    def pick(row: list[str], at: int) -> Iterator[tuple[str, str]]:
        if holders[at]:
            yield from ((row[0], lot) for lot in [*map(str, lists[at]), "-1"] if lot != row[1])

    return _result_row(rnd, made, pick)


def _lost_place(rnd: Random, made: Run, other: Run) -> Files:
    return _result_row(rnd, made, lambda row, at: iter([(row[0], "-1")] if row[1] != "-1" else []))


def _exception_list(rnd: Random, made: Run, other: Run) -> Files:
    rows = rows_of(made.files["result.txt"])
    row = rnd.choice(rows)
    row[2] = rnd.choice([kind for kind in "-NM" if kind != row[2]])
    return reseal({**made.files, "result.txt": table(rows)})


def _cut_off(rnd: Random, made: Run, other: Run) -> Files:
    rows = rows_of(made.files["cutoffs.txt"])
    row = rnd.choice(rows)
    if row[0].isdecimal() and rnd.random() < 0.7:
        column = rnd.randrange(2)
        row[column] = str(int(row[column]) + rnd.choice((-1, 1)) if int(row[column]) else 1)
    else:
        row[:2] = rnd.choice([pair for pair in (["-", "-"], ["*", "*"], ["3", "77"]) if pair != row[:2]])
    return reseal({**made.files, "cutoffs.txt": table(rows)})


def _closed_set(rnd: Random, made: Run, other: Run) -> Files:
    rows = rows_of(made.files["cutoffs.txt"])
    rnd.choice([row for row in rows if row[2] == "closed"])[2] = "open"
    return reseal({**made.files, "cutoffs.txt": table(rows)})


def _resealed(tamper: Tamper) -> Tamper:
    return lambda rnd, made, other: reseal(tamper(rnd, made, other))


KINDS: dict[str, Tamper] = {
    "swap two workers": _swap_workers,
    "flip a bit in any file": _flip_bit,
    "change a key": _change_key,
    "change a quota": _change_number("lots.txt", 1),
    "change a cut-off": _change_number("cutoffs.txt", 1),
    "change a seat": _change_number("result.txt", 1),
    "change the seed": _change_seed,
    "drop a row": _drop_row,
    "add a row": _add_row,
    "replay another run's file": _replay_file,
    "lose or add a file": _lose_or_add_file,
    "change the decision": _change_decision,
    "another signer": _foreign_signer,
    "operator: another rights seat": _other_rights_seat,
    "operator: an ineligible seat": _ineligible_seat,
    "operator: a moved right-holder": _moved_right_holder,
    "operator: a lost place": _lost_place,
    "operator: exception list": _exception_list,
    "operator: cut-off": _cut_off,
    "operator: closed set": _closed_set,
    "operator: a key after the freeze": _resealed(_change_key),
    "operator: a quota after the freeze": _resealed(_change_number("lots.txt", 1)),
}


def tamper_all(path: Path, times: int) -> dict[str, int]:
    """`times` tamperings of each kind; the number rejected by kind."""
    rnd, folder, rejected = Random(times), Folder(path), dict.fromkeys(KINDS, 0)
    runs = [run(seed) for seed in (1, 2, 3)]
    known = [published(made) for made in runs]
    for kind, tamper in KINDS.items():
        for turn in range(times):
            made, other = runs[turn % 3], runs[(turn + 1) % 3]
            files = tamper(rnd, made, other)
            while files == made.files:
                files = tamper(rnd, made, other)
            code, text = verify(folder.put(files), **known[turn % 3])
            assert code == 1, f"{kind}: accepted\n{text}"
            assert "REJECTED" in text
            rejected[kind] += 1
    for made, facts in zip(runs, known, strict=True):
        code, text = verify(folder.put(made.files), **facts)
        assert code == 0, text
    print("".join(f"\n{count:6d} rejected: {kind}" for kind, count in rejected.items()))
    print(f"{sum(rejected.values()):6d} tamperings, all rejected")
    return rejected


def test_a_slice_of_tamperings_is_rejected_whole(tmp_path: Path) -> None:
    assert sum(tamper_all(tmp_path, 28).values()) >= 600


@pytest.mark.slow
def test_ten_thousand_tamperings_are_rejected_each_kind_five_hundred_times(tmp_path: Path) -> None:
    rejected = tamper_all(tmp_path, 500)
    assert sum(rejected.values()) >= 10_000 and min(rejected.values()) >= 500

"""The run folder: views, lottery, signature, and the stand-alone verifier as a stranger runs it."""

import ast
import hashlib
import inspect
import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from services.placement import matching
from services.placement.matching import (
    SeedParts,
    Signature,
    auditor_file,
    check,
    commitment,
    draw,
    own_row,
    run_files,
    run_hash,
    sign,
    solve,
)
from services.placement.matching.check import improving_cycle
from services.placement.matching.instance import numbers, spans
from services.placement.matching.verify import cycle
from tests.bench.matching.generator import market as large_market
from tests.unit.matching.folder import PACK, Folder, Run, canonical, decision, fingerprint, pem, published, run, verify
from tests.unit.matching.markets import crowded_market, random_market

VERIFY = Path(matching.__file__).with_name("verify.py")


def stranger(path: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-I", str(VERIFY), str(path), *given], capture_output=True, text=True, check=False, cwd="/")


def test_a_stranger_accepts_an_honest_run_and_sees_every_test(tmp_path: Path) -> None:
    made = run(1)
    folder = Folder(tmp_path).put(made.files)
    ended = stranger(folder, *(part for name, value in published(made).items() for part in (f"--{name}", value)))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for test in ("hashes", "signature", "lottery", "F0", "F1 stable", "F1 best", "F2", "F3", "F4", "F5", "F6", "ACCEPTED"):
        assert test in ended.stdout
    assert "FAIL" not in ended.stdout
    (folder / "result.txt").write_bytes(made.files["result.txt"][:-2])
    assert stranger(folder).returncode == 1
    assert stranger(tmp_path / "nowhere").returncode == 1


def test_the_verifier_is_short_and_stands_alone() -> None:
    text = VERIFY.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or "."] if isinstance(node, ast.ImportFrom) else []
        assert all(name.partition(".")[0] in sys.stdlib_module_names for name in names)


def test_the_engine_imports_nothing_of_the_project() -> None:
    for path in VERIFY.parent.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 450
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert (node.module or "").partition(".")[0] not in {"services", "shared", "deploy", "tests"}


def test_honest_runs_of_many_markets_are_accepted(tmp_path: Path) -> None:
    rnd, folder = Random(17), Folder(tmp_path)
    for turn in range(120):
        market = crowded_market(rnd, rnd.randint(1, 30)) if turn % 2 else random_market(rnd, rnd.randint(0, 20), 6)
        instance, parts = market.instance(), SeedParts(rnd.randbytes(32), rnd.randbytes(32))
        solution = solve(instance, draw(parts.operator_secret, parts.second, instance))
        made = Run(instance, solution, parts, run_files(instance, solution, parts, PACK, decision()))
        code, text = verify(folder.put(made.files), **published(made))
        assert code == 0, text


def test_a_larger_run_is_accepted_with_its_openings(tmp_path: Path) -> None:
    instance = large_market(600, 0.95, 50, 3)
    parts = SeedParts(b"s" * 32, b"r" * 32)
    solution = solve(instance, draw(parts.operator_secret, parts.second, instance))
    folder = Folder(tmp_path).put(run_files(instance, solution, parts, PACK, decision()))
    openings = tmp_path.parent / "openings.jsonl"
    openings.write_bytes(auditor_file(instance))
    code, text = verify(folder, openings=str(openings))
    assert code == 0 and "600 of 600 rows open" in text, text


def test_an_own_row_opens_and_a_false_fact_does_not(tmp_path: Path) -> None:
    made = run(1)
    folder = Folder(tmp_path).put(made.files)
    worker = next(iter(made.solution.assignment))
    mine = tmp_path.parent / "mine.jsonl"
    row = own_row(made.instance, worker)
    mine.write_bytes(canonical(row))
    code, text = verify(folder, openings=str(mine))
    assert code == 0 and "1 of 40 rows open" in text
    for column in range(1, 6):
        false = json.loads(json.dumps(row))
        false["edges"][0][column] = 1 - false["edges"][0][column] if column in (1, 2, 4) else false["edges"][0][column] + 1
        mine.write_bytes(canonical(false))
        assert verify(folder, openings=str(mine))[0] == 1
    mine.write_bytes(canonical({**row, "id": "somebody"}))
    assert verify(folder, openings=str(mine))[0] == 1


def test_an_auditor_sees_ranks_that_do_not_follow_from_the_facts(tmp_path: Path) -> None:
    made = run(2)
    lying = replace(made.instance)
    ranks = made.instance.rank.copy()
    lot = next(p for p in range(len(lying.lots)) if (made.instance.lot == p).sum() > 1 and ranks[made.instance.lot == p].any())
    ranks[made.instance.lot == lot] = ranks[made.instance.lot == lot][::-1].max() - ranks[made.instance.lot == lot]
    lying.__dict__["rank"] = ranks
    parts = made.parts
    solution = solve(lying, draw(parts.operator_secret, parts.second, lying))
    folder = Folder(tmp_path).put(run_files(lying, solution, parts, PACK, decision()))
    openings = tmp_path.parent / "audit.jsonl"
    openings.write_bytes(auditor_file(made.instance))
    code, text = verify(folder, openings=str(openings))
    assert code == 1 and "FAIL  openings" in text


def test_the_public_files_hold_no_fact_and_no_salt() -> None:
    made = run(1)
    other = replace(made.instance, salt=b"another salt of the tests")
    assert other.commitments != made.instance.commitments and (other.rank == made.instance.rank).all()
    everything = b"".join(made.files.values())
    assert made.instance.salt not in everything and made.instance.salt.hex().encode() not in everything
    for worker in range(len(made.instance.workers)):
        assert made.instance.salt_of(worker).hex().encode() not in everything


def test_a_stable_matching_that_is_not_the_workers_best_is_found() -> None:
    rnd, found, clean = Random(31), 0, 0
    for _ in range(1500):
        market = random_market(rnd, rnd.randint(3, 5), 4, longest=4)
        plain, solution = market.plain(), market.solve()
        instance = solution.instance
        place = {name: i for i, name in enumerate(instance.workers)}
        for match in plain.all_matches():
            if not plain.stable(match):
                continue
            m = solution.m0_edge.copy()
            m[:] = -1
            for worker, lot in match.items():
                m[place[worker]] = instance.ip[place[worker]] + plain.wish[worker].index(lot)
            wishes = spans(instance.ip[:-1], np.where(m < 0, instance.ip[1:], m))
            ring = improving_cycle(instance, solution.key, m, wishes)
            assert bool(ring) == (match != solution.m0)
            found, clean = found + bool(ring), clean + (not ring)
    assert found > 10 and clean > 300


def test_a_ring_is_found_wherever_it_is() -> None:
    assert cycle([1, 2, -1]) == [] and cycle([]) == []
    assert cycle([1, 2, 3, 1]) == [1, 2, 3] and cycle([0]) == [0]


def test_the_lottery_cannot_be_ground() -> None:
    made = run(1)
    parts, instance = made.parts, made.instance
    seed = draw(parts.operator_secret, parts.second, instance)
    assert seed == hashlib.sha256(parts.operator_secret + parts.second + instance.hash).digest()
    assert json.loads(made.files["lottery.json"])["commitment"] == commitment(parts.operator_secret)
    wider = instance.with_seats(0, int(instance.q[0]) + 1)
    assert draw(parts.operator_secret, parts.second, wider) != seed
    assert len(set(numbers(instance.workers, seed).tolist())) == len(instance.workers)
    with pytest.raises(ValueError, match="not drawn"):
        run_files(instance, made.solution, SeedParts(b"x" * 32, parts.second), PACK)


def test_signing_later_gives_the_same_folder_and_bad_decisions_are_refused() -> None:
    made = run(1)
    files = run_files(made.instance, made.solution, made.parts, PACK)
    assert "signature.json" not in files
    assert {**files, "signature.json": sign(files, decision())} == made.files
    assert json.loads(made.files["signature.json"])["run_hash"] == run_hash(files)
    assert run_files(made.instance, solve(made.instance, made.solution.seed), made.parts, PACK) == files
    with pytest.raises(ValueError, match="officer"):
        sign(files, Signature("a|b", "ppk", "2026-01-05T02:00:00Z", pem()))
    assert fingerprint(0) != fingerprint(1)


def test_the_example_of_the_package_runs_as_written() -> None:
    example = inspect.cleandoc(str(matching.__doc__).split("How placement's use cases use it::")[1].split("After a run:")[0])
    names = {"s": b"s" * 32, "r": b"r" * 32, "salt": b"x" * 32, "pack_hash": PACK, "rsa_private_pem": pem()}
    exec(textwrap.dedent(example), names)
    assert names["solution"].assignment == {"w-01": "lot-a"}  # type: ignore[attr-defined]


def test_the_small_program_of_the_page_checks_the_seals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).parents[3].joinpath("docs", "certificate.md").read_text()
    program = page.split("```python\n")[1].split("```")[0]
    made, folder = run(1), Folder(tmp_path)
    monkeypatch.chdir(folder.put(made.files))
    exec(program, {})
    folder.put({**made.files, "run.json": made.files["run.json"].replace(b"1.0.0", b"1.0.1")})
    with pytest.raises(AssertionError):
        exec(program, {})


def test_the_fast_checker_rejects_what_the_verifier_rejects() -> None:
    made = run(1)
    solution, rnd = made.solution, Random(4)
    assert check(solution).ok
    for _ in range(300):
        m0, m = solution.m0_edge.copy(), solution.m_edge.copy()
        cut, closed = solution.cut.copy(), solution.closed.copy()
        worker, kind = rnd.randrange(len(m)), rnd.randrange(5)
        own = solution.instance.edges_of(worker)
        edge = rnd.choice([-1, *range(own.start, own.stop)])
        if kind == 0:
            m0[worker] = edge
        elif kind == 1 and (solution.holders[worker] or edge < 0):
            m[worker] = edge
        elif kind == 2:
            cut[rnd.randrange(len(cut))] += rnd.choice((-1, 1))
        elif kind == 3 and closed.any():
            closed[rnd.choice(closed.nonzero()[0].tolist())] = False
        elif kind == 4:
            m[worker] = rnd.randrange(len(solution.key))
            if own.start <= m[worker] < own.stop:
                continue
        same = (m0 == solution.m0_edge).all() and (m == solution.m_edge).all()
        if same and (cut == solution.cut).all() and (closed == solution.closed).all():
            continue
        assert not check(replace(solution, m0_edge=m0, m_edge=m, cut=cut, closed=closed)).ok

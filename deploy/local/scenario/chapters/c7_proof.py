"""Proof: the run folder fetched through the public door, checked by the standard-library verifier, and a tampered copy rejected."""

import asyncio
import shutil
import sys
from pathlib import Path

from deploy.local.scenario.stage import Stage, Step

TITLE = "proof"
BUDGET = 45.0
VERIFIER = Path(__file__).parents[4] / "services" / "placement" / "matching" / "verify.py"


def steps(stage: Stage) -> list[Step]:
    """After the books."""
    return [Step(stage.figures.rounds.close_on, TITLE, "verifier", lambda: proof(stage))]


async def proof(stage: Stage) -> None:
    """Accepts what was published; rejects it once a single digit of the result is changed."""
    office, round_id = stage.office, stage.notes["round"]
    folder: Path = stage.notes["runs"] / f"{stage.region}-{round_id}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    listing = await office.get("placement", f"/v1/rounds/{round_id}/files")
    assert listing["items"], "the run has no files"
    for item in listing["items"]:
        answer = await office.driver.call("GET", f"{office.driver.place.url('placement')}/v1/rounds/{round_id}/files/{item['name']}")
        (folder / item["name"]).write_bytes(answer.content)
    code, out = await verify(folder)
    stage.notes["verified"] = out
    assert code == 0, out
    tampered = folder.with_name(folder.name + "-tampered")
    shutil.rmtree(tampered, ignore_errors=True)
    shutil.copytree(folder, tampered)
    await asyncio.to_thread(tamper, tampered)
    code, out = await verify(tampered)
    assert code == 1, f"the verifier accepted a tampered run: {out}"
    shutil.rmtree(tampered)
    stage.said(f"{stage.region}: verify.py accepts the round's {len(listing['items'])} files and rejects a tampered copy")


def tamper(folder: Path) -> None:
    """Swap one digit in the middle of the result: the smallest lie."""
    path = max((p for p in folder.iterdir() if "result" in p.name), key=lambda p: p.stat().st_size)
    raw = bytearray(path.read_bytes())
    at = next(i for i in range(len(raw) // 2, len(raw)) if chr(raw[i]).isdigit())
    raw[at] = ord("1") if raw[at] != ord("1") else ord("2")
    path.write_bytes(bytes(raw))


async def verify(folder: Path) -> tuple[int, str]:
    """Run the verifier as the council would: isolated, standard library only."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(VERIFIER), str(folder), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode()

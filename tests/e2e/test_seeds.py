"""Padang Panjang with other people: every published figure holds, whatever the seed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.scenario.figures import COLUMNS, read

REGION = "13.74"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.mark.parametrize("seed", [7, 4242])
def test_every_dated_figure_holds_with_other_people(seed: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shared.cli", "demo", "--region", REGION, "--seed", str(seed), "--folder", str(tmp_path)],
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=1400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    by_date = json.loads((tmp_path / "report.json").read_text())["regions"][REGION]["by_date"]
    rows = read(REGION).balance
    assert len(by_date) == len(rows)
    for row in rows:
        counted = by_date[row.day.isoformat()]
        totals = {c: sum(counted[c].values()) if isinstance(counted[c], dict) else counted[c] for c in COLUMNS}
        assert totals == {c: getattr(row, c) for c in COLUMNS}, row.day

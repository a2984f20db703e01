"""`jembatan pack`: what an operator mounts is what the sources say."""

from pathlib import Path

from typer.testing import CliRunner

from shared.cli.pack import app
from shared.regulation import load
from shared.regulation.sources import build, regions


def test_a_built_pack_is_the_file_that_a_service_loads(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["build", "15.05", "--to", str(tmp_path)])
    assert done.exit_code == 0, done.output
    name = Path(done.output.strip()).stem
    assert load(tmp_path, name).region == "15.05"
    assert name == build("15.05").sha256


def test_check_names_every_region_and_show_every_source(tmp_path: Path) -> None:
    checked = CliRunner().invoke(app, ["check"])
    assert [line.split()[0] for line in checked.output.splitlines()] == list(regions())
    shown = CliRunner().invoke(app, ["show", "13.74"]).output
    assert "wage_floor" in shown and "3182955" in shown and "[S]" in shown


def test_an_unknown_region_is_an_error_that_names_the_file() -> None:
    done = CliRunner().invoke(app, ["build", "77.77"])
    assert done.exit_code == 1
    assert "77.77.yaml" in done.output

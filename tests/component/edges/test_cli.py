"""The command line: what it prints, how it ends, and that a mistake is one line."""

import asyncio
import json
import os
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.cli.app import build
from shared.cli.words import advice
from shared.events.registry import WorkerLeft
from shared.ids import new_id
from tests.support.running import Running


async def run(toy: Running, *arguments: str) -> tuple[int, str]:
    """The command with the toy's settings; its exit code and all it said, an error as its one line."""
    file = toy.folder / "toy.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in toy.environment.items() if "\n" not in value))

    def invoke() -> tuple[int, str]:
        result = CliRunner().invoke(build(arguments), [*arguments, "--env", str(file)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            line = advice(result.exception)
            assert line is not None, result.exception
            return 1, result.output + line
        return result.exit_code, result.output

    return await asyncio.to_thread(invoke)


async def test_every_command_explains_itself_with_an_example() -> None:
    app = build()
    runner = CliRunner()
    for command in ("status", "migrate", "token", "resend", "rebuild", "contracts", "serve", "topics apply", "topics diff", "up", "demo"):
        result = runner.invoke(app, [*command.split(), "--help"])
        assert result.exit_code == 0 and "Example: " in result.output, command
    for command in ("list", "show", "replay", "discard"):
        assert "Example: jembatan parked" in runner.invoke(app, ["parked", command, "--help"]).output


async def test_status_is_well_when_nothing_waits(toy: Running) -> None:
    await toy.say(WorkerLeft(worker_id=new_id(), region="13.74", effective_on=date(2026, 1, 5), reason="died"))
    await toy.settle()
    code, said = await run(toy, "status", "--json")
    found = json.loads(said)
    assert code == 0 and found["well"] is True, said
    assert found["services"][0]["figures"]["pending"] == 0
    assert found["services"][0]["lags"] == {"vendor.left_workers": 0, "vendor.packs": 0}
    assert (await run(toy, "status"))[0] == 0


async def test_a_parked_record_is_listed_shown_and_discarded(toy: Running) -> None:
    place = await toy.publish("registry.events", b"{ 1374010101010101", key=new_id())
    await toy.settle()
    code, said = await run(toy, "parked", "list", "--consumer", "vendor.left_workers")
    line = next(line for line in said.splitlines() if f"{place[0]}/{place[1]}@{place[2]}" in line)
    assert code == 0 and "1374010101010101" not in said
    row = line.split()[0]
    assert (await run(toy, "status"))[0] == 1
    assert "1374010101010101" not in (await run(toy, "parked", "show", row))[1]
    assert "1374010101010101" in (await run(toy, "parked", "show", row, "--content"))[1]
    assert "refused: nothing-to-replay" in (await run(toy, "parked", "replay", row))[1]
    for waiting in (await run(toy, "parked", "list"))[1].splitlines():
        assert (await run(toy, "parked", "discard", waiting.split()[0], "--yes"))[0] == 0
    assert (await run(toy, "parked", "list"))[1] == ""
    audited = await toy.rows("SELECT DISTINCT kind, actor FROM audit WHERE kind LIKE 'parked.%' ORDER BY kind")
    assert [one["kind"] for one in audited] == ["parked.discarded", "parked.opened"]
    assert all(not one["actor"].startswith("system") for one in audited)


async def test_events_are_sent_again_and_heard_once(toy: Running) -> None:
    answer = await toy.http.post("/v1/things", json={"region": "13.74", "name": "resent"}, headers=toy.bearer("procurement_officer"))
    await toy.settle()
    code, said = await run(toy, "resend", "--aggregate", answer.json()["id"])
    assert code == 0 and said.startswith("1 events")
    await toy.settle()
    assert "nothing to send again" in (await run(toy, "resend", "--aggregate", str(new_id())))[1]
    assert "either" in (await run(toy, "resend"))[1]


async def test_topics_are_as_the_list_says(toy: Running) -> None:
    code, said = await run(toy, "topics", "diff")
    assert code == 0, said
    assert (await run(toy, "topics", "apply"))[0] == 0


async def test_a_mistake_is_one_line_that_says_what_to_do(toy: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("JEMBATAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    app = build()
    for arguments, text in (
        (["status"], "no settings found"),
        (["migrate", "registry"], "JEMBATAN_OWNER_URL is not set"),
        (["migrate", "nobody"], "no such service"),
        (["token", "desk"], "no local issuer"),
    ):
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
        assert result.exception is not None
        line = advice(result.exception)
        assert line is not None and text in line and "\n" not in line
    _, said = await run(toy, "resend", "--service", "notify", "--since", "2026-01-01")
    assert "no settings found" in said
    wrong = tmp_path / "wrong.env"
    wrong.write_text("JEMBATAN_SERVICE=vendor\nJEMBATAN_WORKER_URL=postgresql://a:b@127.0.0.1:1/c\nJEMBATAN_ACTOR_KEY=" + "A" * 43)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["parked", "list", "--env", str(wrong)])
    assert result.exception is not None and "the database does not answer" in (advice(result.exception) or "")

"""No child outlives its launcher, and stopping goes in order. Real processes, killed for real."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import ProcessError, Processes

PATIENCE = 60.0
"""Seconds a condition may take on a crowded machine before it counts as never; no test measures time."""


def _wait(condition: str, probe: object) -> None:
    limit = time.monotonic() + PATIENCE
    while not probe():  # type: ignore[operator]
        assert time.monotonic() < limit, f"never: {condition}"
        time.sleep(0.05)


def _alive(pids: Iterable[int]) -> list[str]:
    found = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{pid} {process.cmdline()[:4]}")
        except psutil.NoSuchProcess:
            continue
    return found


def _launch(folder: Path, body: str) -> subprocess.Popen[str]:
    """A launcher of its own, running `body` inside `async with Processes(folder) as processes`."""
    script = f"""
    import asyncio, signal, sys
    from pathlib import Path
    from deploy.local.kafka import Broker
    from deploy.local.postgres import Postgres
    from deploy.local.processes import Processes, interruptible

    async def main():
        async with interruptible(), Processes(Path({str(folder)!r})) as processes:
            async def child(name, code):
                process = await processes.start(name, [sys.executable, "-c", code])
                await process.until(up(process), "a line in its log")
                return process
            def up(process):
                async def probe():
                    return "up" in process.tail()
                return probe
{textwrap.indent(textwrap.dedent(body), " " * 12)}
            print("ready", flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
    print("left", flush=True)
    """
    # the output goes to files: a child holding a pipe open would hang the test instead of failing it
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "launcher.out").open("w") as out, (folder / "launcher.err").open("w") as err:
        return subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=out, stderr=err, text=True)


def _ready(launcher: subprocess.Popen[str], folder: Path) -> list[int]:
    """Wait for the launcher; gives the ids of all that descends from it."""

    def probe() -> bool:
        assert launcher.poll() is None, (folder / "launcher.err").read_text()
        return "ready" in (folder / "launcher.out").read_text()

    _wait("the launcher is ready", probe)
    return [process.pid for process in psutil.Process(launcher.pid).children(recursive=True)]


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
print("up", flush=True)
time.sleep(600)
"""


def test_kill_9_of_the_launcher_leaves_no_process(tmp_path: Path) -> None:
    launcher = _launch(
        tmp_path,
        f"""
        folder = Path({str(tmp_path)!r})
        await asyncio.gather(
            Broker(processes, folder / "kafka").start(),
            Postgres(processes, folder / "postgres", durable=False).start(),
            child("stubborn", {STUBBORN!r}),
        )
        """,
    )
    descendants = _ready(launcher, tmp_path)
    names = {psutil.Process(pid).name() for pid in descendants}
    assert "java" in names and "postgres" in names
    assert len(descendants) > 5  # the keeper, the JVM, the postmaster and its helpers, the stubborn one and its child
    postmaster = next(psutil.Process(pid) for pid in descendants if psutil.Process(pid).name() == "postgres")
    data = Path(postmaster.cmdline()[postmaster.cmdline().index("-D") + 1])
    launcher.kill()
    launcher.wait()
    _wait("every descendant is gone", lambda: not _alive(descendants))
    # pytest's folders are closed to other accounts: as root, the data was elsewhere, and is gone too
    assert not data.exists() or tmp_path in data.parents


def test_kill_9_of_the_keeper_ends_the_children_and_is_noticed(tmp_path: Path) -> None:
    launcher = _launch(tmp_path, """await child("plain", 'import time; print("up", flush=True); time.sleep(600)')""")
    descendants = _ready(launcher, tmp_path)
    keeper = next(pid for pid in descendants if "keeper.py" in " ".join(psutil.Process(pid).cmdline()))
    os.kill(keeper, signal.SIGKILL)
    _wait("every descendant is gone", lambda: not _alive(descendants))
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(PATIENCE) == 0
    assert "left" in (tmp_path / "launcher.out").read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_children_last_started_first(tmp_path: Path, number: int) -> None:
    polite = """
import signal, sys, time
def end(*_):
    with open({marks!r}, "a") as marks:
        marks.write({name!r} + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(600)
"""
    marks = str(tmp_path / "marks")
    body = "\n".join(f"await child({name!r}, {polite.format(marks=marks, name=name)!r})" for name in ("one", "two", "three"))
    launcher = _launch(tmp_path, body)
    descendants = _ready(launcher, tmp_path)
    launcher.send_signal(number)
    assert launcher.wait(PATIENCE) == 0
    assert Path(marks).read_text().split() == ["three", "two", "one"]
    assert "left" in (tmp_path / "launcher.out").read_text()
    assert not _alive(descendants)


async def test_a_child_that_does_not_listen_is_killed_after_its_time(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        child = await processes.start("stubborn", [sys.executable, "-c", STUBBORN])

        async def up() -> bool:
            return "up" in child.tail()

        await child.until(up, "a line in its log")
        assert await child.stop(seconds=0.2) == -signal.SIGKILL
        assert not child.running and child.returncode == -signal.SIGKILL


async def test_a_child_that_ends_early_is_reported_with_its_log(tmp_path: Path) -> None:
    async with Processes(tmp_path) as processes:
        child = await processes.start("short", [sys.executable, "-c", "raise SystemExit('the reason')"])

        async def never() -> bool:
            return False

        with pytest.raises(ProcessError, match="the reason"):
            await child.until(never, "readiness", PATIENCE)
        assert child.returncode == 1
        with pytest.raises(ProcessError, match="cannot be started"):
            await processes.start("nothing", ["/no/such/program"])
        assert processes.running == []


async def test_a_pair_stops_when_its_last_user_was_killed(tmp_path: Path) -> None:
    """With external servers named, so that only the sharing is looked at."""
    environment = {**os.environ, "JEMBATAN_POSTGRES_URL": "postgresql://x", "JEMBATAN_KAFKA_BOOTSTRAP": "y:1", "JEMBATAN_PAIR_LINGER": "0"}
    script = """
import asyncio, sys
from pathlib import Path
from deploy.local.pair import pair
async def main():
    async with pair(Path(sys.argv[1])) as servers:
        print(servers.bootstrap, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    users = []
    for number in range(2):
        with (tmp_path / f"user-{number}").open("w") as out:
            users.append(subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=out, env=environment))
    for number in range(2):
        await asyncio.to_thread(_wait, "both are served", lambda n=number: "y:1" in (tmp_path / f"user-{n}").read_text())
    pairs = [
        process.pid
        for process in psutil.process_iter()
        if process.is_running()
        and process.status() != psutil.STATUS_ZOMBIE
        and "-m deploy.local.pair" in _command(process)
        and str(tmp_path) in _command(process)
    ]
    assert len(pairs) == 1
    users[0].kill()
    users[0].wait()
    await asyncio.sleep(1)
    assert _alive(pairs)
    users[1].kill()
    users[1].wait()
    await asyncio.to_thread(_wait, "the pair is gone", lambda: not _alive(pairs))
    assert not (tmp_path / "servers.json").exists()


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""

"""Forks of a fork server behave as processes: own log, environment and exit code, and none outlives what started it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.zygote import Zygotes

PATIENCE = 60.0
SLEEPER = "import os, time\nprint(os.environ['NAME'], os.getsid(0) == os.getpid(), flush=True)\ntime.sleep(600)\n"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs for the forks, where `python -m` finds them."""
    (tmp_path / "zygote_sleeper.py").write_text(SLEEPER)
    (tmp_path / "zygote_failer.py").write_text("raise SystemExit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    async with asyncio.timeout(PATIENCE):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.05)


async def logged(path: Path) -> str:
    """The first line of a log, when it is there."""
    async with asyncio.timeout(PATIENCE):
        while not (path.exists() and path.read_text().endswith("\n")):
            await asyncio.sleep(0.05)
    return path.read_text()


@pytest.mark.usefixtures("modules")
async def test_a_fork_is_a_process_of_its_own_and_dies_with_its_zygote(tmp_path: Path) -> None:
    async with Zygotes(tmp_path / "zygotes", ("vendor",)) as zygotes:
        of = zygotes.of("vendor")
        failer = await of.start("failer", [sys.executable, "-m", "zygote_failer"], env={})
        assert await failer.wait(PATIENCE) == 7
        sleeper = await of.start("sleeper", [sys.executable, "-m", "zygote_sleeper"], env={"NAME": "budi"})
        assert await logged(sleeper.log) == "budi True\n"
        assert await sleeper.kill() == -signal.SIGKILL
        another = await of.start("another", [sys.executable, "-m", "zygote_sleeper"], env={"NAME": "ani"})
        assert await logged(another.log) == "ani True\n"
        zygote = psutil.Process(another.pid).ppid()
        os.kill(zygote, signal.SIGKILL)
        await gone(another.pid)
        assert await another.wait(PATIENCE) == -signal.SIGKILL


@pytest.mark.usefixtures("modules")
async def test_no_fork_outlives_the_launcher(tmp_path: Path) -> None:
    launcher = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom tests.support.zygote import Zygotes\n"
        "async def main():\n"
        f"    async with Zygotes(Path({str(tmp_path / 'zygotes')!r}), ('vendor',)) as zygotes:\n"
        "        child = await zygotes.of('vendor').start('one', [sys.executable, '-m', 'zygote_sleeper'], env={'NAME': 'siti'})\n"
        "        print(child.pid, flush=True)\n"
        "        await child.wait()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", launcher, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": f"{Path.cwd()}:{tmp_path}"}
    )
    assert process.stdout is not None
    pid = int(await asyncio.wait_for(process.stdout.readline(), PATIENCE))
    parents = [parent.pid for parent in psutil.Process(pid).parents() if "tests.support.zygote" in parent.cmdline()]
    assert len(parents) == 2
    process.kill()
    await process.wait()
    for one in (pid, *parents):
        await gone(one)

"""Fork servers for services: one process per service that has imported everything, whose forks start in milliseconds.

    async with Zygotes(tmp_path / "zygotes") as zygotes:
        child = await zygotes.of("vendor").start("vendor-1", [sys.executable, "-m", "services.vendor.main"], env={...})

A zygote is a keeper (`deploy/local/keeper.py`) that forks where the other executes; the promise is the same: when the launcher
or a zygote dies, however, none of the forks is left. A fork has its own session, environment, log, and default signals.
"""

import asyncio
import contextlib
import gc
import importlib
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from deploy.local.keeper import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, Keeper, prctl
from deploy.local.processes import Processes

COMMON = ("shared.service", "shared.serve", "shared.bus", "shared.cli.app", "shared.migrating", "uvicorn.protocols.http.auto")
ROOT = Path(__file__).parents[2]


class ForkingKeeper(Keeper):
    """Starts `python -m module ...` as a fork of itself, where every import has been done."""

    def spawn(self, order: dict[str, Any]) -> None:
        """As the keeper's, for command lines of the form (python, "-m", module, arguments...)."""
        key, orphan_signal = int(order["key"]), int(order["orphan_signal"])
        keeper_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(order, keeper_pid, self.link)
        self.running[key] = (pid, orphan_signal)
        self.keys[pid] = key
        # what reaping looks for: only its return code is ever set
        self.popen[pid] = _Forked()  # type: ignore[assignment]
        self.say(key=key, pid=pid)


class _Forked:
    returncode = 0


def _become(order: dict[str, Any], keeper_pid: int, link: socket.socket) -> NoReturn:
    """In the fork: be that program, and end with its exit code."""
    code = 1
    try:
        prctl(PR_SET_PDEATHSIG, int(order["orphan_signal"]))
        if os.getppid() != keeper_pid:
            os._exit(125)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        link.close()
        _output(Path(order["log"]))
        os.environ.clear()
        os.environ.update(order["env"])
        if order["cwd"]:
            os.chdir(order["cwd"])
        _, dash_m, module, *arguments = order["argv"]
        assert dash_m == "-m", order["argv"]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
    except BaseException:  # noqa: BLE001 - a fork must never return into the keeper's loop
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _output(log: Path) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(source, target)
    # descriptors above belong to the keeper: its link, its wake-up pipe, its selector
    os.closerange(3, 256)


class Zygote(Processes):
    """The children of one fork server. `Zygotes` makes it."""

    def __init__(self, folder: Path, link: socket.socket) -> None:
        super().__init__(folder)
        self._link = link

    def _start_keeper(self) -> socket.socket:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self._link


class Zygotes:
    """One fork server per service, all forked from one process that imported what they share. An asynchronous context."""

    def __init__(self, folder: Path, services: tuple[str, ...] = ("registry", "vendor", "placement", "notify")) -> None:
        self.folder = folder
        self._services = services
        self._zygotes: dict[str, Zygote] = {}
        self._exit = contextlib.AsyncExitStack()
        self._first: subprocess.Popen[bytes] | None = None

    def of(self, service: str) -> Zygote:
        """The fork server of a service."""
        return self._zygotes[service]

    async def __aenter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        pairs = {service: socket.socketpair() for service in self._services}
        theirs = [there for _, there in pairs.values()]
        with (self.folder / "zygotes.log").open("ab") as log:
            self._first = subprocess.Popen(
                [sys.executable, "-m", "tests.support.zygote", *(f"{s}={there.fileno()}" for s, (_, there) in pairs.items())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[there.fileno() for there in theirs],
                start_new_session=True,
            )
        for there in theirs:
            there.close()
        for service, (ours, _) in pairs.items():
            self._zygotes[service] = await self._exit.enter_async_context(Zygote(self.folder, ours))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._exit.aclose()
        assert self._first is not None
        await asyncio.to_thread(self._first.wait)


def _settle(modules: Mapping[str, object] | tuple[str, ...]) -> None:
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    # what has been imported is never looked at by a fork's collector: its pages stay shared
    gc.freeze()


def main(arguments: list[str]) -> None:
    """`service=fd ...`: import what all share, then fork one keeper per service. Ends when all of them have."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    links = {service: int(number) for service, _, number in (argument.partition("=") for argument in arguments)}
    _settle(COMMON)
    ours = os.getpid()
    for service, number in links.items():
        if os.fork() == 0:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            prctl(PR_SET_CHILD_SUBREAPER, 1)
            if os.getppid() != ours:
                os._exit(125)
            for other in links.values():
                if other != number:
                    os.close(other)
            link = socket.socket(fileno=number)
            link.setblocking(True)
            _settle((f"services.{service}.main",))
            ForkingKeeper(link).run()
            os._exit(0)
    for number in links.values():
        os.close(number)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, lambda *_: None)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main(sys.argv[1:])

"""The keeper: a small process that owns every child of one launcher and outlives it by a moment.

The launcher starts it (by file, isolated from the environment, standard library only) and hands it one end of a socket
pair as an inherited file descriptor, whose number is the argument. Over it travel JSON lines:

    -> {"do": "spawn", "key": 1, "argv": [...], "env": {...}, "cwd": "...", "log": "...", "user": null | "name",
        "orphan_signal": 9, "nice": 0}
    -> {"do": "signal", "key": 1, "signal": 15, "group": false}
    -> {"do": "remove", "path": "..."}          (a folder, once the launcher is gone and every child has ended)
    <- {"key": 1, "pid": 4711}   |   {"key": 1, "error": "..."}   |   {"key": 1, "exited": 0}

Promise: when the launcher is gone, however it died, the socket reads end-of-file, and no descendant is left
`ORPHAN_SECONDS` later. When the keeper itself is killed, the kernel signals each child (parent-death signal), and the
launcher sees end-of-file on its side.
"""

import contextlib
import ctypes
import json
import os
import pwd
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ORPHAN_SECONDS = 5.0
"""How long a child may take to end by its own orphan signal before it is killed."""

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def prctl(option: int, value: int) -> None:
    """Call prctl(2) where it exists; elsewhere the end-of-file on the socket is the only guard."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def children() -> set[int]:
    """The living direct children of this process, adopted orphans among them (Linux; elsewhere empty)."""
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    with contextlib.suppress(OSError):
        return {int(pid) for pid in mine.read_text().split()}
    return set()


class Keeper:
    """Spawns, signals and reaps for one launcher."""

    def __init__(self, link: socket.socket) -> None:
        self.link = link
        self.running: dict[int, tuple[int, int]] = {}  # key -> (pid, orphan signal)
        self.keys: dict[int, int] = {}  # pid -> key
        # subprocess reaps through Popen objects; they are kept so that none is collected before its child ended
        self.popen: dict[int, subprocess.Popen[bytes]] = {}
        self.folders: list[str] = []

    def say(self, **message: Any) -> None:
        with contextlib.suppress(OSError):  # the launcher is gone: the next read says so
            self.link.sendall(json.dumps(message).encode() + b"\n")

    def spawn(self, order: dict[str, Any]) -> None:
        key, orphan_signal = int(order["key"]), int(order["orphan_signal"])
        keeper_pid = os.getpid()
        account = pwd.getpwnam(order["user"]) if order["user"] else None

        def prepare() -> None:
            if account is not None:
                os.setgroups([])
                os.setgid(account.pw_gid)
                os.setuid(account.pw_uid)
            if order["nice"]:
                os.nice(order["nice"])
            # after setuid: a change of identity clears the parent-death signal
            prctl(PR_SET_PDEATHSIG, orphan_signal)
            if os.getppid() != keeper_pid:  # the keeper died between fork and prctl
                os._exit(125)

        try:
            with Path(order["log"]).open("ab") as log:
                child = subprocess.Popen(
                    order["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=order["env"],
                    cwd=order["cwd"],
                    start_new_session=True,
                    preexec_fn=prepare,  # noqa: PLW1509 - this process has one thread
                )
        except (OSError, subprocess.SubprocessError) as error:
            self.say(key=key, error=str(error))
            return
        self.running[key] = (child.pid, orphan_signal)
        self.keys[child.pid] = key
        self.popen[child.pid] = child
        self.say(key=key, pid=child.pid)

    def signal(self, order: dict[str, Any]) -> None:
        if order["key"] not in self.running:
            return
        pid, _ = self.running[order["key"]]
        with contextlib.suppress(ProcessLookupError):
            if order["group"]:
                os.killpg(pid, order["signal"])
            else:
                os.kill(pid, order["signal"])

    def reap(self) -> None:
        """Collect every child that has ended and tell the launcher."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            key = self.keys.pop(pid, None)
            if key is None:
                continue  # an adopted grandchild
            code = os.waitstatus_to_exitcode(status)
            self.popen.pop(pid).returncode = code
            self.running.pop(key)
            self.say(key=key, exited=code)

    def orphaned(self) -> None:
        """The launcher is gone: end everything, politely where asked, surely in the end."""
        for pid, orphan_signal in self.running.values():
            with contextlib.suppress(ProcessLookupError):
                if orphan_signal == signal.SIGKILL:
                    os.killpg(pid, signal.SIGKILL)
                else:
                    os.kill(pid, orphan_signal)
        limit = time.monotonic() + ORPHAN_SECONDS
        while self.keys and time.monotonic() < limit:
            self.reap()
            time.sleep(0.02)
        # what is left are the stubborn and, adopted, the children of the dead; killing may uncover more of them
        limit = time.monotonic() + ORPHAN_SECONDS
        while (left := children() | set(self.keys)) and time.monotonic() < limit:
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.02)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self, order: dict[str, Any]) -> None:
        self.folders.append(order["path"])

    def run(self) -> None:
        """Serve until the launcher closes its end or dies."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # Ctrl-C and a polite end are the launcher's business: it stops its children in order, then closes the link.
        # Handlers, not SIG_IGN: the children would inherit that, and a JVM then never hears SIGTERM
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, lambda *_: None)
        selector = selectors.DefaultSelector()
        selector.register(self.link, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        pending = b""
        while True:
            for ready, _ in selector.select():
                if ready.fd == wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                    self.reap()
                    continue
                try:
                    received = self.link.recv(65536)
                except OSError:
                    received = b""
                if not received:
                    self.orphaned()
                    return
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    order = json.loads(line)
                    {"spawn": self.spawn, "signal": self.signal, "remove": self.remove}[order["do"]](order)


def main() -> None:
    """Entry point: the file descriptor named by the argument is the launcher."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    link = socket.socket(fileno=int(sys.argv[1]))
    link.setblocking(True)
    link.set_inheritable(False)
    Keeper(link).run()


if __name__ == "__main__":
    main()

"""Runs a service as a process: the doors, the probes, the background work, and an orderly end.

At SIGTERM `/readyz` says 503 at once, running requests are answered, leases and locks are returned, and the process ends with
0 within ten seconds.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import uvicorn

from shared import logs
from shared.http.system import SystemDoors

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.service import Service

LAST_MOMENT = 9.0
NOTICE_SECONDS = 0.3
REQUESTS_SECONDS = 4
log = logs.logger("serve")


class _Server(uvicorn.Server):
    """Signals are ours; uvicorn only serves."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: Any) -> _Server:
    """A server that logs through us and leaves signals and lifespan to us."""
    return _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=REQUESTS_SECONDS,
            timeout_keep_alive=30,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def fail(text: str) -> NoReturn:
    """End with one line that says what to do next."""
    sys.stderr.write(text.rstrip() + "\n")
    raise SystemExit(1)


def serve(create_app: "Callable[[], FastAPI]") -> None:
    """Run until SIGTERM or SIGINT. Returns normally (exit 0) after an orderly stop."""
    from pydantic import ValidationError

    try:
        app = create_app()
    except ValidationError as error:
        wrong = ", ".join(
            f"JEMBATAN_{'_'.join(map(str, e['loc'])).upper() or 'SETTINGS'} ({e['type']})" for e in error.errors(include_input=False)
        )
        fail(f"settings are missing or wrong: {wrong}; set them in the environment (see services/*/settings.py)")
    except (RuntimeError, ValueError, OSError) as error:
        fail(f"cannot start: {error}")
    service: Service = app.state.service
    settings = service.settings
    logs.configure(service.name, settings.log_level)
    log.info("settings", **settings.masked())
    sockets: list[socket.socket] = []
    try:
        system_socket = listen(settings.metrics_host or settings.http_host, settings.metrics_port)
        sockets.append(system_socket)
        http_socket = listen(settings.http_host, settings.http_port) if "api" in settings.roles else None
    except OSError as error:
        for one in sockets:
            one.close()
        fail(
            f"cannot listen ({error.strerror}): is another process on port {settings.http_port} or {settings.metrics_port}?"
            " Stop it, or set JEMBATAN_HTTP_PORT and JEMBATAN_METRICS_PORT"
        )
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_run(app, service, http_socket, system_socket))


def _cut_short(*_: object) -> NoReturn:
    sys.stdout.write('{"level": "error", "logger": "jembatan.serve", "event": "cut short: not everything had stopped in time"}\n')
    sys.stdout.flush()
    os._exit(0)


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _run(app: "FastAPI", service: "Service", http_socket: socket.socket | None, system_socket: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def stop() -> None:
        if told.is_set():
            return
        log.info("stopping")
        service.begin_stopping()
        told.set()
        # Whatever still hangs then ends as at a crash, which loses nothing; the loop may be what hangs, so it is an alarm.
        signal.signal(signal.SIGALRM, _cut_short)
        signal.setitimer(signal.ITIMER_REAL, LAST_MOMENT)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

    system = server(SystemDoors(service))
    system_task = asyncio.create_task(system.serve([system_socket]), name="system")
    work = asyncio.create_task(_work(app, service, http_socket, told), name="work")
    ended, _ = await asyncio.wait({work, asyncio.create_task(told.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if work in ended and not told.is_set():
        # The work ends before it was told to only by failing.
        stop()
    try:
        await work
    finally:
        system.should_exit = True
        await system_task
        log.info("stopped")


async def _work(app: "FastAPI", service: "Service", http_socket: socket.socket | None, told: asyncio.Event) -> None:
    starting = asyncio.create_task(_until_told(service, app, http_socket, told))
    stopping = asyncio.create_task(told.wait())
    # A start that waits for its clock or its resources must not outlive SIGTERM.
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not service.started:
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return
    await starting


async def _until_told(service: "Service", app: "FastAPI", http_socket: socket.socket | None, told: asyncio.Event) -> None:
    async with service.running():
        log.info(
            "started",
            http="" if http_socket is None else "{}:{}".format(*http_socket.getsockname()[:2]),
            roles=",".join(sorted(service.settings.roles)),
        )
        if http_socket is None:
            await told.wait()
            return
        doors = server(app)
        serving = asyncio.create_task(doors.serve([http_socket]), name="doors")
        await asyncio.wait({serving, asyncio.create_task(told.wait())}, return_when=asyncio.FIRST_COMPLETED)
        if told.is_set():
            # Balancers learn from /readyz; until they have, new requests are still answered.
            await asyncio.sleep(NOTICE_SECONDS)
        doors.should_exit = True
        await serving

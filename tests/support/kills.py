"""Kills that count: a process is stopped, what it holds is seen from outside, and only then it is killed.

A process that SIGSTOP has frozen can neither commit nor send nor acknowledge: what Postgres and Kafka say of it now is what it
takes to its grave. A kill counts when it held an open transaction that had written, an event whose sending nobody has confirmed, or
an offset that was not committed. One that holds nothing goes on as if nothing had happened. Postgres itself is not killed here.
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import msgspec
import psutil
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from deploy.local.installation import Unit
from deploy.local.processes import Process, ProcessError
from deploy.local.provision import SERVICES
from deploy.local.stack import Stack
from shared.kafka import Kafka, ends
from shared.relay import LOCK_CLASS
from tests.support.zygote import Zygotes

BROKER = "kafka"
ACTIVE_SECONDS = 0.3
"""How long a statement of a frozen process may run on before it counts as an open transaction."""


class ForkedStack(Stack):
    """A Stack whose services are forks of zygotes, in their test build. `arms`: unit -> named point at its next start."""

    def __init__(self, folder: Path, zygotes: Zygotes, *, units: Sequence[Unit] = (), test_build: bool = False, **options: Any) -> None:
        super().__init__(folder, **options)
        self._zygotes = zygotes
        self._test_build = test_build
        self.arms: dict[str, tuple[str, int]] = {}
        if units:
            self.units = tuple(units)

    async def _spawn(self, service: str, name: str, argv: Sequence[str], environment: dict[str, str]) -> Process:
        if self._test_build and any(unit.name == name for unit in self.units):
            point, skip = self.arms.pop(name, ("", 0))
            self.mark(name).unlink(missing_ok=True)
            environment |= {"CRASH_NAME": name, "CRASH_AT": point, "CRASH_SKIP": str(skip), "CRASH_MARK": str(self.mark(name))}
            argv = [argv[0], "-m", "tests.support.crash_serve", *argv[2:]]
        return await self._zygotes.of(service).start(name, argv, env=environment, stop_seconds=30)

    def mark(self, name: str) -> Path:
        """The file that says that a unit has stopped at its named point."""
        return self.folder / f"{name}.stopped"

    async def revive(self, unit: Unit) -> None:
        """Start a unit that was killed, and wait until it is ready."""
        await self._start(unit)

    async def renew(self, units: Sequence[Unit]) -> None:
        """Stop these units in order, all at once, and start them again; exit codes go to `exits`."""
        for codes in await asyncio.gather(*(self._stop(unit) for unit in units)):
            self.exits += codes
        await asyncio.gather(*(self._start(unit) for unit in units))

    async def command(self, service: str, *arguments: str) -> None:
        """Run the command line with the settings of a service; raises AssertionError with its output when it fails."""
        environment = self.installation.environment(self.of(service)[0], self.dsns(service), self.addresses)
        name = f"command-{secrets.token_hex(3)}"
        child = await self._zygotes.of(service).start(name, ["python", "-m", "shared.cli", *arguments], env=environment)
        code = await child.wait(300)
        assert code == 0, (arguments, code, child.tail())

    @property
    def kafka(self) -> Kafka:
        """The broker as the services know it."""
        return Kafka((self.bootstrap,), self.installation.topic_prefix, "demo")


@dataclass(slots=True)
class Held:
    """What a frozen process held. `transaction`: open and with writes. `unsent`: pending events. `uncommitted`: offsets behind."""

    transaction: int = 0
    unsent: int = 0
    uncommitted: int = 0
    sessions: int = 0
    """Its database sessions, as a sign that we looked at the right process."""

    def __bool__(self) -> bool:
        return bool(self.transaction or self.unsent or self.uncommitted)


@dataclass(slots=True)
class Kill:
    """One kill, with what was held."""

    at: float
    target: str
    roles: Sequence[str]
    reason: str
    """`random`, or the named point."""
    held: Held


class Watch:
    """Looks at processes from outside: pg_stat_activity, pg_locks, pending rows, the offsets of consumer groups."""

    def __init__(self, stack: ForkedStack) -> None:
        self._stack = stack
        self._databases: dict[str, asyncpg.Connection[Any]] = {}
        self._admin: AIOKafkaAdminClient | None = None
        self._ends: AIOKafkaConsumer | None = None

    async def __aenter__(self) -> Self:
        for service, dsn in self._stack.reader_dsns().items():
            self._databases[service] = await asyncpg.connect(dsn)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in self._databases.values():
            await connection.close()
        await self.forget_broker()

    async def forget_broker(self) -> None:
        """Close what is connected to the broker; it is connected again when needed."""
        admin, self._admin, consumer, self._ends = self._admin, None, self._ends, None
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            if admin is not None:
                await admin.close()
            if consumer is not None:
                await consumer.stop()

    async def held(self, unit: Unit, pid: int) -> Held:
        """What the frozen process holds."""
        held, name = Held(), f"{unit.name}/{pid}"
        await self._transactions(held, unit.service, name)
        if "relay" in unit.roles:
            held.unsent = await self._databases[unit.service].fetchval(_UNSENT, name, LOCK_CLASS)
        if "consumer" in unit.roles and not held.transaction:
            held.uncommitted = await self.lag(unit.service)
        return held

    async def _transactions(self, held: Held, service: str, name: str) -> None:
        limit = asyncio.get_running_loop().time() + ACTIVE_SECONDS
        while True:
            rows = await self._databases[service].fetch(_SESSIONS, name)
            held.sessions = len(rows)
            held.transaction = sum(row["wrote"] for row in rows)
            # a statement, a COMMIT above all, that was on its way when the process froze runs to its end
            if not any(row["active"] for row in rows) or asyncio.get_running_loop().time() > limit:
                return
            await asyncio.sleep(0.01)

    async def unsent(self) -> int:
        """Events of all services that wait for the broker."""
        return sum([await connection.fetchval("SELECT count(*) FROM pending") for connection in self._databases.values()])

    async def lag(self, service: str) -> int:
        """Records on the topics of a service's consumers that their groups have not committed. 0 when the broker is away."""
        kafka = self._stack.kafka
        rows = await self._databases[service].fetch("SELECT name, generation FROM consumer")
        try:
            async with asyncio.timeout(3):
                admin, looker = await self._broker(kafka)
                groups = await asyncio.gather(
                    *(admin.list_consumer_group_offsets(kafka.group(service, row["name"], row["generation"])) for row in rows)
                )
                topics = sorted({tp.topic for group in groups for tp in group})
                after: Mapping[TopicPartition, tuple[int, int]] = await ends(looker, topics)
        except (KafkaError, OSError, TimeoutError):
            await self.forget_broker()
            return 0
        return sum(max(0, after[tp][1] - max(0, found.offset)) for group in groups for tp, found in group.items() if tp in after)

    async def _broker(self, kafka: Kafka) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._admin is None or self._ends is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.bootstrap), request_timeout_ms=3000)
            await self._admin.start()
            self._ends = kafka.consumer()
            await self._ends.start()
        return self._admin, self._ends

    async def effects(self) -> int:
        """Events written, and positions advanced by one version each, in all services so far."""
        return sum([int(await connection.fetchval(_EFFECTS)) for connection in self._databases.values()])


_SESSIONS = """
SELECT state = 'active' AS active, backend_xid IS NOT NULL AND xact_start IS NOT NULL AS wrote
FROM pg_stat_activity WHERE application_name = $1
"""
_UNSENT = """
SELECT count(*) FROM pending WHERE shard IN (
  SELECT l.objid::int FROM pg_locks l JOIN pg_stat_activity a USING (pid)
  WHERE a.application_name = $1 AND l.locktype = 'advisory' AND l.granted AND l.classid = $2::int)
"""
_EFFECTS = "SELECT (SELECT count(*) FROM event) + (SELECT coalesce(sum(version), 0) FROM position)"


@dataclass(slots=True)
class Killer:
    """Kills units and the broker of a stack; each is started again at once.

    `points` are set as traps when a unit starts again (and by `arm` before the first start); the rest is chance, from `seed`.
    """

    stack: ForkedStack
    watch: Watch
    seed: int
    points: list[tuple[str, str]]
    """(unit, point), in the order in which they are to be set."""
    broker_at: Sequence[int]
    """After how many counted kills the broker is killed."""
    kills: list[Kill] = field(default_factory=list)
    spared: Counter[str] = field(default_factory=Counter)
    """How often a target was frozen, held nothing and went on."""
    wanted: int = 0
    _restarts: set[asyncio.Task[None]] = field(default_factory=set)
    _down: set[str] = field(default_factory=set)
    _idle: Counter[str] = field(default_factory=Counter)
    _killed: set[int] = field(default_factory=set)
    _armed: dict[str, str] = field(default_factory=dict)
    _dice: random.Random = field(init=False)
    _begun: float = 0.0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    def enough(self) -> None:
        """Let `run` end after what it is doing."""
        self.wanted = 0

    def arm(self, units: Iterable[Unit]) -> None:
        """Set the next trap of each of these units that has one."""
        for unit in units:
            for planned in self.points:
                name, point = planned
                if name == unit.name:
                    self.points.remove(planned)
                    self.stack.arms[name] = (point, self._dice.randrange(3))
                    self._armed[name] = point
                    break

    async def run(self, wanted: int) -> None:
        """Kill until `wanted` have counted in all, or until cancelled; then everything is up again, and nobody is frozen."""
        self.wanted = wanted
        self._begun = self._begun or asyncio.get_running_loop().time()
        try:
            while len(self.kills) < self.wanted:
                await asyncio.sleep(self._dice.uniform(0.01, 0.06))
                if self.broker_at and len(self.kills) >= self.broker_at[0]:
                    await self._broker()
                await self._one()
        finally:
            await self._settle()

    async def _one(self) -> None:
        stopped = [unit for unit in self._up() if unit.name in self._armed and self._trapped(unit)]
        if stopped:
            await self._judge(stopped[0], self._armed.pop(stopped[0].name))
            return
        if len(self._down) >= 3:
            return
        dead = Counter(kill.target for kill in self.kills)
        # those that were killed least have the best odds, but not again and again while they have nothing to do
        candidates = [unit for unit in self._up() if unit.name not in self._armed]
        if not candidates:
            candidates = self._up()
        if candidates:
            weights = [0.3 ** dead[unit.name] * max(0.01, 0.7 ** self._idle[unit.name]) for unit in candidates]
            (unit,) = self._dice.choices(candidates, weights)
            await self._judge(unit, "random")

    def _trapped(self, unit: Unit) -> bool:
        """Whether the unit stands still at its named point; the mark is written a moment before."""
        with contextlib.suppress(psutil.NoSuchProcess):
            pid = self.stack.process(unit).pid
            return self.stack.mark(unit.name).exists() and psutil.Process(pid).status() == psutil.STATUS_STOPPED
        return False

    def _up(self) -> list[Unit]:
        return [unit for unit in self.stack.units if unit.name not in self._down]

    async def _judge(self, unit: Unit, reason: str) -> None:
        """Freeze, look, and kill or let go."""
        child = self.stack.process(unit)
        if not child.running:
            raise AssertionError(f"{unit.name} ended by itself with {child.returncode}: {child.tail()}")
        os.kill(child.pid, signal.SIGSTOP)
        held = Held()
        try:
            held = await self.watch.held(unit, child.pid)
        finally:
            if not held:
                os.kill(child.pid, signal.SIGCONT)
        if not held:
            self.spared[f"{unit.name} {reason}"] += 1
            self._idle[unit.name] += 1
            if self._dice.random() < 0.1:
                # what was idle may have work by now
                self._idle.clear()
            return
        self._down.add(unit.name)
        self._armed.pop(unit.name, None)
        self._killed.add(child.pid)
        await child.kill()
        self._note(unit.name, unit.roles, reason, held)
        self._later(self._revive(unit))

    async def _broker(self) -> None:
        """The broker is frozen until something waits for it: an unacknowledged send, by all it takes with it."""
        broker = self.stack.broker
        assert broker is not None
        broker.pause()
        held = Held()
        for _ in range(200):
            held.unsent = await self.watch.unsent()
            if held:
                break
            await asyncio.sleep(0.01)
        if not held:
            broker.resume()
            self.spared[BROKER] += 1
            return
        self.broker_at = self.broker_at[1:]
        await broker.kill()
        self._note(BROKER, (BROKER,), "random", held)
        await self.watch.forget_broker()
        self._later(broker.start())

    def _note(self, target: str, roles: Sequence[str], reason: str, held: Held) -> None:
        self.kills.append(Kill(round(asyncio.get_running_loop().time() - self._begun, 2), target, tuple(roles), reason, held))

    async def _revive(self, unit: Unit) -> None:
        self.arm([unit])
        before = self.stack.process(unit)
        starting = asyncio.create_task(self.stack.revive(unit))
        while self.stack.process(unit) is before and not starting.done():
            await asyncio.sleep(0.01)
        # from now on it may be killed again, ready or not: a trap can stop it before it ever is
        self._down.discard(unit.name)
        child = self.stack.process(unit)
        try:
            await starting
        except ProcessError:
            if child.pid not in self._killed:
                raise

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._restarts.add(task)

    async def _settle(self) -> None:
        """Everybody runs, nobody is frozen."""
        waiting = set(self._restarts)
        while waiting:
            for unit in self.stack.units:
                with contextlib.suppress(KeyError, ProcessLookupError):
                    if (child := self.stack.process(unit)).running:
                        os.kill(child.pid, signal.SIGCONT)
            _, waiting = await asyncio.wait(waiting, timeout=0.2)
        for task in self._restarts:
            task.result()
        self._restarts.clear()

    async def keep_going(self) -> None:
        """After the kills, until cancelled: let go on whoever still runs into an old trap."""
        while True:
            for unit in self.stack.units:
                if self._trapped(unit):
                    self.stack.mark(unit.name).unlink()
                    os.kill(self.stack.process(unit).pid, signal.SIGCONT)
            await asyncio.sleep(0.1)

    def report(self, **more: Any) -> bytes:
        """The kills with reason and target, and whatever else is told, as JSON."""
        shown = [asdict(kill) for kill in self.kills]
        by_reason = dict(Counter(kill.reason for kill in self.kills))
        by_target = dict(Counter(kill.target for kill in self.kills))
        told = {"seed": self.seed, "counted": len(self.kills), "by_reason": by_reason, "by_target": by_target}
        return msgspec.json.format(msgspec.json.encode({**told, **more, "kills": shown, "spared": dict(self.spared)}), indent=1)


def units_of(plan: Mapping[str, Sequence[Sequence[str]]]) -> tuple[Unit, ...]:
    """Units by service: each a tuple of roles; equal ones are numbered as replicas."""
    found: list[Unit] = []
    for service in SERVICES:
        names: Counter[str] = Counter()
        for roles in plan[service]:
            name = f"{service}-{'-'.join(roles)}" if len(plan[service]) > 1 else service
            names[name] += 1
            found.append(Unit(service, tuple(roles), name if names[name] == 1 else f"{name}-{names[name]}"))
    return tuple(found)

"""The installation's topics, from the one list `deploy/topics.yaml`: what should be, what is, and making it so.

Topics are made with their retention and never deleted or shrunk here; changing the number of partitions is a procedure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.kafka import Kafka

LIST = Path(__file__).resolve().parent.parent / "deploy" / "topics.yaml"
BIGGEST_RECORD = 1_048_576


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the list wants it. `kind` is event (kept for ever), state (compacted) or request (a week)."""

    name: str
    kind: str
    owner: str
    consumers: tuple[str, ...]
    partitions: int
    public: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """The broker's settings for it."""
        if self.kind == "state":
            own = {"cleanup.policy": "compact", "retention.ms": "-1", "delete.retention.ms": "604800000"}
        elif self.kind == "request":
            own = {"cleanup.policy": "delete", "retention.ms": "604800000"}
        else:
            own = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        return own | {"max.message.bytes": str(BIGGEST_RECORD)}


@dataclass(slots=True)
class Difference:
    """What the broker has otherwise than the list."""

    missing: list[Topic] = field(default_factory=list)
    partitions: list[str] = field(default_factory=list)
    settings: list[tuple[Topic, dict[str, str]]] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """One line per difference."""
        return [
            *(f"{topic.name}: missing" for topic in self.missing),
            *self.partitions,
            *(f"{topic.name}: {name} should be {value}" for topic, wrong in self.settings for name, value in wrong.items()),
        ]


def wanted(prefix: str, *, partitions: int | None = None, path: Path = LIST) -> list[Topic]:
    """The topics of the list, under the prefix."""
    import yaml

    listed = yaml.safe_load(path.read_text())
    count = partitions or int(listed["partitions"])
    return [
        Topic(
            f"{prefix}.{one['name']}",
            one["kind"],
            one["owner"],
            tuple(one["consumers"]),
            int(one.get("partitions", count)) if partitions is None else count,
            bool(one.get("public", False)),
        )
        for one in listed["topics"]
    ]


async def _compare(admin: Any, topics: Sequence[Topic]) -> Difference:
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    found = Difference()
    there = set(await admin.list_topics())
    found.missing = [topic for topic in topics if topic.name not in there]
    present = [topic for topic in topics if topic.name in there]
    if not present:
        return found
    described = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics([topic.name for topic in present])}
    for topic in present:
        if described[topic.name] != topic.partitions:
            found.partitions.append(f"{topic.name}: {described[topic.name]} partitions, should be {topic.partitions} (see the runbooks)")
    settings: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in present]):
        for resource in answer.resources:
            settings[resource[3]] = {entry[0]: entry[1] for entry in resource[4]}
    for topic in present:
        wrong = {name: value for name, value in topic.settings.items() if settings.get(topic.name, {}).get(name) != value}
        if wrong:
            found.settings.append((topic, wrong))
    return found


async def diff(kafka: Kafka, topics: Sequence[Topic]) -> Difference:
    """How the broker differs from the list. Raises `KafkaError` when it cannot be reached."""
    async with kafka.admin() as admin:
        return await _compare(admin, topics)


async def apply(kafka: Kafka, topics: Sequence[Topic], *, replication: int = -1) -> Difference:
    """Make missing topics and put settings right; returns what differed before. `replication` -1 is the broker's default."""
    from aiokafka.admin import NewTopic
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    async with kafka.admin() as admin:
        found = await _compare(admin, topics)
        if found.missing:
            new = [NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.settings) for topic in found.missing]
            for topic in new:
                # The class refuses -1 when made, though the broker understands it as its own default.
                topic.replication_factor = replication
            answer = await admin.create_topics(new)
            # 36: made by somebody else in the meantime.
            refused = [f"{error[0]} ({error[1]})" for error in answer.topic_errors if error[1] not in (0, 36)]
            if refused:
                raise RuntimeError(f"the broker refused to make {', '.join(refused)}")
        if found.settings:
            await admin.alter_configs(
                [ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=topic.settings) for topic, _ in found.settings]
            )
        return found

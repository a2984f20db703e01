"""Subscribers are made in one place; anything else fails the process at start."""

from typing import Any

import pytest
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from shared.bus import Ear, assert_safe, subscribe
from shared.events.placement import PlacementConfirmed
from shared.events.registry import WorkerLeft
from shared.kafka import Kafka
from shared.subscriptions import APPLIED, outcomes, projection, reaction


async def nothing(records: Any) -> None:
    """A handler."""


async def test_the_factory_makes_a_safe_subscriber() -> None:
    broker = subscribe(Kafka(("127.0.0.1:1",), "p"), "p.registry.events", "g", nothing, Ear("e", "t", nothing))
    assert_safe(broker)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": True, "ack_policy": AckPolicy.NACK_ON_ERROR, "no_reply": True, "group_id": "g"},
        {"batch": True, "ack_policy": AckPolicy.ACK, "no_reply": True, "auto_offset_reset": "earliest", "group_id": "g"},
        {"batch": True, "ack_policy": AckPolicy.NACK_ON_ERROR, "auto_offset_reset": "earliest", "group_id": "g"},
        {"ack_policy": AckPolicy.NACK_ON_ERROR, "no_reply": True, "auto_offset_reset": "earliest", "group_id": "g"},
    ],
)
async def test_a_subscriber_made_otherwise_fails_the_start(options: dict[str, Any]) -> None:
    broker = KafkaBroker(["127.0.0.1:1"])
    broker.subscriber("t", **options)(nothing)
    with pytest.raises(RuntimeError, match=r"shared\.bus\.subscribe"):
        assert_safe(broker)


def test_one_subscription_hears_one_topic() -> None:
    with pytest.raises(TypeError, match="one topic"):
        projection("mixed", WorkerLeft, PlacementConfirmed)


def test_a_subscription_says_what_it_is() -> None:
    @reaction("leavers", WorkerLeft)
    async def leavers(tx: Any, heard: Any) -> None:
        """Nothing."""

    assert (leavers.name, leavers.sort, leavers.stream.topic) == ("leavers", "reaction", "registry.events")
    assert leavers.types == {"worker.left.v1"}


def test_a_handler_answers_for_every_event() -> None:
    assert outcomes(None, [1, 2]) == [APPLIED, APPLIED]
    with pytest.raises(TypeError, match="1 outcomes for 2 events"):
        outcomes([APPLIED], [1, 2])

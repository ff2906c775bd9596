"""The queues of an app whose broker is RabbitMQ.

AMQP tells how many messages are ready and how many consume; a worker has one consumer a queue, so consumers are workers,
and the broker forgets those of a dead one.  What consumers hold and how old a message is only the management plugin tells:
taking one to look would mark it as redelivered.  It is a few seconds late, so what AMQP tells is asked there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from celery import Celery

from opsconsole_exporters import metrics, multiprocess
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.celery import presence
from opsconsole_exporters.celery.broker import TIMEOUT_S
from opsconsole_exporters.celery.management import MOST_QUEUES, Management, ManagementError, QueueState
from opsconsole_exporters.celery.queue import Queue
from opsconsole_exporters.log import log


def is_broker_of(app: Celery) -> bool:
    """Whether the app speaks AMQP with its broker."""
    return bool(app.connection_for_read().transport.driver_type == "amqp")


class RabbitMQSampler:
    """Reads the queues that exist: the app's, those of the workers on this host, and all that ``management`` knows."""

    def __init__(self, app: Celery, management: Management | None = None) -> None:
        self._app = app
        self._management = management
        self._failing = False
        # Queues that only a worker's -Q has named; they stay known until the broker has them no more.
        self._known: set[str] = set()

    def sample(self, now: float) -> Mapping[str, Queue]:
        """Raises what the driver raises when the broker cannot be asked."""
        directory = multiprocess.directory()
        workers = [] if directory is None else presence.read(directory)
        options = {**self._app.conf.broker_transport_options, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
        with self._app.connection_for_read(connect_timeout=TIMEOUT_S, transport_options=options) as connection:
            told = self._told_by_management(str(connection.virtual_host or "/"))
            own = {str(name) for name in self._app.amqp.queues}
            named = {name for worker in workers for name in worker.queues}
            listed = {name for name, state in told.items() if state.persistent}
            others = sorted((self._known | named | listed) - own)[:MOST_QUEUES]
            counts = _counts(connection, [*own, *others])
        self._known = counts.keys() - own
        queues = {}
        for name, (length, consumers) in counts.items():
            state = told.get(name)
            here = [worker.processes for worker in workers if name in worker.queues]
            queues[name] = Queue(
                length,
                oldest_s=None if state is None else state.oldest_s(length, now),
                workers=consumers,
                # The workers of other hosts are consumers too, and nobody here knows their processes.
                processes=sum(here) if directory is not None and len(here) == consumers else None,
                unacked=None if state is None else state.unacked,
            )
        return queues

    def _told_by_management(self, virtual_host: str) -> Mapping[str, QueueState]:
        """Nothing when it is not asked or does not answer: the rest can be told without it."""
        if self._management is None:
            return {}
        try:
            told = self._management.queues(virtual_host)
        except ManagementError as error:
            metrics.counter(COLLECTOR_ERRORS).labels("rabbitmq_management").inc()
            if not self._failing:
                log.warning(f"RabbitMQ's management API cannot be asked for what queues hold: {error}")
            self._failing = True
            return {}
        if self._failing:
            log.info("RabbitMQ's management API answers again")
        self._failing = False
        return told


def _counts(connection: Any, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Messages that are ready, and consumers, of those queues that exist."""
    counts = {}
    missing = connection.channel_errors
    for name in names:
        channel = connection.channel()  # a queue that does not exist closes its channel
        try:
            declared = channel.queue_declare(name, passive=True)
        except missing:
            continue
        counts[name] = (int(declared.message_count), int(declared.consumer_count))
        channel.close()
    return counts

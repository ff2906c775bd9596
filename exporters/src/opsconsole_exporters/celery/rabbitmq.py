"""What RabbitMQ says of queues over AMQP: how many messages are ready, and how many consume.

A worker has one consumer a queue, so consumers are workers, and the broker forgets those of a dead one.  AMQP tells
neither what consumers hold nor how old a message is; taking one to look would mark it as redelivered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from celery import Celery

from opsconsole_exporters.celery.broker import TIMEOUT_S

if TYPE_CHECKING:
    from opsconsole_exporters.queues import Queue


def is_broker_of(app: Celery) -> bool:
    """Whether the app speaks AMQP with its broker."""
    return bool(app.connection_for_read().transport.driver_type == "amqp")


def sample(app: Celery) -> Mapping[str, Queue]:
    """The app's queues that exist.  Raises what the driver raises when the broker cannot be asked."""
    from opsconsole_exporters.queues import Queue

    queues = {}
    options = {**app.conf.broker_transport_options, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
    with app.connection_for_read(connect_timeout=TIMEOUT_S, transport_options=options) as connection:
        missing: Any = connection.channel_errors
        for name in app.amqp.queues:
            channel = connection.channel()  # a queue that does not exist closes its channel
            try:
                declared = channel.queue_declare(str(name), passive=True)
            except missing:
                continue
            queues[str(name)] = Queue(
                declared.message_count, None, declared.consumer_count, processes=None, unacked=None
            )
            channel.close()
    return queues

"""A plain Redis client on the broker of a Celery app, with the names of its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery

TIMEOUT_S = 1.0


class UnsupportedBrokerError(Exception):
    """The broker is not Redis or Valkey."""


@dataclass(frozen=True, slots=True)
class Broker:
    """``client`` adds no prefix by itself, unlike kombu's, which adds one to some commands only.

    ``channel`` is kept because it owns the client's connections.
    """

    client: redis.Redis
    prefix: str
    separator: str
    priority_steps: tuple[int, ...]
    channel: Any
    unacked: str

    def close(self) -> None:
        self.client.close()
        self.channel.connection.client.close()

    def key(self, name: str) -> str:
        return self.prefix + name

    def lists(self, queue: str) -> list[str]:
        """The Redis lists that make up a queue: kombu has one for each step of priority."""
        return [self.key(f"{queue}{self.separator}{step}" if step else queue) for step in self.priority_steps]


def connect(app: Celery) -> Broker:
    """Connect as the app would (TLS, Sentinel, prefix, its priority steps), but give up after ``TIMEOUT_S``.

    Raises ``UnsupportedBrokerError``, or what the driver raises when the broker cannot be reached.
    """
    connection = app.connection_for_read(
        connect_timeout=TIMEOUT_S,
        transport_options={
            **app.conf.broker_transport_options,
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S,
            "max_connections": 4,
        },
    )
    if connection.transport.driver_type != "redis":
        raise UnsupportedBrokerError("queues and workers can be watched on Redis and Valkey brokers only")
    channel = connection.channel()
    return Broker(
        client=redis.Redis(connection_pool=channel.client.connection_pool),
        prefix=channel.global_keyprefix,
        separator=channel.sep,
        priority_steps=tuple(channel.priority_steps),
        channel=channel,
        unacked=channel.unacked_key,
    )

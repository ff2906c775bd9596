"""Which workers live: each writes its queues under a key that expires unless it is written again.

The broker's clock decides, so neither a skewed clock nor SIGKILL leaves a ghost.  A sorted set lists the workers seen
within a day, because looking for keys by pattern would walk through the whole broker.  On a broker that has no keys
(RabbitMQ, which counts the consumers itself) a worker tells those on its own host; see ``presence``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from typing import Any

from celery import Celery, signals

from opsconsole_exporters import multiprocess
from opsconsole_exporters.celery import presence
from opsconsole_exporters.celery.broker import Broker, UnsupportedBrokerError, connect
from opsconsole_exporters.celery.presence import Beat
from opsconsole_exporters.shield import shield, shielded

TTL_S = 10
INTERVAL_S = 3.0
INDEX = "opsconsole:workers"
FORGET_AFTER_S = 24 * 3600


class Heartbeat:
    """The thread of one worker's main process that says which queues it consumes."""

    def __init__(self, app: Celery, worker: str, pool: Any) -> None:
        self._app = app
        self._worker = worker
        self._pool = pool
        self._broker: Broker | None = None
        self._on_redis = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="opsconsole-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask for the end; the thread then takes the key away.  Does not wait: it may run in a signal handler."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            with shield("Celery heartbeat"):
                self._beat()
            self._stop.wait(INTERVAL_S)
        with shield("Celery heartbeat"):
            self._erase()

    def _beat(self) -> None:
        if self._broker is None and self._on_redis:
            try:
                self._broker = connect(self._app)
            except UnsupportedBrokerError:
                self._on_redis = False
        queues, processes = self._app.amqp.queues.consume_from, int(self._pool.num_processes)
        if self._broker is not None:
            write(self._broker, self._worker, queues, time.time(), processes)
        elif (directory := multiprocess.directory()) is not None:
            multiprocess.prepare()
            presence.write(directory, queues, processes)

    def _erase(self) -> None:
        if self._broker is not None:
            erase(self._broker, self._worker)
        elif (directory := multiprocess.directory()) is not None:
            presence.erase(directory)


def write(broker: Broker, worker: str, queues: Iterable[str], now: float, processes: int = 1) -> None:
    """Say that ``worker`` lives and consumes ``queues`` with so many ``processes``."""
    pipeline = broker.client.pipeline()
    pipeline.set(_key(broker, worker), json.dumps({"queues": sorted(queues), "processes": processes}), ex=TTL_S)
    pipeline.zadd(broker.key(INDEX), {worker: now})
    pipeline.zremrangebyscore(broker.key(INDEX), "-inf", now - FORGET_AFTER_S)
    pipeline.execute()


def erase(broker: Broker, worker: str) -> None:
    """Say that ``worker`` consumes no more."""
    pipeline = broker.client.pipeline()
    pipeline.delete(_key(broker, worker))
    pipeline.zrem(broker.key(INDEX), worker)
    pipeline.execute()


def read(broker: Broker) -> list[Beat]:
    """What every worker that lives has said."""
    client: Any = broker.client
    workers = client.zrange(broker.key(INDEX), 0, -1)
    if not workers:
        return []
    values = client.mget([_key(broker, worker.decode()) for worker in workers])
    return [_beat(json.loads(value)) for value in values if value is not None]


def _beat(said: Any) -> Beat:
    if isinstance(said, list):  # a worker of an earlier version, while a service is deployed
        return Beat(tuple(said), 1)
    return Beat(tuple(said["queues"]), int(said["processes"]))


def connect_heartbeat(app: Celery) -> None:
    """Beat from the moment the worker of ``app`` is ready until it begins to stop."""
    beating: list[Heartbeat] = []

    @shielded("Celery heartbeat")
    def start(sender: Any, **_: object) -> None:
        heartbeat = Heartbeat(app, sender.hostname, sender.pool)
        beating.append(heartbeat)
        heartbeat.start()

    def stop(**_: object) -> None:
        for heartbeat in beating:
            heartbeat.stop()

    def finish(**_: object) -> None:
        for heartbeat in beating:
            heartbeat.stop()
            heartbeat.join(timeout_s=2.0)

    uid = "opsconsole_exporters"
    signals.worker_ready.connect(start, weak=False, dispatch_uid=uid)
    # A worker that finishes its last tasks takes no new ones: it is gone for the queue from here on.
    signals.worker_shutting_down.connect(stop, weak=False, dispatch_uid=uid)
    signals.worker_shutdown.connect(finish, weak=False, dispatch_uid=uid)


def _key(broker: Broker, worker: str) -> str:
    return broker.key(f"opsconsole:worker:{worker}")

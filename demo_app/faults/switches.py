"""The switches: one Valkey hash that every process of the demo looks at."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from typing import cast

import redis

KEY = "faults"
MAX_AGE_S = 0.5


class Fault(StrEnum):
    SLOW_DATABASE = "slow-database"
    EXCEPTIONS = "exceptions"
    STOPPED_WORKERS = "stopped-workers"
    EXHAUSTED_POOL = "exhausted-pool"
    SLOW_MODEL = "slow-model"
    MODEL_REFUSES = "model-refuses"
    NEW_CUSTOMERS = "new-customers"

    @property
    def effect(self) -> str:
        """One sentence: what really happens while the switch is on."""
        return _EFFECTS[self]


_EFFECTS = {
    Fault.SLOW_DATABASE: "Every query of the web tier waits 0.6 to 1.0 s inside PostgreSQL.",
    Fault.EXCEPTIONS: "Three requests in ten raise an exception that no view catches.",
    Fault.STOPPED_WORKERS: "The Celery workers are stopped; tasks pile up in the queues until it is off.",
    Fault.EXHAUSTED_POOL: "Every connection of every web process is held; requests wait 3 s for one and fail.",
    Fault.SLOW_MODEL: "The language model takes ten times as long for every token it says.",
    Fault.MODEL_REFUSES: "The language model answers every question with 429: too many requests.",
    Fault.NEW_CUSTOMERS: "Visitors buy several dear things at a time, which the fraud models have seldom seen.",
}


class Switches:
    """Reads are as old as ``max_age_s`` seconds at most and cost one Valkey call in that time.

    While Valkey does not answer, the last known state stays: a fault in the switches must not look like a fault
    of the shop.
    """

    def __init__(
        self, client: redis.Redis, *, max_age_s: float = MAX_AGE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = Lock()
        self._read_at = float("-inf")
        self._on: frozenset[Fault] = frozenset()

    def is_on(self, fault: Fault) -> bool:
        # Many request threads come here; one of them asks Valkey, the others take what is known.
        if self._clock() - self._read_at >= self._max_age_s and self._lock.acquire(blocking=False):
            try:
                self._on = self.read()
            except redis.RedisError:
                pass
            finally:
                self._read_at = self._clock()
                self._lock.release()
        return fault in self._on

    def read(self) -> frozenset[Fault]:
        """Ask Valkey now: the faults that are on.  Raises ``redis.RedisError`` when it does not answer."""
        names = {name.decode() for name in cast("dict[bytes, bytes]", self._client.hgetall(KEY))}
        # A name that another version wrote is no fault of ours.
        return frozenset(fault for fault in Fault if fault.value in names)

    def set(self, fault: Fault, *, on: bool) -> None:
        if on:
            self._client.hset(KEY, fault.value, "on")
        else:
            self._client.hdel(KEY, fault.value)
        self._read_at = float("-inf")


def connect(url: str) -> Switches:
    """``url``: ``redis://:password@host:port/2``.  A Valkey that hangs delays a request by a second at most."""
    return Switches(redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1))

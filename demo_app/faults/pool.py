"""``exhausted-pool``: a leak.  A thread of each web process takes every connection of the pool and keeps it."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection
from psycopg_pool import PoolTimeout
from structlog import get_logger

from .board import switches
from .switches import Fault

log = get_logger(__name__)

LOOK_EVERY_S = 0.5


def install() -> None:
    """Start the thread that watches the switch; it ends with the process."""
    threading.Thread(target=_watch, name="pool-leak", daemon=True).start()


def _watch() -> None:
    held: list[Any] = []
    while True:
        if switches().is_on(Fault.EXHAUSTED_POOL):
            _take_one(held)
        elif held:
            _give_back(held)
        # While it takes, it hurries: the pool itself makes it wait when nothing is free.
        full = len(held) >= connection.pool.max_size
        if full or not switches().is_on(Fault.EXHAUSTED_POOL):
            time.sleep(LOOK_EVERY_S)


def _take_one(held: list[Any]) -> None:
    if len(held) >= connection.pool.max_size:
        return
    try:
        held.append(connection.pool.getconn(timeout=LOOK_EVERY_S))
    except PoolTimeout:
        return
    if len(held) == connection.pool.max_size:
        log.warning("pool exhausted", held=len(held))


def _give_back(held: list[Any]) -> None:
    while held:
        connection.pool.putconn(held.pop())
    log.info("pool given back")

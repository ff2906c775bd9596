"""``exhausted-pool``: a leak.  A thread of each web process takes every connection of the pool and keeps it."""

from __future__ import annotations

import threading
import time
from typing import Any, cast

from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg_pool import ConnectionPool, PoolTimeout
from structlog import get_logger

from .board import switches
from .switches import Fault

log = get_logger(__name__)

LOOK_EVERY_S = 0.5


def install() -> None:
    """Start the thread that watches the switch; it ends with the process."""
    threading.Thread(target=_watch, name="pool-leak", daemon=True).start()


def _watch() -> None:
    # The pool belongs to the process: this thread's own connection object, never connected, leads to it.
    pool = cast("DatabaseWrapper", connection).pool
    held: list[Any] = []
    while True:
        if not switches().is_on(Fault.EXHAUSTED_POOL):
            _give_back(pool, held)
            time.sleep(LOOK_EVERY_S)
        elif len(held) < pool.max_size:
            _take_one(pool, held)
        else:
            time.sleep(LOOK_EVERY_S)


def _take_one(pool: ConnectionPool, held: list[Any]) -> None:
    """Stand in the queue like every request, so that running queries end in peace; look at the switch meanwhile."""
    try:
        held.append(pool.getconn(timeout=LOOK_EVERY_S))
    except PoolTimeout:
        return
    if len(held) == pool.max_size:
        log.warning("pool exhausted", held=len(held))


def _give_back(pool: ConnectionPool, held: list[Any]) -> None:
    if held:
        log.info("pool given back", held=len(held))
    while held:
        pool.putconn(held.pop())

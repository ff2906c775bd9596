"""A row per prediction, for the questions that come later: what did the model see, and was it right.

Written by a thread of its own from a bounded queue; a prediction never waits for a disk.
"""

from __future__ import annotations

import atexit
import os
import queue
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.models import ML_ROWS
from opsconsole_exporters.log import log
from opsconsole_exporters.shield import report, shielded

CAPACITY = 10_000
BATCH = 500
FLUSH_AT_EXIT_S = 2.0

Row = Mapping[str, Any]
# Takes a batch and answers how many of its rows it has kept; it may raise, and then has kept none.
Sink = Callable[[Sequence[Row]], int]


def log_rows(rows: Sequence[Row]) -> int:
    """Each row as an event of the service's log, from where a collector takes it."""
    for row in rows:
        log.info("prediction", **row)
    return len(rows)


class RowWriter:
    """Puts a share of the rows (``sample``, 0 to 1) into a sink; those that find the queue full are counted and dropped."""

    def __init__(self, sink: Sink, *, sample: float = 1.0, capacity: int = CAPACITY) -> None:
        self._sink = sink
        self._sample = sample
        self._capacity = capacity
        self._begin()
        # A thread does not survive a fork, and what waited belongs to the parent.
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.flush, FLUSH_AT_EXIT_S)

    def _begin(self) -> None:
        self._queue: queue.Queue[Row] = queue.Queue(self._capacity)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @shielded("rows of predictions")
    def put(self, row: Row) -> None:
        """Take a row, and return at once."""
        if self._sample < 1.0 and random.random() >= self._sample:  # noqa: S311 - a sample, not a secret
            return
        try:
            self._queue.put_nowait(row)
        except queue.Full:
            _count("dropped", 1)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_for_ever, name="opsconsole-rows", daemon=True)
                    self._thread.start()

    def flush(self, seconds: float) -> bool:
        """Wait until what was put before is in the sink, but no longer than ``seconds``; whether it is."""
        if self._thread is None:
            return True
        waiter = threading.Thread(target=self._queue.join, daemon=True)
        waiter.start()
        waiter.join(seconds)
        return not waiter.is_alive()

    def _write_for_ever(self) -> None:
        waiting = self._queue
        while True:
            rows = [waiting.get()]
            while len(rows) < BATCH and not waiting.empty():
                rows.append(waiting.get())
            self._write(rows)
            for _ in rows:
                waiting.task_done()

    def _write(self, rows: Sequence[Row]) -> None:
        try:
            kept = self._sink(rows)
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the next batch is tried
            report("the sink of prediction rows", error)
            kept = 0
        _count("written", kept)
        _count("dropped", len(rows) - kept)


@shielded("rows of predictions")
def _count(result: str, rows: int) -> None:
    metrics.counter(ML_ROWS).labels(result).inc(rows)

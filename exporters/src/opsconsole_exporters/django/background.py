"""A value that is read in a thread of its own, because its source may be slow or silent and a scrape must not be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.log import log

T = TypeVar("T")

# The first scrape waits this long for a first value; a source that takes longer is in the next one.
PATIENCE_S = 0.5


class Background(Generic[T]):
    """The latest ``read()``, read again when it is older than ``fresh_s``; None when it is not known.

    Never more than one read at a time: a source that hangs holds one thread and no scrape.  An answer older than
    ``stale_s`` is no answer.  Failures are counted, and logged when they begin and end.
    """

    def __init__(
        self,
        collector: str,
        what: str,
        read: Callable[[], T],
        *,
        fresh_s: float,
        stale_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._collector = collector
        self._what = what
        self._read = read
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._value: T | None = None
        self._read_at = float("-inf")
        self._failing = False

    def refresh(self) -> threading.Thread | None:
        """Begin to read unless the value is fresh; the thread that reads."""
        if self._clock() - self._read_at <= self._fresh_s:
            return None
        with self._lock:
            # A thread that a fork has left behind is not alive here.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=f"opsconsole-{self._collector}", daemon=True)
                self._thread.start()
            return self._thread

    def value(self) -> T | None:
        return self._value if self._clock() - self._read_at <= self._stale_s else None

    def _run(self) -> None:
        try:
            self._value = self._read()
            self._read_at = self._clock()
        except Exception as error:  # noqa: BLE001 - whatever the driver raises, the rest of the page must be served
            metrics.counter(COLLECTOR_ERRORS).labels(self._collector).inc()
            if not self._failing:
                log.warning(f"{self._what} cannot be read: {type(error).__name__}: {error}")
            self._failing = True
            self._value = None
            return
        if self._failing:
            log.info(f"{self._what} can be read again")
        self._failing = False


def latest(known: Mapping[str, Background[T | None]]) -> dict[str, T]:
    """The values that are known, after a moment's patience with those being read just now."""
    threads = [thread for each in known.values() if (thread := each.refresh()) is not None]
    until = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: value for name, each in known.items() if (value := each.value()) is not None}

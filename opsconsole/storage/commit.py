"""Group commit: many small writes become one insert, and each is answered once it is stored."""

from __future__ import annotations

import asyncio
import itertools
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from .clickhouse import StoreError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class Overloaded(Exception):
    """More is waiting to be stored than the bound allows; try again after ``retry_after_s``."""

    def __init__(self, what: str, retry_after_s: int) -> None:
        super().__init__(f"the store is behind and too many {what} are waiting; retry in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class CommitPolicy:
    """``what``: the unit that is counted, for messages.  ``batch``: units that make a batch full.

    ``delay_s``: how long the first of a batch waits for others.  ``pending``: units that may wait or be in flight.
    ``attempts``: after so many failures its senders are told; None tries for ever, for data that nobody will send again.
    """

    what: str
    batch: int
    pending: int
    delay_s: float = 0.5
    attempts: int | None = 3
    backoff_s: float = 0.5
    longest_backoff_s: float = 15.0


@dataclass(frozen=True, slots=True)
class CommitState:
    """In units of the policy, since the start: what waits, was stored, was given up, was not let in; and why."""

    pending: int
    stored: int
    failed: int
    refused: int
    last_error: str


@dataclass(frozen=True, slots=True)
class _Entry(Generic[T]):
    item: T
    units: int
    done: Future[None]


class GroupCommit(Generic[T]):
    """Collects items and writes them in batches from a thread of its own.

    ``write(items, batch_id)`` stores all of them or raises ``StoreError``.  A retry brings the same items under the same
    id, so that a write whose answer was lost is recognised.
    """

    def __init__(self, write: Callable[[Sequence[T], str], None], policy: CommitPolicy) -> None:
        self._write = write
        self._policy = policy
        self._changed = threading.Condition()
        self._waiting: deque[_Entry[T]] = deque()
        self._waiting_units = 0
        self._pending = self._stored = self._failed = self._refused = 0
        self._last_error = ""
        self._flush_now = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"commit-{policy.what}", daemon=True)
        self._thread.start()

    def offer(self, item: T, units: int) -> Future[None]:
        """Take ``item``; the future is done once it is stored, or holds the ``StoreError``.  Raises ``Overloaded``."""
        with self._changed:
            if self._closing or (self._pending and self._pending + units > self._policy.pending):
                self._refused += units
                raise Overloaded(self._policy.what, max(1, round(self._policy.delay_s * 2)))
            entry = _Entry(item, units, Future())
            self._waiting.append(entry)
            self._waiting_units += units
            self._pending += units
            if len(self._waiting) == 1 or self._waiting_units >= self._policy.batch:
                self._changed.notify_all()
            return entry.done

    async def accept(self, item: T, units: int) -> None:
        """Return once ``item`` is stored.  Raises ``Overloaded`` at once, or ``StoreError`` after the last attempt."""
        await asyncio.wrap_future(self.offer(item, units))

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Write what is waiting now; whether all of it was stored or given up in time."""
        with self._changed:
            self._flush_now = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._pending == 0, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write what is waiting, take nothing more and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)

    @property
    def state(self) -> CommitState:
        with self._changed:
            return CommitState(self._pending, self._stored, self._failed, self._refused, self._last_error)

    def _run(self) -> None:
        while batch := self._next_batch():
            error = self._store(batch, self._policy.attempts)
            if error is None or len(batch) == 1:
                self._settle(batch, error)
                continue
            for entry in batch:  # one bad item must not take the others with it
                self._settle([entry], self._store([entry], 1))

    def _settle(self, entries: Sequence[_Entry[T]], error: StoreError | None) -> None:
        """Count, and answer whoever still waits for an answer."""
        units = sum(entry.units for entry in entries)
        with self._changed:
            self._pending -= units
            if error is None:
                self._stored += units
            else:
                self._failed += units
            self._changed.notify_all()
        for entry in entries:
            if not entry.done.set_running_or_notify_cancel():
                continue
            if error is None:
                entry.done.set_result(None)
            else:
                entry.done.set_exception(error)

    def _next_batch(self) -> list[_Entry[T]]:
        """Wait for a full batch, or for the first item to have waited long enough; empty at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(
                lambda: self._waiting_units >= self._policy.batch or self._closing or self._flush_now,
                self._policy.delay_s,
            )
            batch: list[_Entry[T]] = []
            units = 0
            while self._waiting and (not batch or units + self._waiting[0].units <= self._policy.batch):
                entry = self._waiting.popleft()
                units += entry.units
                batch.append(entry)
            self._waiting_units -= units
            self._flush_now = self._flush_now and bool(self._waiting)
            return batch

    def _store(self, batch: Sequence[_Entry[T]], attempts: int | None) -> StoreError | None:
        """Write with retries; the error of the last attempt, None when stored."""
        items, batch_id = [entry.item for entry in batch], uuid.uuid4().hex
        for attempt in itertools.count(1):
            try:
                self._write(items, batch_id)
            except Exception as error:  # noqa: BLE001 - whatever it is, senders hear of it and the thread goes on
                failure = error if isinstance(error, StoreError) else StoreError(f"{type(error).__name__}: {error}")
                log.warning("store_write_failed", what=self._policy.what, attempt=attempt, error=str(failure))
                with self._changed:
                    self._last_error = str(failure)
                    if attempt == attempts or self._closing:
                        return failure
                    pause_s = min(self._policy.backoff_s * 2 ** (attempt - 1), self._policy.longest_backoff_s)
                    self._changed.wait_for(lambda: self._closing, pause_s)
            else:
                return None
        return None

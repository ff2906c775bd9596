"""Deltas added up: what a sender counted since its last export becomes what Prometheus counts since the start.

Source: OpenTelemetry, specification/metrics/data-model.md, "Sums: Delta-to-Cumulative".
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar


class Addable(Protocol):
    def __add__(self, other: Self, /) -> Self: ...


A = TypeVar("A", bound=Addable)


@dataclass(slots=True)
class _Sum(Generic[A]):
    total: A
    time_ns: int
    used_ms: int


class OutOfOrder(Exception):
    """A delta older than one that was added already: where it belongs, the sum was told."""


class Accumulator(Generic[A]):
    """Sums by key, bounded: the one that was not added to for the longest time goes first.  Any thread may add.

    A forgotten sum begins anew, which is a counter reset to whoever reads it.
    """

    def __init__(self, most: int = 100_000, idle_ms: int = 3_600_000) -> None:
        self._most = most
        self._idle_ms = idle_ms
        self._lock = threading.Lock()
        self._sums: OrderedDict[Hashable, _Sum[A]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sums)

    def add(self, key: Hashable, delta: A, time_ns: int, now_ms: int, before: Callable[[], tuple[A, int] | None]) -> A:
        """The sum up to ``time_ns``.  ``before()``: (sum, its instant in ns) to begin with where there is none yet.

        A delta of the instant that was added last is the same one, sent again.  Raises ``OutOfOrder``.
        """
        with self._lock:
            known = self._sums.get(key)
            if known is None:
                begun = before()
                known = _Sum(delta, -1, now_ms) if begun is None else _Sum(*begun, now_ms)
                self._sums[key] = known
                if begun is None:
                    known.time_ns = time_ns
            if time_ns < known.time_ns:
                raise OutOfOrder
            if time_ns > known.time_ns:
                known.total, known.time_ns = known.total + delta, time_ns
            known.used_ms = now_ms
            self._sums.move_to_end(key)
            self._forget(now_ms)
            return known.total

    def _forget(self, now_ms: int) -> None:
        while self._sums:
            oldest = next(iter(self._sums.values()))
            if len(self._sums) <= self._most and oldest.used_ms >= now_ms - self._idle_ms:
                return
            self._sums.popitem(last=False)

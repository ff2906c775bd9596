"""The newest exemplars in memory: a ring in which the oldest of all makes room, each series' own in the order of time.

As Prometheus' exemplar storage does, which keeps 100,000 by default: full, they take about 30 MB.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, select

__all__ = ["Exemplar", "ExemplarRefusal", "ExemplarState", "ExemplarStore", "SeriesExemplars"]


class ExemplarRefusal(StrEnum):
    """Why an exemplar was not taken."""

    DUPLICATE = "duplicate"  # equal to the newest of its series
    OUT_OF_ORDER = "out_of_order"  # not newer than the newest of its series


@dataclass(frozen=True, slots=True)
class SeriesExemplars:
    """``labels``: the series, complete.  ``exemplars``: at least one, oldest first."""

    labels: Labels
    exemplars: Sequence[Exemplar]


@dataclass(frozen=True, slots=True)
class ExemplarState:
    exemplars: int
    series: int
    refused: Mapping[ExemplarRefusal, int]


class ExemplarStore:
    """Any thread may append or select.

    Exemplars are numbered as they come; number n lies in slot n modulo the capacity until n + capacity takes the slot.
    Each knows the number of the one before it of the same series, so that a series is read from its newest backwards.
    """

    def __init__(self, capacity: int = 100_000) -> None:
        if capacity <= 0:
            raise ValueError(f"capacity is {capacity}; it must be more than 0")
        self._capacity = capacity
        self._lock = threading.Lock()
        self._next = 0
        self._newest: dict[Labels, int] = {}
        self._slots: list[tuple[Labels, Exemplar]] = []  # (series, exemplar)
        self._before = np.empty(capacity, dtype=np.int64)
        self._refused: Counter[ExemplarRefusal] = Counter()

    def append(self, exemplars: Iterable[tuple[Labels, Exemplar]]) -> None:
        """Take ``exemplars``, each with its series; one that is not newer than its series' newest is counted instead."""
        with self._lock:
            for series, exemplar in exemplars:
                before = self._newest.get(series, -1)
                if before >= 0:
                    newest = self._slots[before % self._capacity][1]
                    if exemplar.timestamp_ms <= newest.timestamp_ms:
                        same = exemplar == newest
                        self._refused[ExemplarRefusal.DUPLICATE if same else ExemplarRefusal.OUT_OF_ORDER] += 1
                        continue
                self._put(series, exemplar, before)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[SeriesExemplars]:
        """The exemplars of the series that ``matchers`` mean, in [start_ms, end_ms], by series."""
        with self._lock:
            known = list(self._newest)
        wanted = sorted(series for series in known if select(series, matchers))  # not under the lock: scrapes go on
        with self._lock:
            return [
                SeriesExemplars(series, exemplars)
                for series in wanted
                if (exemplars := self._between(series, start_ms, end_ms))
            ]

    @property
    def state(self) -> ExemplarState:
        with self._lock:
            return ExemplarState(len(self._slots), len(self._newest), dict(self._refused))

    def _put(self, series: Labels, exemplar: Exemplar, before: int) -> None:
        number, slot = self._next, self._next % self._capacity
        self._next += 1
        if slot == len(self._slots):
            self._slots.append((series, exemplar))
        else:
            forgotten = self._slots[slot][0]
            if self._newest[forgotten] == number - self._capacity:
                del self._newest[forgotten]  # its last one goes
            self._slots[slot] = series, exemplar
        self._before[slot] = before
        self._newest[series] = number

    def _between(self, series: Labels, start_ms: int, end_ms: int) -> Sequence[Exemplar]:
        found = []
        number = self._newest.get(series, -1)
        while number >= 0 and number >= self._next - self._capacity:
            exemplar = self._slots[number % self._capacity][1]
            if exemplar.timestamp_ms < start_ms:
                break
            if exemplar.timestamp_ms <= end_ms:
                found.append(exemplar)
            number = int(self._before[number % self._capacity])
        return found[::-1]

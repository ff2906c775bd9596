"""The workload of the benchmarks: what a fleet of Django services looks like on a bad day.

Deliberately unpleasant, and the same for the same seed: targets are scraped at instants of their own with jitter, 1 % of
scrapes are lost, a fifth of the targets restart (their counters begin at zero again), and 3.5 % of the series appear
late, vanish or have gaps.

Samples keep their distance from multiples of half a scrape interval, where evaluation instants lie: the windows of
Prometheus 2.x are closed on both sides, those of 3 open on the left.  For the same reason no series comes back within
minutes of a restart: how far a counter near zero is extrapolated over a gap has changed between the two.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import STALE, Block, Timestamps, Values, is_sample, is_stale
from opsconsole.series.labels import Labels
from opsconsole.storage.samples import StoredScrape

STEP_MS = 15_000
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
STATUSES = ("200", "404", "500")

LATENCY = "http_requests_latency_seconds_by_view_method"
RESPONSES = "http_responses_total_by_status_view_method"
QUEUE = "worker_queue_depth"
MEMORY = "process_resident_memory_bytes"
BUILD = "service_build_info"

_LOST = 0.01
_RESTARTED = 0.2
_TROUBLED = 0.035
_SETTLED = 20  # scrapes after a restart in which nothing else goes wrong
_DISTANCE_MS = 100  # of a sample from any instant somebody may ask for

_APPS = ("catalog", "cart", "orders", "accounts", "search")
_ACTIONS = ("list", "detail", "create", "update", "export")


@dataclass(frozen=True, slots=True)
class Size:
    """How much: each of ``targets`` has ``views``, and of each view a histogram of 12 buckets with sum and count and
    requests by 3 statuses (17 series); and beside these ``queues`` gauges and three series of its own.

    ``few``: a selector that means a few hundred series.
    """

    name: str
    targets: int
    views: int
    queues: int
    few: str

    @property
    def series(self) -> int:
        return self.targets * (self.views * (len(BOUNDS) + 2 + len(STATUSES)) + self.queues + 3)


SIZES = {
    size.name: size
    for size in (
        Size("8500", targets=20, views=25, queues=12, few=QUEUE),
        Size("85000", targets=200, views=25, queues=12, few=f'{QUEUE}{{instance=~"10[.]0[.]0[.].+"}}'),
        Size("500x17", targets=500, views=1, queues=1, few="up"),
    )
}


@dataclass(frozen=True, slots=True)
class Workload:
    """``minutes`` of samples, the newest before ``end_ms``."""

    size: Size
    end_ms: int
    minutes: float = 65
    seed: int = 1

    @property
    def last_ms(self) -> int:
        """The newest multiple of the scrape interval that is not after the end."""
        return self.end_ms // STEP_MS * STEP_MS

    @property
    def scrapes(self) -> int:
        """How many a target has."""
        return round(self.minutes * 60_000 / STEP_MS)

    def blocks(self) -> list[Block]:
        """One block a target."""
        return list(self.each())

    def each(self) -> Iterator[Block]:
        """The blocks one after the other, for who keeps none."""
        return (_Target(self, number).block() for number in range(self.size.targets))


def views(size: Size) -> Iterator[tuple[str, str]]:
    """(view, method) of each, the busiest first."""
    names = [f"{app}:{action}" for app, action in product(_APPS, _ACTIONS)]
    for number in range(size.views):
        view = names[number % len(names)] + (f"-{number // len(names)}" if number >= len(names) else "")
        yield view, "POST" if view.partition(":")[2][:6] in ("create", "update") else "GET"


def instance(number: int) -> str:
    return f"10.0.{number // 20}.{number % 20}:8000"


class _Target:
    """One target; everything random about it comes from the seed and its number."""

    def __init__(self, workload: Workload, number: int) -> None:
        self._size = workload.size
        self._random = np.random.default_rng((workload.seed, number))
        self._columns = workload.scrapes
        self._number = number
        self._first_ms = workload.last_ms - self._columns * STEP_MS
        self._own = {"job": "shop", "instance": instance(number)}
        self._restart = self._restarts()
        self._lost = self._random.random(self._columns) < _LOST
        if self._restart is not None:
            self._lost[self._restart - 1 : self._restart + _SETTLED] = False

    def block(self) -> Block:
        labels, values = zip(*self._rows(), strict=True)
        matrix = np.array(values)
        there = self._presence(len(labels))
        there[:-1, self._lost] = False  # the last row is ``up``
        matrix[-1, self._lost] = 0
        ended = ~there
        ended[:, 1:] &= there[:, :-1]
        ended[:, 0] = False
        return Block(labels, self._timestamps(), np.where(there, matrix, np.where(ended, STALE, np.nan)))

    def _restarts(self) -> int | None:
        if self._random.random() >= _RESTARTED or self._columns < 8:
            return None
        return int(self._random.integers(self._columns // 4, self._columns * 7 // 8))

    def _timestamps(self) -> Timestamps:
        half = STEP_MS // 2
        offset = self._random.integers(_DISTANCE_MS, half - 2 * _DISTANCE_MS) + half * self._random.integers(2)
        jitter = self._random.integers(0, _DISTANCE_MS, self._columns)
        grid = self._first_ms + np.arange(self._columns, dtype=np.int64) * STEP_MS
        timestamps: Timestamps = grid + offset + jitter
        return timestamps

    def _rows(self) -> Iterator[tuple[Labels, Values]]:
        random = self._random
        for view, method, per_scrape in self._traffic():
            slow = random.uniform(2, 6)  # the bucket most requests fall into
            shares = np.exp(-np.abs(np.arange(len(BOUNDS)) - slow))
            shares *= per_scrape / shares.sum()
            hits = random.poisson(shares[:, np.newaxis], (len(BOUNDS), self._columns))
            counters = np.cumsum(self._counters(hits, shares), axis=0)  # a bucket holds all faster ones
            label = {"view": view, "method": method, **self._own}
            for bound, row in zip(BOUNDS, counters, strict=True):
                yield Labels.of(label, __name__=f"{LATENCY}_bucket", le=bound), row
            total = hits.sum(axis=0)
            yield Labels.of(label, __name__=f"{LATENCY}_count"), counters[-1]
            seconds = total * random.uniform(0.02, 0.03, self._columns)
            yield Labels.of(label, __name__=f"{LATENCY}_sum"), self._counters(seconds[np.newaxis], per_scrape / 40)[0]
            missing, failed = random.binomial(total, 0.02), random.binomial(total, 0.006)
            by_status = np.stack([np.maximum(total - missing - failed, 0), missing, failed])
            rows = self._counters(by_status, per_scrape * np.array((0.974, 0.02, 0.006)))
            for status, row in zip(STATUSES, rows, strict=True):
                yield Labels.of(label, __name__=RESPONSES, status=status), row
        for queue in range(self._size.queues):
            depth = np.abs(np.cumsum(random.integers(-4, 5, self._columns)) + random.integers(0, 60))
            yield Labels.of(self._own, __name__=QUEUE, queue=f"q{queue:02d}"), depth.astype(float)
        memory = 2e8 + np.abs(np.cumsum(random.normal(2e4, 4e5, self._columns)))
        yield Labels.of(self._own, __name__=MEMORY), np.rint(memory / 4096) * 4096
        version = "1.4.0" if self._number % 3 else "1.5.0"
        yield Labels.of(self._own, __name__=BUILD, version=version, revision="9f1c2ab"), np.ones(self._columns)
        yield Labels.of(self._own, __name__="up"), np.ones(self._columns)

    def _traffic(self) -> Iterator[tuple[str, str, float]]:
        """(view, method, requests a scrape): few views are busy, most are not."""
        for number, (view, method) in enumerate(views(self._size)):
            yield view, method, 600 / (1 + number) * self._random.uniform(0.5, 1.5)

    def _counters(self, increments: Values, per_scrape: NDArray[np.float64] | float) -> Values:
        """Increments float64[N, P] -> counters that have run for hours, and begin at zero when the target restarts."""
        hours = self._random.uniform(5, 50)
        before = np.ceil(np.broadcast_to(per_scrape, len(increments)) * hours * 3_600_000 / STEP_MS)
        counters = np.cumsum(increments, axis=1, dtype=np.float64)
        if self._restart is None:
            return counters + before[:, np.newaxis]
        until = counters[:, self._restart - 1 : self._restart].copy()
        counters[:, : self._restart] += before[:, np.newaxis]
        counters[:, self._restart :] -= until
        return counters

    def _presence(self, rows: int) -> NDArray[np.bool_]:
        there = np.ones((rows, self._columns), dtype=bool)
        for row in np.flatnonzero(self._random.random(rows - 3) < _TROUBLED):  # not the target's own three
            for first, last in self._absences():
                if self._restart is None or not self._restart - 1 <= last <= self._restart + _SETTLED:
                    there[row, first:last] = False
        return there

    def _absences(self) -> Iterable[tuple[int, int]]:
        """(first, last) columns in which a troubled series is not there; it is back in ``last``."""
        random, columns = self._random, self._columns
        match random.integers(3):
            case 0:  # appears late
                return [(0, int(random.integers(columns // 10, columns * 6 // 10)))]
            case 1:  # vanishes
                return [(int(random.integers(columns * 4 // 10, columns * 9 // 10)), columns)]
            case _:
                firsts = random.integers(1, columns, random.integers(1, 4)).tolist()
                return [(first, min(columns, first + int(random.integers(2, 30)))) for first in firsts]


def scrapes(block: Block) -> Iterator[StoredScrape]:
    """A block scrape by scrape; ``labels`` is the same object until a series comes or goes."""
    there, ended = is_sample(block.values), is_stale(block.values)
    labels: Sequence[Labels] = ()
    before: NDArray[np.bool_] | None = None
    for column, timestamp in enumerate(block.timestamps.tolist()):
        mask = there[:, column]
        if before is None or not np.array_equal(mask, before):
            labels, before = tuple(block.labels[row] for row in np.flatnonzero(mask)), mask
        vanished = tuple(block.labels[row] for row in np.flatnonzero(ended[:, column]))
        yield StoredScrape(timestamp, labels, block.values[mask, column], vanished)


def sample_count(blocks: Sequence[Block]) -> int:
    return sum(int(is_sample(block.values).sum()) for block in blocks)


if __name__ == "__main__":
    import time

    for chosen in sys.argv[1:] or SIZES:
        began = time.perf_counter()
        made = Workload(SIZES[chosen], time.time_ns() // 1_000_000).blocks()
        series = sum(len(block.labels) for block in made)
        print(f"{chosen}: {series:,} series, {sample_count(made):,} samples in {time.perf_counter() - began:.1f} s")

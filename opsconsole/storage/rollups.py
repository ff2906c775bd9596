"""Rollups in ClickHouse: five minutes of every series in a row, so that long ranges need not read every sample.

A bucket is rolled once it is past, and again when samples come late; until then the range around it is not called rolled,
and samples are read.  Which buckets are rolled is known in memory, a day at a time: every one up to an instant, which falls
back when a sample is stored before it.  Of whole days ``rolled`` keeps how many rows ``samples`` had before they were rolled.
A day's partition only ever grows until its samples are too old to be kept, so that after a restart a day with as many rows is
as it was rolled, and any other is rolled again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opsconsole.promql.limits import LimitExceeded, current
from opsconsole.promql.source import BUCKET_MS, Buckets, Column
from opsconsole.series.block import NAN_SAMPLE, STALE
from opsconsole.series.labels import LabelSets
from opsconsole.series.matcher import Matcher

from .clickhouse import ClickHouse
from .samples import SampleStore

_DAY_MS = 86_400_000
_CLOSED_AFTER_MS = 600_000  # a bucket is past when it ended so long ago; what comes later comes late
_SERIES_AT_ONCE = 1_000  # a few seconds' work for a day of them
_MOST_BUCKETS = 25_000_000  # of one select

_SAMPLE_BITS, _STALE_BITS = (int(np.float64(value).view(np.uint64)) for value in (NAN_SAMPLE, STALE))

# Rows of one series and bucket in the order of time, of one instant the last one, a sample rather than an end.
_ROLL = f"""
INSERT INTO rollups
SELECT
    id,
    toDateTime(number * {BUCKET_MS // 1000}, 'UTC') AS bucket,
    rows,
    length(samples) AS samples_,
    if(empty(samples), 0, samples[1].1 - (number - 1) * {BUCKET_MS}) AS first_ms,
    if(empty(samples), 0, samples[-1].1 - (number - 1) * {BUCKET_MS}) AS last_ms,
    values[1] AS first,
    values[-1] AS last,
    arraySum((after, before) -> if(after < before, before, 0), arrayPopFront(values), arrayPopBack(values)) AS lost,
    arrayReduce('sumKahan', values) AS total,
    if(empty(numbers), nan, arrayMin(numbers)) AS least,
    if(empty(numbers), nan, arrayMax(numbers)) AS most,
    instants[-1].2 AS alive
FROM (
    SELECT
        id,
        number,
        length(found) AS rows,
        arrayFilter((row, next) -> row.1 != next.1, found, arrayPushBack(arrayPopFront(found), (0, 0, 0.))) AS instants,
        arrayMap(row -> (row.1, row.3), arrayFilter(row -> row.2 = 1, instants)) AS samples,
        samples.2 AS values,
        arrayFilter(value -> NOT isNaN(value), values) AS numbers
    FROM (
        SELECT id, number, arraySort(row -> (row.1, row.2), groupArray((at_ms, sampled, value))) AS found
        FROM (
            SELECT
                id,
                toUnixTimestamp64Milli(ts) AS at_ms,
                intDiv(at_ms + {BUCKET_MS - 1}, {BUCKET_MS}) AS number,
                toUInt8(reinterpretAsUInt64(value) != {_STALE_BITS}) AS sampled,
                value
            FROM samples
            WHERE ts > fromUnixTimestamp64Milli(%d, 'UTC') AND ts <= fromUnixTimestamp64Milli(%d, 'UTC')
                AND id BETWEEN %d AND %d
                AND (NOT isNaN(value) OR reinterpretAsUInt64(value) IN ({_SAMPLE_BITS}, {_STALE_BITS}))
        )
        GROUP BY id, number
    )
)
SETTINGS max_threads = 1, optimize_aggregation_in_order = 1
"""


class Rollups:
    """Rolls from one thread at a time; any may read.  One process writes the samples: it is told of its own inserts."""

    def __init__(self, clickhouse: ClickHouse, samples: SampleStore, *, samples_days: int) -> None:
        """``samples_days``: how long samples are kept.  Nothing counts as rolled before the first ``roll``."""
        self._clickhouse = clickhouse
        self._samples = samples
        self._samples_ms = samples_days * _DAY_MS
        self._lock = threading.Lock()
        self._until: dict[int, int] = {}  # day -> where its rolled buckets end
        self._late: dict[
            int, int
        ] = {}  # day -> the earliest bucket's begin of what was stored since its last roll began
        self._whole: set[int] = set()  # days that ``rolled`` tells of, as they are
        self._restored = False
        self._stopping = False
        self.sampled_from_ms = 0  # samples before that may be gone
        clickhouse.watch("samples", self._stored)

    def roll(self, now_ms: int) -> None:
        """Roll every bucket that is past and not rolled as it is.  Safe to be stopped anywhere.  Raises ``StoreError``."""
        counted = self._rows()
        self.sampled_from_ms = now_ms - self._samples_ms
        if not self._restored:
            self._restore(counted)
            self._restored = True
        past_ms = (now_ms - _CLOSED_AFTER_MS) // BUCKET_MS * BUCKET_MS
        for day in sorted({*counted, *(day - 1 for day in counted)}):  # a sample at midnight ends the day before
            if not self._going(day):
                self._roll_day(day, past_ms, counted.get(day, 0))

    def stop(self) -> None:
        """``roll`` returns soon, and rolls nothing more; any thread may say so."""
        self._stopping = True

    def rolled(self, start_ms: int, end_ms: int) -> Sequence[tuple[int, int]]:
        """``RollupSource``: in whole buckets from ``start_ms`` on."""
        stretches: list[tuple[int, int]] = []
        with self._lock:
            for day in range(start_ms // _DAY_MS, -(-end_ms // _DAY_MS)):
                first = max(day * _DAY_MS, start_ms)
                last = min(self._until.get(day, 0), end_ms // BUCKET_MS * BUCKET_MS)
                if last <= first:
                    continue
                if stretches and stretches[-1][1] == first:
                    stretches[-1] = (stretches[-1][0], last)
                else:
                    stretches.append((first, last))
        return stretches

    def buckets(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, columns: Sequence[Column]) -> Buckets:
        """``RollupSource``.  Raises ``LimitExceeded``, ``TimedOut`` and ``StoreError``."""
        width = (end_ms - start_ms) // BUCKET_MS
        ids, labels, condition = self._samples.stored(matchers)
        if not labels:
            return _none(width, columns)
        budget = current()
        most = _MOST_BUCKETS if budget is None else min(_MOST_BUCKETS, budget.limits.samples - budget.held)
        found = self._clickhouse.arrow(
            f"SELECT id, toUInt32(bucket) AS ends, {', '.join(columns)} FROM rollups "
            f"WHERE bucket > toDateTime({start_ms // 1000}, 'UTC') AND bucket <= toDateTime({end_ms // 1000}, 'UTC') "
            f"AND {condition} ORDER BY id, bucket, rows LIMIT {most + 1}",
            budget,
        )
        if found.num_rows > most:
            raise LimitExceeded(
                f"the query reads more than {most:,} rollups of history; choose a shorter range or fewer series"
            )
        of_row = found["id"].to_numpy()
        present = np.flatnonzero(np.isin(ids, of_row))
        if not present.size:
            return _none(width, columns)
        if budget is not None:
            budget.select(present.size)
            budget.hold(present.size * width * len(columns))
        row = np.minimum(np.searchsorted(ids[present], of_row), present.size - 1)
        mine = ids[present][row] == of_row  # the condition may be true for others, too
        ends_ms = found["ends"].to_numpy().astype(np.int64) * 1000
        bucket = (ends_ms - start_ms) // BUCKET_MS - 1
        place = row[mine], bucket[mine]  # of a bucket that stands there twice the last one counts: it has seen more
        filled = {}
        for column in columns:
            values = found[column.value].to_numpy().astype(np.float64)
            if column in (Column.FIRST_MS, Column.LAST_MS):
                values += ends_ms - BUCKET_MS
            filled[column] = np.full((present.size, width), column.empty)
            filled[column][place] = values[mine]
        return Buckets(LabelSets(labels[position] for position in present.tolist()), filled, width)

    def _rows(self) -> Mapping[int, int]:
        """How many rows ``samples`` has of each day."""
        return {
            int(day): int(rows)
            for day, rows in self._clickhouse.rows(
                "SELECT toUInt32(toDate(partition)), sum(rows) FROM system.parts "
                "WHERE database = currentDatabase() AND table = 'samples' AND active GROUP BY partition"
            )
        }

    def _restore(self, counted: Mapping[int, int]) -> None:
        stored = self._clickhouse.rows("SELECT toUInt32(day), max(rows) FROM rolled GROUP BY day")
        whole = {day for day, rows in stored if self._going(day) or counted.get(day, 0) == rows}
        with self._lock:
            for day in whole:
                # The next day has this one's last instant, midnight; so it must be known, too, as long as it can change.
                if (self._going(day) or day + 1 in whole or day + 1 not in counted) and day not in self._late:
                    self._until[day] = (day + 1) * _DAY_MS
                    self._whole.add(day)

    def _going(self, day: int) -> bool:
        """Whether samples of a day are gone or soon will be: its rollups stay as they are."""
        return (day - 1) * _DAY_MS <= self.sampled_from_ms

    def _roll_day(self, day: int, past_ms: int, rows: int) -> None:
        """Roll what is not rolled of a day, all of it once it is over.  ``rows``: as many it had before."""
        begin_ms, end_ms = day * _DAY_MS, (day + 1) * _DAY_MS
        with self._lock:
            reached_ms = max(self._until.get(day, begin_ms), begin_ms)
            if day in self._whole or (past_ms < end_ms and past_ms <= reached_ms):
                return
            self._late.pop(day, None)
        target_ms = min(end_ms, past_ms)
        for first, last in self._samples.ranges(_SERIES_AT_ONCE):
            if self._stopping:
                return
            self._clickhouse.command(_ROLL % (begin_ms if target_ms == end_ms else reached_ms, target_ms, first, last))
        with self._lock:
            clean = day not in self._late
            self._until[day] = min(target_ms, self._late.get(day, target_ms))
        if target_ms == end_ms and clean:
            self._clickhouse.command(f"INSERT INTO rolled VALUES ({day}, {rows})")
            with self._lock:
                if day not in self._late:
                    self._whole.add(day)

    def _stored(self, rows: pa.Table) -> None:
        """Samples were stored: buckets that hold one are no longer rolled as they are, nor are those of their day after them."""
        for day, begin_ms in _earliest(rows["ts"].cast(pa.int64()).to_numpy()):
            if self._going(day):
                continue  # retention is about to take it
            with self._lock:
                self._late[day] = min(self._late.get(day, begin_ms), begin_ms)
                if self._until.get(day, 0) > begin_ms:
                    self._until[day] = begin_ms
                    self._whole.discard(day)


def _none(width: int, columns: Sequence[Column]) -> Buckets:
    return Buckets(LabelSets(), {column: np.empty((0, width)) for column in columns}, width)


def _earliest(instants_ms: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(day, where the earliest bucket begins) for every day that has one of the instants."""
    days = (instants_ms - 1) // _DAY_MS
    for day in [int(days[0])] if days.size and (days == days[0]).all() else np.unique(days).tolist():
        yield day, (int(instants_ms[days == day].min()) - 1) // BUCKET_MS * BUCKET_MS

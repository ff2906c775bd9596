"""Samples in ClickHouse: every series once in ``series``, every sample in ``samples``."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from opsconsole.ingest.roster import Member
from opsconsole.promql.limits import LimitExceeded, current
from opsconsole.promql.source import SampleSource
from opsconsole.series.block import STALE, Block
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.matcher import Matcher, Operator, select

from . import assembly
from .clickhouse import ClickHouse, StoreError
from .timeline import target_of

_MAX_SAMPLES = 25_000_000  # of one select: 600 MB while it is turned into blocks
_MOST_RANGES = 16  # of ids in one statement; each is compared with every row
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class StoredScrape:
    """What is kept of a scrape: ``values`` float64[S] of ``labels``, and the series that ended with it."""

    timestamp_ms: int
    labels: Sequence[Labels]
    values: NDArray[np.float64]
    vanished: Sequence[Labels] = ()


@dataclass(frozen=True, slots=True)
class PushedSamples:
    """Samples of any series at any instants: ``values[i]`` at ``timestamps[i]`` of ``members[which[i]]``."""

    members: Sequence[Member]
    which: NDArray[np.intp]
    timestamps: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Column:
    """The ids of a target's series: the same for as long as its scrapes hold the same tuple on the same day."""

    labels: Sequence[Labels]
    day: int
    ids: NDArray[np.uint64]


def series_id_of(labels: Labels) -> int:
    """A 64-bit number, the same in every process: 12 bits of the metric's hash, 16 of its target's and 36 of all labels'.

    ``samples`` is sorted by it, so the series of a metric lie side by side there, those of each target together.
    """
    own = labels.fingerprint()
    metric, target = Labels.of(__name__=labels.metric).fingerprint(), target_of(labels).fingerprint()
    return (metric >> 52) << 52 | (target >> 48) << 36 | own >> 28


class SampleStore:
    """Appends scrapes, from one thread at a time, and pushed samples, from another, and selects blocks, from any.

    Knows every stored series, loaded when it is made: a series is written once a day, and matchers are answered here.
    """

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse
        self._lock = threading.Lock()
        self._ids: dict[Labels, int] = {}
        self._by_metric: dict[str, dict[Labels, int]] = {}
        self._columns: dict[Labels, _Column] = {}
        self._target_of: dict[int, int] = {}  # series id -> the number of its target
        self._target_numbers: dict[Labels, int] = {}
        self._sorted_ids = np.empty(0, dtype=np.uint64)
        self._seen: dict[int, int] = {}  # series id -> the day (since 1970) its row was last written
        self._pushed: set[int] = set()  # ids of the series whose samples are pushed; all others are scraped
        self._moved = False
        self._taken_back = 0  # how often pushed series came to be scraped
        self._registering = threading.Lock()
        for series_id, labels, day, pushed in clickhouse.rows(
            "SELECT id, labels, toUInt32(max(seen)), argMax(pushed, (seen, pushed)) FROM series GROUP BY id, labels"
        ):
            self._learn(Labels.of(labels), series_id)
            self._seen[series_id] = day
            if pushed:
                self._pushed.add(series_id)

    @property
    def series(self) -> int:
        """How many series are known."""
        return len(self._ids)

    def append(self, scrapes: Sequence[StoredScrape], *, batch_id: str) -> None:
        """Store all of ``scrapes`` or nothing; a repeated ``batch_id`` changes nothing.  Raises ``StoreError``."""
        if not scrapes:
            return
        today = max(scrape.timestamp_ms for scrape in scrapes) // _DAY_MS
        ids = self._register(scrapes, today, batch_id)
        values, timestamps = [], []
        for scrape in scrapes:
            values += [scrape.values, np.full(len(scrape.vanished), STALE)]
            timestamps.append(np.full(len(scrape.values) + len(scrape.vanished), scrape.timestamp_ms, dtype=np.int64))
        rows = pa.table(
            {
                "id": pa.array(ids, pa.uint64()),
                "ts": pa.array(np.concatenate(timestamps)).cast(pa.timestamp("ms", "UTC")),
                "value": pa.array(np.concatenate(values)),
            }
        )
        self._clickhouse.insert("samples", rows, batch_id=batch_id)

    def append_pushed(self, pushed: PushedSamples, *, batch_id: str) -> None:
        """Store all of ``pushed`` or nothing, as ``append``."""
        if not len(pushed.which):
            return
        today = int(pushed.timestamps.max()) // _DAY_MS
        with self._registering:
            ids = self._register_pushed(pushed.members, today, batch_id)
        rows = pa.table(
            {
                "id": pa.array(ids[pushed.which], pa.uint64()),
                "ts": pa.array(pushed.timestamps).cast(pa.timestamp("ms", "UTC")),
                "value": pa.array(pushed.values),
            }
        )
        self._clickhouse.insert("samples", rows, batch_id=batch_id)

    def scraped(self, labels: Labels) -> bool:
        """Whether the samples of this series came from scrapes, last."""
        series_id = self._ids.get(labels)
        return series_id is not None and series_id not in self._pushed

    def moved(self) -> bool:
        """Whether a series that was scraped came to be pushed, or the other way round, since the start."""
        return self._moved

    def of_scrapes(self) -> SampleSource:
        """The series that are scraped alone."""
        return _Part(self, pushed=False)

    def of_pushes(self) -> SampleSource:
        """The series that are pushed alone."""
        return _Part(self, pushed=True)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """``SampleSource``: the samples in (start_ms, end_ms], one block a target."""
        return self._blocks(self._matching(matchers), start_ms, end_ms)

    def stored(self, matchers: Sequence[Matcher]) -> tuple[NDArray[np.uint64], Sequence[Labels], str]:
        """(their ids, ascending; the series; SQL that is true for all of the ids, and maybe for some others)."""
        series = self._matching(matchers)
        if not series:
            return np.empty(0, dtype=np.uint64), (), "false"
        wanted = self._wanted(series)
        return wanted.ids, wanted.labels, self._condition(wanted.ids)

    def ranges(self, series: int) -> Sequence[tuple[int, int]]:
        """All ids there can be, in ranges (both ends included) that hold about so many known series each."""
        with self._lock:
            known = sorted(self._ids.values())
        starts = [0, *known[series::series]]
        return list(zip(starts, [start - 1 for start in starts[1:]] + [(1 << 64) - 1], strict=True))

    def select_part(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int, *, pushed: bool) -> Sequence[Block]:
        series = [one for one in self._matching(matchers) if (one[1] in self._pushed) is pushed]
        return self._blocks(series, start_ms, end_ms)

    def _register(self, scrapes: Sequence[StoredScrape], today: int, batch_id: str) -> NDArray[np.uint64]:
        """The ids of all rows, in order; a series that is new, or new today, gets its row in ``series`` first."""
        columns = []
        unseen: dict[int, Labels] = {}
        with self._registering:
            for scrape in scrapes:
                for labels in (scrape.labels, scrape.vanished):
                    if not labels:
                        continue
                    target = target_of(labels[0])
                    last = self._columns.get(target)
                    if last is None or last.labels is not labels or last.day != today:
                        last = self._columns[target] = self._column(labels, today, unseen, pushed=False)
                    columns.append(last.ids)
            try:
                self._write_series(unseen, today, batch_id, pushed=False)
            except StoreError:
                self._columns.clear()
                raise
        return np.concatenate(columns)

    def _register_pushed(self, members: Sequence[Member], today: int, batch_id: str) -> NDArray[np.uint64]:
        """As ``_register``.  What a member was told last holds for its day, unless a pushed series came to be scraped."""
        stamp = today << 20 | self._taken_back & 0xFFFFF
        strangers = [member for member in members if member.registered != stamp]
        if strangers:
            unseen: dict[int, Labels] = {}
            column = self._column([member.labels for member in strangers], today, unseen, pushed=True)
            self._write_series(unseen, today, batch_id, pushed=True)
            for member, series_id in zip(strangers, column.ids.tolist(), strict=True):
                member.series_id, member.registered = series_id, stamp
        return np.fromiter((member.series_id for member in members), dtype=np.uint64, count=len(members))

    def _write_series(self, unseen: Mapping[int, Labels], today: int, batch_id: str, *, pushed: bool) -> None:
        if not unseen:
            return
        lines = (
            orjson.dumps({"id": series_id, "name": one.metric, "labels": dict(one), "seen": today, "pushed": pushed})
            for series_id, one in unseen.items()
        )
        self._clickhouse.insert_raw("series", b"\n".join(lines), form="JSONEachRow", batch_id=batch_id)
        with self._lock:
            for series_id, one in unseen.items():
                self._moved = self._moved or (one in self._ids and (series_id in self._pushed) is not pushed)
                self._learn(one, series_id)
                self._seen[series_id] = today
            if not pushed and not self._pushed.isdisjoint(unseen):
                self._taken_back += 1
            (self._pushed.update if pushed else self._pushed.difference_update)(unseen)

    def _column(self, labels: Sequence[Labels], today: int, unseen: dict[int, Labels], *, pushed: bool) -> _Column:
        ids = np.empty(len(labels), dtype=np.uint64)
        for position, one in enumerate(labels):
            series_id = self._ids.get(one)
            if series_id is None:
                series_id = series_id_of(one)
                while series_id in self._seen or unseen.get(series_id, one) != one:
                    series_id += 1  # another series has it, by chance
            if self._seen.get(series_id, -1) < today or (series_id in self._pushed) is not pushed:
                unseen[series_id] = one
            ids[position] = series_id
        return _Column(labels, today, ids)

    def _learn(self, labels: Labels, series_id: int) -> None:
        self._ids[labels] = series_id
        self._target_of[series_id] = self._target_numbers.setdefault(target_of(labels), len(self._target_numbers))
        self._by_metric.setdefault(labels.metric, {})[labels] = series_id

    def _matching(self, matchers: Sequence[Matcher]) -> list[tuple[Labels, int]]:
        """Filtered here and not in SQL, so that history and head agree on every regular expression."""
        with self._lock:
            candidates = list(self._candidates(matchers))
        if len(matchers) == 1 and _names_metric(matchers[0]):
            return candidates
        return [(labels, series_id) for labels, series_id in candidates if select(labels, matchers)]

    def _candidates(self, matchers: Sequence[Matcher]) -> Iterable[tuple[Labels, int]]:
        for matcher in matchers:
            if _names_metric(matcher):
                return self._by_metric.get(matcher.value, {}).items()
        return self._ids.items()

    def _blocks(self, series: Sequence[tuple[Labels, int]], start_ms: int, end_ms: int) -> Sequence[Block]:
        if not series or start_ms >= end_ms:
            return []
        budget = current()
        wanted = self._wanted(series)
        most = _MAX_SAMPLES if budget is None else min(_MAX_SAMPLES, budget.limits.samples - budget.held)
        found = self._clickhouse.arrow(
            "SELECT id, toUnixTimestamp64Milli(ts) AS at_ms, value FROM samples "
            f"WHERE ts > fromUnixTimestamp64Milli({int(start_ms)}, 'UTC') "
            f"AND ts <= fromUnixTimestamp64Milli({int(end_ms)}, 'UTC') AND {self._condition(wanted.ids)} "
            f"ORDER BY id, ts LIMIT {most + 1}",
            budget,
        )
        if found.num_rows > most:
            raise LimitExceeded(
                f"the query reads more than {most:,} samples of history; choose a shorter range or fewer series"
            )
        rows = assembly.Rows(*(found[name].to_numpy() for name in ("id", "at_ms", "value")))
        return list(assembly.blocks(wanted, rows))

    def _wanted(self, series: Sequence[tuple[Labels, int]]) -> assembly.Wanted:
        ids = np.array([series_id for _, series_id in series], dtype=np.uint64)
        order = np.argsort(ids)
        targets = np.array([self._target_of[series_id] for _, series_id in series], dtype=np.intp)
        return assembly.Wanted(ids[order], [series[position][0] for position in order.tolist()], targets[order])

    def _condition(self, ids: NDArray[np.uint64]) -> str:
        """SQL for these ascending ids.  A list of thousands costs more to understand than the rows cost to read, so series
        that lie side by side are one range, even with a few unwanted ones between them.
        """
        known = self._sorted_ids
        if known.size != len(self._ids):
            with self._lock:
                known = self._sorted_ids = np.sort(np.fromiter(self._ids.values(), np.uint64, len(self._ids)))
        place = np.searchsorted(known, ids)
        ends = np.append(np.flatnonzero(np.diff(place) > 1), ids.size - 1)
        if ends.size > _MOST_RANGES and (place[-1] - place[0]) < 2 * ids.size:
            ends = np.array([ids.size - 1])
        if ends.size > _MOST_RANGES:
            return f"id IN ({', '.join(map(str, ids.tolist()))})"
        starts = np.append(0, ends[:-1] + 1)
        return f"({' OR '.join(f'id BETWEEN {ids[start]} AND {ids[end]}' for start, end in zip(starts, ends, strict=True))})"


@dataclass(frozen=True, slots=True)
class _Part:
    """``SampleSource`` over the series of one origin."""

    samples: SampleStore
    pushed: bool

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        return self.samples.select_part(matchers, start_ms, end_ms, pushed=self.pushed)


def _names_metric(matcher: Matcher) -> bool:
    return matcher.name == METRIC_NAME and matcher.operator is Operator.EQUAL and bool(matcher.value)

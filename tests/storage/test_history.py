from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.ingest.scraped import Scrape
from opsconsole.promql.error import PromQLError
from opsconsole.series.block import Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.storage import samples as samples_module
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.head import Head, Limits
from opsconsole.storage.history import History
from opsconsole.storage.recorder import Recorder
from opsconsole.storage.samples import SampleStore, StoredScrape

T0 = 1_764_000_000_000
Read = Callable[[Sequence[Block]], dict[Labels, list[tuple[int, float]]]]
TARGET = Labels.of(job="shop", instance="a:1")


def fresh() -> str:
    return uuid.uuid4().hex


def series(name: str, target: Labels = TARGET, **labels: str) -> Labels:
    return Labels.of(target, __name__=name, **labels)


def stored(timestamp_ms: int, values: dict[Labels, float], vanished: Sequence[Labels] = ()) -> StoredScrape:
    return StoredScrape(timestamp_ms, tuple(values), np.array(list(values.values())), vanished)


def test_samples_read_back_by_target_and_matcher(clickhouse: ClickHouse, samples_of: Read) -> None:
    store = SampleStore(clickhouse)
    other = Labels.of(job="shop", instance="b:1")
    up, hits, up_b = series("up"), series("hits", view='a"b\\c\n'), series("up", other)
    store.append([stored(T0 + tick, {up: 1.0, hits: tick}) for tick in range(3)], batch_id=fresh())
    store.append([stored(T0 + 1, {up_b: 0.0})], batch_id=fresh())
    assert samples_of(store.select((), T0, T0 + 2)) == {
        up: [(T0 + 1, 1.0), (T0 + 2, 1.0)],
        hits: [(T0 + 1, 1.0), (T0 + 2, 2.0)],
        up_b: [(T0 + 1, 0.0)],
    }
    assert len(store.select((), T0, T0 + 2)) == 2  # a block a target
    regex = (Matcher("__name__", Operator.REGEX, "u."), Matcher("instance", Operator.NOT_EQUAL, "b:1"))
    assert set(samples_of(store.select(regex, 0, T0 + 9))) == {up}
    absent = (Matcher("view", Operator.EQUAL, ""),)
    assert set(samples_of(store.select(absent, 0, T0 + 9))) == {up, up_b}
    assert store.select((Matcher("__name__", Operator.EQUAL, "nope"),), 0, T0 + 9) == []


def test_infinities_and_exact_values_survive(clickhouse: ClickHouse, samples_of: Read) -> None:
    store = SampleStore(clickhouse)
    values = [0.1 + 0.2, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, -0.0]
    store.append([stored(T0 + n, {series("x"): value}) for n, value in enumerate(values)], batch_id=fresh())
    assert [value for _, value in samples_of(store.select((), 0, T0 + 9))[series("x")]] == values


def test_a_repeated_batch_is_stored_once(clickhouse: ClickHouse) -> None:
    store = SampleStore(clickhouse)
    for _ in range(2):
        store.append([stored(T0, {series("x"): 1.0})], batch_id="same")
    assert clickhouse.rows("SELECT count() FROM samples") == [(1,)]


def test_a_series_is_written_once_a_day_and_known_after_a_restart(clickhouse: ClickHouse) -> None:
    store = SampleStore(clickhouse)
    for tick in range(5):
        store.append([stored(T0 + tick, {series("x"): 1.0, series("y"): 2.0})], batch_id=fresh())
    assert clickhouse.rows("SELECT count() FROM series") == [(2,)]
    again = SampleStore(clickhouse)
    assert again.series == 2
    again.append([stored(T0 + 10, {series("x"): 1.0})], batch_id=fresh())
    assert clickhouse.rows("SELECT count() FROM series") == [(2,)]
    again.append([stored(T0 + 86_400_000, {series("x"): 1.0})], batch_id=fresh())
    assert clickhouse.rows("SELECT name, max(seen) > min(seen) FROM series GROUP BY name ORDER BY name") == [
        ("x", True),
        ("y", False),
    ]


def test_a_series_that_vanished_is_stored_with_prometheus_staleness_marker(clickhouse: ClickHouse) -> None:
    head = Head()
    recorder = Recorder(head, SampleStore(clickhouse))
    both = (series("x"), series("y"))
    recorder.append(Scrape(TARGET, T0, both, np.array([1.0, 2.0])))
    recorder.append(Scrape(TARGET, T0 + 1, both[:1], np.array([3.0])))
    recorder.append(Scrape(TARGET, T0 + 2, both[:1], np.array([4.0])))
    recorder.close()
    bits = clickhouse.rows(
        "SELECT toUnixTimestamp64Milli(ts), reinterpretAsUInt64(value) FROM samples WHERE isNaN(value)"
    )
    assert bits == [(T0 + 1, 0x7FF0000000000002)]


def test_a_select_that_would_fill_the_memory_is_refused(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SampleStore(clickhouse)
    store.append([stored(T0 + tick, {series("x"): 1.0}) for tick in range(11)], batch_id=fresh())
    monkeypatch.setattr(samples_module, "_MAX_SAMPLES", 10)
    with pytest.raises(PromQLError, match=r"more than 10 samples.*shorter range"):
        store.select((), 0, T0 + 99)


@dataclass
class Model:
    """What was scraped, in plain dictionaries: a series has a sample at an instant or it has none."""

    samples: dict[Labels, list[tuple[int, float]]] = field(default_factory=dict)

    def add(self, scrape: Scrape) -> None:
        for labels, value in zip(scrape.labels, scrape.values, strict=True):
            self.samples.setdefault(labels, []).append((scrape.timestamp_ms, float(value)))

    def select(self, metric: str, start_ms: int, end_ms: int) -> dict[Labels, list[tuple[int, float]]]:
        chosen = {
            labels: [sample for sample in samples if start_ms < sample[0] <= end_ms]
            for labels, samples in self.samples.items()
            if labels.metric == metric
        }
        return {labels: samples for labels, samples in chosen.items() if samples}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scrapes=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 60_000), st.lists(st.integers(0, 5), unique=True)),
        min_size=1,
        max_size=60,
    ),
    restarts=st.sets(st.integers(0, 59), max_size=3),
    ranges=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6),
)
def test_head_and_store_together_answer_as_a_plain_model_does_also_after_restarts(
    clickhouse: ClickHouse,
    samples_of: Read,
    scrapes: list[tuple[int, int, list[int]]],
    restarts: set[int],
    ranges: list[tuple[float, float]],
) -> None:
    for table in ("series", "samples"):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    limits = Limits(window_ms=240_000, columns=24)
    model, now = Model(), T0
    targets = [Labels.of(job="j", instance=f"i:{number}") for number in range(2)]
    store, head = SampleStore(clickhouse), Head(limits)
    recorder = Recorder(head, store)
    for number, (which, pause, exposed) in enumerate(scrapes):
        now += pause
        if number in restarts:
            recorder.close()
            store, head = SampleStore(clickhouse), Head(limits)
            head.load(store, now)
            recorder = Recorder(head, store)
        labels = tuple(series(f"metric_{one % 2}", targets[which], n=str(one)) for one in exposed)
        scrape = Scrape(targets[which], now, labels, np.arange(len(labels)) + float(now))
        model.add(scrape)
        recorder.append(scrape)
    recorder.close()
    history = History(head, store)
    length = now - T0 + 2
    for one, other in [*ranges, (0.0, 1.0)]:
        start_ms, end_ms = sorted((T0 - 1 + round(one * length), T0 - 1 + round(other * length)))
        for metric in ("metric_0", "metric_1"):
            question = (Matcher("__name__", Operator.EQUAL, metric),)
            blocks = [block for found in history.select(question, start_ms, end_ms) for block in found.blocks()]
            inside = [part for block in blocks if (part := block.within(start_ms, end_ms)) is not None]
            assert samples_of(inside) == model.select(metric, start_ms, end_ms)
            assert len(blocks) == len({block.labels[0].get("instance") for block in blocks})


def test_a_loaded_head_knows_which_series_end(clickhouse: ClickHouse) -> None:
    store = SampleStore(clickhouse)
    store.append([stored(T0, {series("x"): 1.0, series("y"): 2.0})], batch_id=fresh())
    store.append([stored(T0 + 2000, {series("x"): 1.0, series("y"): 2.0}, [])], batch_id=fresh())
    head = Head()
    head.load(store, T0 + 3000)
    assert head.append(TARGET, T0 + 4000, (series("x"),), np.ones(1)).vanished == [series("y")]


def test_a_window_too_large_for_memory_is_loaded_in_part(clickhouse: ClickHouse, samples_of: Read) -> None:
    store = SampleStore(clickhouse)
    labels = [series("x", n=str(number)) for number in range(40)]
    for hour in range(2):
        store.append(
            [stored(T0 + hour * 3_600_000 + tick * 4000, dict.fromkeys(labels, 1.0)) for tick in range(900)],
            batch_id=fresh(),
        )
    now = T0 + 7_200_000
    head = Head(Limits(memory_bytes=400_000, total_series=3000))
    head.load(store, now)
    blocks, complete_from_ms = head.snapshot((), 0, now)
    assert T0 < complete_from_ms < now
    assert len(samples_of(blocks)) == 40
    history = samples_of(History(head, store).select((), 0, now))
    assert {len(samples) for samples in history.values()} == {1800}


def test_at_the_seam_each_sample_comes_from_one_side(clickhouse: ClickHouse, samples_of: Read) -> None:
    """Series that ended before it, that began after it, that cross it; and samples that only the head has so far."""
    store = SampleStore(clickhouse)
    old, new, both = series("old"), series("new"), series("both")
    store.append([stored(T0 + tick, {old: tick, both: tick}) for tick in range(1, 6)], batch_id=fresh())
    head = Head()
    head.load(store, T0 + 5)
    head._complete_from_ms = T0 + 3  # as when memory has run out
    labels = (both, new)
    for tick in range(6, 9):  # not committed yet
        head.append(TARGET, T0 + tick, labels, np.array([float(tick), -float(tick)]))
    source = History(head, store)
    for start, end in ((0, 8), (2, 3), (3, 4), (2, 4), (3, 8), (5, 8), (0, 3)):
        expected = {
            old: [(T0 + tick, float(tick)) for tick in range(1, 6)],
            both: [(T0 + tick, float(tick)) for tick in range(1, 9)],
            new: [(T0 + tick, -float(tick)) for tick in range(6, 9)],
        }
        inside = {
            labels: kept
            for labels, pairs in expected.items()
            if (kept := [pair for pair in pairs if T0 + start < pair[0] <= T0 + end])
        }
        found = samples_of(source.select((), T0 + start, T0 + end))
        assert {labels: pairs for labels, pairs in found.items() if pairs} == inside, (start, end)

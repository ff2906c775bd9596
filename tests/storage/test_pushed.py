"""Pushed samples in memory: who shares a block with whom, what readers see, and what a restart brings back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.ingest.push import Push, Refusal
from opsconsole.promql.engine import Engine
from opsconsole.series.block import NAN_SAMPLE, STALE, Block, is_sample, is_stale
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.storage.admission import PushLimits
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.commit import CommitPolicy
from opsconsole.storage.head import Head
from opsconsole.storage.history import History
from opsconsole.storage.intake import Intake
from opsconsole.storage.pushed import PushedStore
from opsconsole.storage.samples import SampleStore, StoredScrape

T0 = 1_764_000_000_000
QUICK = CommitPolicy(what="pushed samples", batch=100_000, pending=200_000, delay_s=0.0)
Sample = tuple[Labels, int, float]


def of_target(count: int, target: int = 0, metric: str = "m") -> list[Labels]:
    return [Labels.of(__name__=metric, job="j", instance=f"i{target}", n=str(n)) for n in range(count)]


def push_of(store: PushedStore, samples: Iterable[Sample]) -> Push:
    members, timestamps, values = [], [], []
    for labels, timestamp, value in samples:
        members.append(store.roster.member(labels))
        timestamps.append(timestamp)
        values.append(value)
    return Push(members, np.array(timestamps, dtype=np.int64), np.array(values, dtype=np.float64))


def take(store: PushedStore, samples: Iterable[Sample], now_ms: int = T0) -> dict[Refusal, int]:
    judged = store.judge([push_of(store, samples)], now_ms)
    store.publish(judged, now_ms)
    return dict(judged.refused[0].counts)


def cells_of(blocks: Sequence[Block]) -> dict[Labels, dict[int, float]]:
    """Everything known of every series, stale markers too."""
    found: dict[Labels, dict[int, float]] = {}
    for block in blocks:
        assert (np.diff(block.timestamps) > 0).all()
        known = is_sample(block.values) | is_stale(block.values)
        for labels, row, there in zip(block.labels, block.values, known, strict=True):
            for column in np.flatnonzero(there).tolist():
                instant = int(block.timestamps[column])
                assert instant not in found.setdefault(labels, {}), "a sample stands there twice"
                found[labels][instant] = float(row[column])
    return found


def everything(store: PushedStore) -> Sequence[Block]:
    return store.select((), 0, T0 * 2)


def test_a_scrape_that_comes_in_several_requests_is_one_block() -> None:
    store = PushedStore()
    series = of_target(300)
    for scrape in range(5):
        for shard in range(3):
            take(store, [(labels, T0 + scrape * 1000, scrape) for labels in series[shard::3]], T0 + scrape * 1000)
    (block,) = everything(store)
    assert block.values.shape == (300, 5)
    assert (block.values == np.arange(5)).all()


def test_clients_that_push_at_the_same_instants_share_a_block_and_others_do_not() -> None:
    store = PushedStore()
    for tick in range(3):
        for client in range(50):
            late = client % 2 * 7  # half of them round their instants, and half are 7 ms late
            take(store, [(labels, T0 + tick * 1000 + late, client) for labels in of_target(17, client)], T0 + 5000)
    blocks = everything(store)
    assert [block.values.shape for block in blocks] == [(425, 3), (425, 3)]
    assert all(is_sample(block.values).all() for block in blocks)


def test_series_of_another_rhythm_move_to_a_block_of_their_own() -> None:
    store = PushedStore()
    scraped, rules = of_target(20), of_target(5, metric="rule")
    take(store, [(labels, T0, 1) for labels in (*scraped, *rules)])  # as after a restart: once together, never again
    for tick in range(1, 120):
        take(store, [(labels, T0 + tick * 1000, tick) for labels in scraped], T0 + tick * 1000)
        if tick % 2:
            take(store, [(labels, T0 + tick * 1000 + 321, tick) for labels in rules], T0 + tick * 1000)
    blocks = sorted(everything(store), key=lambda block: len(block.labels))
    assert [set(block.labels) for block in blocks] == [set(rules), set(scraped)]
    assert is_sample(blocks[1].values).all()
    assert blocks[0].values.shape == (5, 61)
    assert {len(cells) for labels, cells in cells_of(blocks).items() if labels.metric == "rule"} == {61}


def test_cells_that_have_not_come_are_unknown_and_markers_stay_markers() -> None:
    store = PushedStore()
    one, two = of_target(2)
    take(store, [(one, T0, 1), (two, T0, 1)])
    take(store, [(one, T0 + 1000, NAN_SAMPLE)])
    take(store, [(two, T0 + 2000, STALE)])
    (block,) = everything(store)
    assert is_sample(block.values).tolist() == [[True, True, False], [True, False, False]]
    assert is_stale(block.values).tolist() == [[False, False, False], [False, False, True]]


@settings(max_examples=150, deadline=None)
@given(
    requests=st.lists(
        st.lists(st.tuples(st.integers(0, 7), st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=12),
        min_size=1,
        max_size=25,
    ),
    late_ms=st.sampled_from([0, 5_000, 100_000]),
)
def test_whatever_order_they_come_in_the_first_value_of_an_instant_is_kept(
    requests: list[list[tuple[int, int, int]]], late_ms: int
) -> None:
    store = PushedStore(PushLimits(late_ms=late_ms))
    series = [*of_target(4), *of_target(4, target=1)]
    expected: dict[Labels, dict[int, float]] = {}
    for request in requests:
        before = {labels: max(cells) for labels, cells in expected.items()}
        samples = [(series[which], T0 + at * 1000, float(value)) for which, at, value in request]
        counts = {Refusal.DUPLICATE: 0, Refusal.OUT_OF_ORDER: 0}
        for labels, at_ms, value in samples:
            cells = expected.get(labels, {})
            if at_ms in cells:
                counts[Refusal.DUPLICATE] += cells[at_ms] != value
            elif at_ms < before.get(labels, 0) and at_ms <= before[labels] - late_ms:
                counts[Refusal.OUT_OF_ORDER] += 1
            else:
                expected.setdefault(labels, {})[at_ms] = value
        assert take(store, samples, T0 + 60_000) == {reason: count for reason, count in counts.items() if count}
    assert cells_of(everything(store)) == expected


def test_what_is_older_than_the_window_goes_and_its_series_with_it() -> None:
    store = PushedStore(PushLimits(window_ms=600_000))
    old, kept = of_target(3), of_target(3, metric="kept")
    take(store, [(labels, T0, 1) for labels in (*old, *kept)])
    for minute in range(1, 30):
        take(store, [(labels, T0 + minute * 60_000, 1) for labels in kept], T0 + minute * 60_000)
    blocks, complete_from_ms = store.snapshot((), 0, T0 * 2)
    assert set(cells_of(blocks)) == set(kept)
    assert complete_from_ms == T0 + 19 * 60_000
    assert min(min(cells) for cells in cells_of(blocks).values()) > complete_from_ms
    assert (store.state.series, len(store.roster)) == (3, 3)
    take(store, [(old[0], T0 + 1_800_000, 1)], T0 + 1_800_000)  # it comes back
    assert set(cells_of(everything(store))) == {*kept, old[0]}


def test_series_over_the_bound_are_refused_and_memory_is_bounded_by_forgetting_the_oldest() -> None:
    store = PushedStore(PushLimits(total_series=100, memory_bytes=100_000))
    assert take(store, [(labels, T0, 1) for labels in of_target(120)]) == {Refusal.TOTAL_SERIES: 20}
    for tick in range(1, 400):
        take(store, [(labels, T0 + tick * 1000, tick) for labels in of_target(100)], T0 + tick * 1000)
        assert store.state.memory_bytes <= 100_000 + 100 * 8 * 100
    blocks, complete_from_ms = store.snapshot((), 0, T0 * 2)
    assert complete_from_ms > T0
    assert {max(cells) for cells in cells_of(blocks).values()} == {T0 + 399_000}
    assert min(map(min, cells_of(blocks).values())) > complete_from_ms


def test_labels_stay_the_same_object_while_the_series_do() -> None:
    store = PushedStore()
    matchers = [Matcher("__name__", Operator.EQUAL, "m")]
    take(store, [(labels, T0, 1) for labels in (*of_target(3), *of_target(3, metric="n"))])
    (first,) = store.select(matchers, 0, T0 * 2)
    take(store, [(labels, T0 + 1000, 1) for labels in of_target(3)])
    (second,) = store.select(matchers, 0, T0 * 2)
    assert second.labels is first.labels
    assert second.values.shape == (3, 2)
    assert first.values.shape == (3, 1)


def test_a_reader_never_sees_half_of_a_batch_of_one_series() -> None:
    store = PushedStore()
    series = of_target(40)
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            found = cells_of(everything(store)).values()
            torn.extend(sorted(cells) for cells in found if len(cells) % 10)

    reader = threading.Thread(target=read)
    reader.start()
    for batch in range(60):  # of ten instants each; the second half of the series comes later, into published columns
        for half in (series[:20], series[20:]):
            take(
                store, [(labels, T0 + batch * 10_000 + n * 1000, n) for labels in half for n in range(10)], T0 + 600_000
            )
    done.set()
    reader.join()
    assert torn == []


def test_five_hundred_clients_of_seventeen_series(capsys: pytest.CaptureFixture[str]) -> None:
    store = PushedStore()
    clients = [of_target(17, client) for client in range(500)]
    for tick in range(20):
        samples = [
            (labels, T0 + tick * 15_000 + client * 29, tick) for client, mine in enumerate(clients) for labels in mine
        ]
        take(store, samples, T0 + tick * 15_000 + 15_000)
    assert store.state.series == 8500
    assert sum(len(block.labels) for block in everything(store)) == 8500
    per_sample = store.state.memory_bytes / 8500 / 20
    labels = sum(sys.getsizeof(pair) + sum(map(sys.getsizeof, pair)) for pair in clients[0][0])
    with capsys.disabled():
        print(
            f"\n  500 clients of 17 series: {store.state.sheets} blocks, {per_sample:.1f} bytes a sample"
            f" (a full window of 480: {480 * 8 / 1000:.1f} kB a series), {labels} bytes of labels a series"
        )


@pytest.fixture
def console(clickhouse: ClickHouse) -> Callable[[int], tuple[Intake, Engine, PushedStore]]:
    """``console(now_ms)``: as after a (re)start at that time."""

    def start(now_ms: int) -> tuple[Intake, Engine, PushedStore]:
        samples = SampleStore(clickhouse)
        head, pushed = Head(), PushedStore()
        head.load(samples.of_scrapes(), now_ms)
        pushed.load(samples.of_pushes(), now_ms)
        return Intake(pushed, samples, ManualClock(now_ms), QUICK), Engine(History(head, samples, pushed)), pushed

    return start


def test_after_a_restart_a_series_goes_on_and_no_sample_is_doubled(console: Callable[..., tuple]) -> None:
    series = [*of_target(3), *of_target(3, target=1)]
    expected: dict[Labels, list[tuple[int, float]]] = {labels: [] for labels in series}
    now_ms = T0
    for _ in range(3):
        intake, engine, pushed = console(now_ms)
        assert pushed.state.series == (0 if now_ms == T0 else 6)
        again = [(labels, *samples[-1]) for labels, samples in expected.items() if samples]
        for tick in range(10):
            now_ms += 15_000
            samples = [(labels, now_ms, float(tick)) for labels in series]
            offered = intake.offer(push_of(pushed, [*again, *samples]))
            offered.stored.result(20)
            assert offered.refused.samples == 0
            for labels, *sample in samples:
                expected[labels].append(tuple(sample))
        result = engine.instant("m[1h]", now_ms)
        for labels, values, present in zip(result.labels, result.values, result.present, strict=True):
            found = list(zip(result.timestamps[present].tolist(), values[present].tolist(), strict=True))
            assert found == expected[labels]
        assert len(result.labels) == 6
        intake.close()


def test_a_query_over_memory_and_history_is_whole(console: Callable[..., tuple]) -> None:
    intake, _, pushed = console(T0)
    labels = of_target(2)
    for hour in range(4):
        samples = [(one, T0 + hour * 3_600_000 - 10_800_000, float(hour)) for one in labels]
        intake.offer(push_of(pushed, samples)).stored.result(20)
    intake.close()
    assert sum(map(len, cells_of(everything(pushed)).values())) == 4  # two of the four lie before the window
    for _ in range(2):
        intake, engine, _pushed = console(T0)
        result = engine.instant("m[5h]", T0 + 60_000)
        assert sorted(result.values[result.present].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
        intake.close()


def test_a_series_that_changes_sides_is_asked_for_once_and_each_sample_with_it(clickhouse: ClickHouse) -> None:
    samples, head, pushed = SampleStore(clickhouse), Head(), PushedStore(targets=[])
    engine = Engine(History(head, samples, pushed, moved=samples.moved))
    intake = Intake(pushed, samples, ManualClock(T0), QUICK)
    target, (labels,) = Labels.of(job="j", instance="i0"), of_target(1)
    head.append(target, T0 - 30_000, (labels,), np.array([1.0]))
    samples.append([StoredScrape(T0 - 30_000, (labels,), np.array([1.0]))], batch_id="a")
    assert samples.scraped(labels)
    intake.offer(push_of(pushed, [(labels, T0, 2.0)])).stored.result(20)
    assert (samples.scraped(labels), samples.moved()) == (False, True)
    for promql, expected in (("m", 2), ("count_over_time(m[5m])", 2), ("sum_over_time(m[5m])", 3)):
        assert engine.instant(promql, T0 + 1000).values.tolist() == [[expected]]

    samples.append([StoredScrape(T0 + 1, (labels,), np.array([3.0]))], batch_id="b")  # its target is scraped again
    again = PushedStore(targets=[target], scraped=samples.scraped)
    assert take(again, [(labels, T0 + 2, 1.0)]) == {Refusal.SCRAPED: 1}
    intake.close()


def test_the_store_says_after_a_restart_which_series_were_pushed(clickhouse: ClickHouse) -> None:
    samples = SampleStore(clickhouse)
    intake = Intake(pushed := PushedStore(), samples, ManualClock(T0), QUICK)
    scraped, pushes = of_target(2), of_target(2, metric="rule")
    samples.append([StoredScrape(T0, tuple(scraped), np.ones(2))], batch_id="a")
    intake.offer(push_of(pushed, [(labels, T0, 1.0) for labels in pushes])).stored.result(20)
    intake.close()
    restarted = SampleStore(clickhouse)
    for part, expected in ((restarted.of_scrapes(), scraped), (restarted.of_pushes(), pushes)):
        found = [labels for block in part.select((), T0 - 1, T0) for one in block.blocks() for labels in one.labels]
        assert sorted(found) == sorted(expected)


def test_a_pushed_series_that_comes_to_be_scraped_takes_no_more_and_keeps_what_it_has() -> None:
    (labels,) = of_target(1)
    scraped: set[Labels] = set()
    store = PushedStore(targets=[Labels.of(job="j", instance="i0")], scraped=scraped.__contains__)
    assert take(store, [(labels, T0, 1.0)]) == {}
    scraped.add(labels)
    take(store, [], T0 + 60_000)  # it looks now and then
    assert take(store, [(labels, T0 + 60_000, 2.0)], T0 + 60_000) == {Refusal.SCRAPED: 1}
    assert cells_of(everything(store)) == {labels: {T0: 1.0}}

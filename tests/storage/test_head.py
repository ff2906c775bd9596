from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.series.block import Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.series.stack import Stack
from opsconsole.storage.head import Head, Limits, Refusal

T0 = 1_764_000_000_000
TARGET = Labels.of(job="shop", instance="a:1")
Read = Callable[[Sequence[Block]], dict[Labels, list[tuple[int, float]]]]


def series(number: int, target: Labels = TARGET) -> Labels:
    return Labels.of(target, __name__=f"metric_{number % 3}", n=str(number))


def blocks(found: Sequence[Stack]) -> list[Block]:
    return [block for stack in found for block in stack.blocks()]


def named(name: str) -> Matcher:
    return Matcher("__name__", Operator.EQUAL, name)


def test_a_series_reads_back_what_was_appended(samples_of: Read) -> None:
    head = Head()
    for tick in range(200):
        head.append(TARGET, T0 + tick * 2000, (series(0), series(1)), np.array([tick, -tick], dtype=float))
    found = samples_of(head.select((named("metric_1"),), T0, T0 + 10_000))
    assert found == {series(1): [(T0 + tick * 2000, -tick) for tick in range(1, 6)]}


def test_a_range_is_open_at_its_start_and_closed_at_its_end(samples_of: Read) -> None:
    head = Head()
    for tick in range(3):
        head.append(TARGET, T0 + tick, (series(0),), np.array([tick], dtype=float))
    assert samples_of(head.select((), T0, T0 + 1)) == {series(0): [(T0 + 1, 1.0)]}


def test_a_series_that_vanishes_is_reported_and_leaves_nan(samples_of: Read) -> None:
    head = Head()
    assert head.append(TARGET, T0, (series(0), series(1)), np.array([1.0, 2.0])).vanished == []
    assert head.append(TARGET, T0 + 1, (series(1),), np.array([3.0])).vanished == [series(0)]
    assert head.append(TARGET, T0 + 2, (series(1),), np.array([4.0])).vanished == []
    (block,) = blocks(head.select((), 0, T0 + 2))
    assert np.isnan(block.values[block.labels.index(series(0))]).tolist() == [False, True, True]
    head.append(TARGET, T0 + 3, (series(1), series(0)), np.array([5.0, 6.0]))
    assert samples_of(head.select((), T0, T0 + 3))[series(0)] == [(T0 + 3, 6.0)]


def test_the_same_question_gives_the_same_labels_until_the_series_change() -> None:
    head = Head()
    head.append(TARGET, T0, (series(0), series(1)), np.zeros(2))
    (first,) = head.select((named("metric_0"),), 0, T0)
    head.append(TARGET, T0 + 1, (series(0), series(1)), np.zeros(2))
    (second,) = head.select((named("metric_0"),), 0, T0 + 1)
    assert first.labels is second.labels
    head.append(TARGET, T0 + 2, (series(0), series(1), series(3)), np.zeros(3))
    (third,) = head.select((named("metric_0"),), 0, T0 + 2)
    assert list(third.labels) == [series(0), series(3)]


def test_a_block_handed_out_never_changes() -> None:
    head = Head(Limits(columns=50))
    kept: list[tuple[Block, Any]] = []
    for tick in range(400):
        present = [series(number) for number in range(5 + tick // 10) if (tick + number) % 7]
        head.append(TARGET, T0 + tick * 2000, present, np.arange(len(present)) + float(tick))
        (block,) = blocks(head.select((), 0, T0 + tick * 2000))
        kept.append((block, (list(block.labels), block.timestamps.copy(), block.values.copy())))
    for block, (labels, timestamps, values) in kept:
        assert list(block.labels) == labels
        np.testing.assert_array_equal(block.timestamps, timestamps)
        np.testing.assert_array_equal(block.values, values)


def test_samples_out_of_order_are_refused_and_counted() -> None:
    head = Head()
    head.append(TARGET, T0, (series(0),), np.zeros(1))
    outcome = head.append(TARGET, T0, (series(0),), np.ones(1))
    assert (list(outcome.labels), outcome.refused) == ([], {Refusal.OUT_OF_ORDER: 1})
    assert head.state.refused == {Refusal.OUT_OF_ORDER: 1}


def test_series_over_the_limit_of_a_target_are_refused_and_the_others_stay(samples_of: Read) -> None:
    head = Head(Limits(target_series=3))
    labels = tuple(series(number) for number in range(5))
    for tick in range(3):
        outcome = head.append(TARGET, T0 + tick, labels, np.arange(5.0))
        assert outcome.refused == {Refusal.TARGET_SERIES: 2}
        assert list(outcome.labels) == list(labels[:3])
        assert outcome.values.tolist() == [0.0, 1.0, 2.0]
    assert set(samples_of(head.select((), 0, T0 + 9))) == set(labels[:3])
    assert head.state.refused == {Refusal.TARGET_SERIES: 6}


def test_series_over_the_limit_of_the_head_are_refused() -> None:
    head = Head(Limits(total_series=3))
    other = Labels.of(job="shop", instance="b:1")
    head.append(TARGET, T0, (series(0), series(1)), np.zeros(2))
    outcome = head.append(other, T0, (series(0, other), series(1, other)), np.zeros(2))
    assert outcome.refused == {Refusal.TOTAL_SERIES: 1}


def test_series_that_are_gone_for_the_window_make_room_for_new_ones() -> None:
    head = Head(Limits(target_series=2, window_ms=60_000))
    head.append(TARGET, T0, (series(0), series(1)), np.zeros(2))
    for tick in range(1, 100):
        head.append(TARGET, T0 + tick * 2000, (series(0),), np.zeros(1))
    assert head.append(TARGET, T0 + 200_000, (series(0), series(2)), np.zeros(2)).refused == {}
    assert head.state.series == 2


def test_what_is_older_than_the_window_is_forgotten_and_said_to_be() -> None:
    head = Head(Limits(window_ms=600_000))
    for tick in range(1000):
        head.append(TARGET, T0 + tick * 2000, (series(0),), np.zeros(1))
    newest = T0 + 999 * 2000
    found, complete_from_ms = head.snapshot((), 0, newest)
    assert newest - 600_000 - 30_000 <= complete_from_ms <= newest - 600_000
    assert complete_from_ms + 2000 in found[0].blocks()[0].timestamps


def test_a_target_that_went_away_is_forgotten() -> None:
    head = Head(Limits(window_ms=60_000))
    other = Labels.of(job="shop", instance="b:1")
    head.append(other, T0, (series(0, other),), np.zeros(1))
    for tick in range(100):
        head.append(TARGET, T0 + tick * 2000, (series(0),), np.zeros(1))
    assert head.state.targets == 1


def test_memory_stays_within_its_bound_by_a_shorter_window() -> None:
    bound = 4 << 20
    head = Head(Limits(memory_bytes=bound, total_series=2000))
    labels = tuple(series(number) for number in range(1000))
    for tick in range(1000):
        head.append(TARGET, T0 + tick * 2000, labels, np.full(1000, float(tick)))
        assert head.state.memory_bytes <= bound
    found, complete_from_ms = head.snapshot((), 0, T0 + 2_000_000)
    (block,) = found[0].blocks()
    assert block.timestamps[0] > complete_from_ms > T0
    assert len(block.timestamps) > 200


def test_a_bound_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="memory_bytes=1,000 cannot hold"):
        Limits(memory_bytes=1000)


def test_readers_see_whole_scrapes_while_one_writes() -> None:
    head = Head(Limits(columns=100))
    torn: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for block in blocks(head.select((), 0, T0 * 2)):
                if len(block.labels) != block.values.shape[0] or len(block.timestamps) != block.values.shape[1]:
                    torn.append("shape")
                now = (block.timestamps - T0) / 2000
                if not (np.isnan(block.values) | (block.values == now)).all():
                    torn.append("value")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for tick in range(1500):
        labels = tuple(series(number) for number in range(10 + tick % 50))
        head.append(TARGET, T0 + tick * 2000, labels, np.full(len(labels), float(tick)))
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []


@settings(max_examples=150, deadline=None)
@given(
    scrapes=st.lists(
        st.tuples(
            st.integers(0, 2),  # which target
            st.integers(1, 40_000),  # how long after the last scrape
            st.lists(st.integers(0, 12), unique=True),  # which series it exposes, in which order
        ),
        max_size=80,
    )
)
def test_the_head_answers_as_a_plain_model_does(scrapes: list[tuple[int, int, list[int]]]) -> None:
    limits = Limits(window_ms=300_000, columns=20)
    head = Head(limits)
    targets = [Labels.of(job="j", instance=f"i:{number}") for number in range(3)]
    model: dict[Labels, dict[int, float]] = {}
    instants: dict[Labels, set[int]] = {}
    now = T0
    for which, pause, numbers in scrapes:
        now += pause
        labels = tuple(series(number, targets[which]) for number in numbers)
        before = {one for one in model if one.get("instance") == f"i:{which}" and model[one].get(-1, 0)}
        outcome = head.append(targets[which], now, labels, np.arange(len(labels)) + float(now))
        if labels or targets[which] in instants:  # before its first series a target has nothing to end
            instants.setdefault(targets[which], set()).add(now)
        assert set(outcome.vanished) == before - set(labels)
        for one in before:
            model[one][-1] = 0
        for position, one in enumerate(labels):
            model.setdefault(one, {})[now] = position + float(now)
            model[one][-1] = 1
    found, complete_from_ms = head.snapshot((), T0 - 1, now)
    assert complete_from_ms <= now
    seen: dict[Labels, dict[int, float]] = {}
    for block in blocks(found):
        target = block.labels[0].keep(("job", "instance"))
        expected = {instant for instant in instants[target] if instant > complete_from_ms}
        assert expected <= set(block.timestamps.tolist())
        for one, row in zip(block.labels, block.values, strict=True):
            assert one not in seen
            seen[one] = {
                int(instant): float(value)
                for instant, value in zip(block.timestamps, row, strict=True)
                if instant > complete_from_ms and not np.isnan(value)
            }
    wanted = {
        one: {instant: value for instant, value in samples.items() if instant > complete_from_ms}
        for one, samples in model.items()
    }
    assert {one: samples for one, samples in seen.items() if samples} == {
        one: samples for one, samples in wanted.items() if samples
    }

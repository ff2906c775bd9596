"""What is read again and what is not, and that it is the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.promql.engine import Engine
from opsconsole.promql.memory import MemorySource
from opsconsole.promql.small import NotSmall
from opsconsole.promql.source import Mark
from opsconsole.series.block import STALE, Block
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher, Operator
from opsconsole.storage.changes import Changes
from opsconsole.storage.shelf import Shelf

STEP_MS = 15_000
LAST_MS = 1_764_000_000_000 // 900_000 * 900_000 + 300_000
FIRST_MS = LAST_MS - 5 * 3_600_000
NAMED = (Matcher("__name__", Operator.EQUAL, "m"),)


class Store(MemorySource):
    """Five hours of three targets; says what is read."""

    def __init__(self, seed: int = 1) -> None:
        random = np.random.default_rng(seed)
        blocks = []
        for number in range(3):
            timestamps = np.arange(FIRST_MS + number * 1000, LAST_MS, STEP_MS, dtype=np.int64)
            values = np.cumsum(random.integers(0, 5, (4, timestamps.size)), axis=1).astype(float)
            values[1, timestamps.size // 2 :] -= values[1, timestamps.size // 2]  # restarted
            values[2, random.random(timestamps.size) < 0.01] = np.nan
            values[3, -200:] = STALE
            labels = [Labels.of(__name__="m", job="j", instance=str(number), row=str(row)) for row in range(4)]
            blocks.append(Block(labels, timestamps, values))
        super().__init__(blocks)
        self.read: list[tuple[int, int]] = []
        self.changes = Changes()

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        self.read.append((start_ms, end_ms))
        return super().select(matchers, start_ms, end_ms)

    def mark(self) -> Mark:
        return (self.changes.mark(),)

    def changed_since(self, mark: Mark) -> int:
        return self.changes.since(*mark)


class Through:
    """A shelf over all of a store."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int):
        return self.shelf.select(matchers, start_ms, end_ms, LAST_MS)


def test_a_question_nearby_is_answered_from_what_was_read_for_the_last_one():
    store = Store()
    shelf = Shelf(store, store)
    end_ms = LAST_MS - 3_600_000
    first = shelf.select(NAMED, end_ms - 300_000, end_ms, LAST_MS)
    again = shelf.select(NAMED, end_ms - 200_000, end_ms + STEP_MS, LAST_MS)
    assert len(store.read) == 1
    assert first[0].labels is again[0].labels, "what was derived from the labels is found again"
    start_ms, end_ms = store.read[0]
    assert (start_ms % 900_000, end_ms % 900_000) == (0, 0)
    shelf.select(NAMED, end_ms - 1000, end_ms + 1, LAST_MS)
    assert len(store.read) == 2


def test_what_was_read_is_at_hand_until_it_changes():
    store = Store()
    shelf = Shelf(store, store)
    asked = (NAMED, LAST_MS - 3_900_000, LAST_MS - 3_600_000)
    with pytest.raises(NotSmall):
        shelf.at_hand(*asked)
    found = shelf.select(*asked, LAST_MS)
    assert [stack.labels for stack in shelf.at_hand(*asked)] == [stack.labels for stack in found]
    store.changes.note(LAST_MS - 3_700_000)
    with pytest.raises(NotSmall):
        shelf.at_hand(*asked)
    assert len(store.read) == 1


def test_nothing_is_read_that_may_not_all_be_there_yet():
    store = Store()
    shelf = Shelf(store, store)
    until_ms = LAST_MS - 7_000
    shelf.select(NAMED, until_ms - 60_000, until_ms - 1000, until_ms)
    assert store.read[-1][1] == until_ms


def test_a_sample_that_comes_late_is_seen():
    store = Store()
    shelf = Shelf(store, store)
    asked = (NAMED, LAST_MS - 3_900_000, LAST_MS - 3_600_000, LAST_MS)
    shelf.select(*asked)
    store.changes.note(LAST_MS - 60_000)
    shelf.select(*asked)
    assert len(store.read) == 1, "what came later changes nothing"
    late = Labels.of(__name__="m", job="j", instance="0", row="late")
    store.add(Block([late], np.array([LAST_MS - 3_700_000]), np.array([[7.0]])))
    store.changes.note(LAST_MS - 3_700_000)
    assert late in {labels for stack in shelf.select(*asked) for labels in stack.labels}


def test_what_was_not_asked_for_lately_makes_room_and_what_is_too_large_is_not_kept():
    store = Store()
    shelf = Shelf(store, store, memory_bytes=100_000)
    one, two = ((Matcher("instance", Operator.EQUAL, number),) for number in "01")
    asked = (LAST_MS - 3_700_000, LAST_MS - 3_600_000, LAST_MS)
    for question in (one, two, one, two):
        shelf.select(question, *asked)
        assert 0 < shelf.memory_bytes <= 100_000
    reads = len(store.read)
    nothing = Shelf(store, store, memory_bytes=0)
    for _ in range(2):
        nothing.select(one, *asked)
    assert (nothing.memory_bytes, len(store.read)) == (0, reads + 2)
    shelf.select(one, LAST_MS - 3 * 3_600_000, LAST_MS, LAST_MS)
    assert store.read[-1] == (LAST_MS - 3 * 3_600_000, LAST_MS), "a long range is read as it is asked for"


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    asked=st.lists(st.tuples(st.integers(0, 1200), st.sampled_from([0, 1, 3, 20, 240])), min_size=1, max_size=4),
    query=st.sampled_from(
        ["m", "rate(m[2m])", "sum by (row) (rate(m[5m]))", "max_over_time(m[10m])", 'count(m{row="3"}) by (job)']
    ),
)
def test_whatever_was_read_before_the_answer_is_that_of_the_store(seed, asked, query):
    store = Store(seed)
    plain, shelved = Engine(store), Engine(Through(Shelf(store, store)))
    for back, steps in asked:
        end_ms = LAST_MS - back * STEP_MS
        one, other = (each.range(query, end_ms - steps * STEP_MS, end_ms, STEP_MS) for each in (plain, shelved))
        assert list(one.labels) == list(other.labels)
        np.testing.assert_array_equal(one.present, other.present)
        np.testing.assert_allclose(one.values[one.present], other.values[other.present], rtol=1e-9, equal_nan=True)

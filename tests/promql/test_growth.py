"""Growth of counters, in groups and alone, against the increase of each series from its own samples."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.promql import growth, rates
from opsconsole.promql.plan import Grouping
from opsconsole.promql.windows import latest, over
from opsconsole.series.block import NAN_SAMPLE, STALE, Block
from opsconsole.series.labels import Labels, LabelSets
from opsconsole.series.stack import BEFORE, NEVER, Stack
from opsconsole.storage.head import Head

SECOND = 1000
STEP = 15 * SECOND
COLUMNS = 30


def cells(kind: str, random: np.random.Generator) -> np.ndarray:
    values = np.cumsum(random.integers(0, 30, COLUMNS)).astype(float)
    match kind:
        case "old":
            values += 10_000
        case "restarted":
            begin = int(random.integers(1, COLUMNS))
            values[begin:] -= values[begin] - random.integers(0, 3)
        case "negative":
            values -= random.integers(1, 300)
        case "fractions":
            values = values * 0.1
        case "gauge":
            values = random.integers(-5, 50, COLUMNS).astype(float)
        case "infinite":
            values[random.integers(COLUMNS)] = random.choice([np.inf, -np.inf])
        case "nan":
            values[random.integers(COLUMNS)] = NAN_SAMPLE
        case "gaps":
            values[random.random(COLUMNS) < 0.3] = np.nan
        case "ended":
            values[random.integers(COLUMNS) :] = STALE
        case "zero":
            values[:] = 0
    return values


KINDS = ("young", "old", "restarted", "negative", "fractions", "gauge", "infinite", "nan", "gaps", "ended", "zero")


def stack_of(kinds: list[list[str]], seed: int) -> Stack:
    """A clock for each list; they begin and end at different columns."""
    random = np.random.default_rng(seed)
    clocks = np.empty((len(kinds), COLUMNS), dtype=np.int64)
    rows, labels, clock = [], [], []
    for number, of_clock in enumerate(kinds):
        times = np.arange(COLUMNS) * STEP + random.integers(1, STEP - 1) + random.integers(0, 90, COLUMNS)
        first, last = random.integers(0, 6), COLUMNS - random.integers(0, 6)
        clocks[number] = np.where(np.arange(COLUMNS) < first, BEFORE, np.where(np.arange(COLUMNS) < last, times, NEVER))
        for row, kind in enumerate(of_clock):
            values = cells(kind, random)
            values[:first], values[last:] = np.nan, 0.0
            rows.append(values)
            labels.append(Labels.of(__name__="x_total", clock=str(number), row=str(row), group=str(row % 3)))
            clock.append(number)
    return _stack(labels, clocks, clock, rows)


def _stack(labels: list[Labels], clocks: np.ndarray, clock: list[int], rows: list[np.ndarray]) -> Stack:

    return Stack(LabelSets(labels), clocks, np.array(clock), np.array(rows), np.arange(len(rows)))


@settings(max_examples=150, deadline=None)
@given(
    kinds=st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=8), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
    step=st.sampled_from([7, 15, 30, 61]),
    window=st.sampled_from([20, 60, 150, 600]),
    start=st.integers(-200, 700),
    steps=st.integers(1, 40),
)
def test_counters_grow_together_as_much_as_each_of_them(kinds, seed, step, window, start, steps) -> None:
    stack = stack_of(kinds, seed)
    ends = (start + np.arange(steps, dtype=np.int64) * step) * SECOND
    with np.errstate(all="ignore"):
        values, present = over(stack, ends, window * SECOND, rates.increase)
        asked = growth.Windowing(ends, window * SECOND, 1.0, lambda: None)
        each, there = growth.each(stack, asked)
        grouping = Grouping(frozenset({"group"}))
        sums = growth.summed([stack], grouping, asked)
        np.testing.assert_array_equal(there, present)
        np.testing.assert_allclose(each[present], values[present], rtol=1e-9, atol=1e-9)
        asked = growth.Windowing(ends[-1:], window * SECOND, 1.0, lambda: None)
        newest, there = growth.each(stack, asked)
        np.testing.assert_array_equal(there, present[:, -1:])
        np.testing.assert_allclose(newest[there], values[:, -1:][there], rtol=1e-9, atol=1e-9)
        for group, labels in enumerate(sums.labels):
            mine = [row for row, one in enumerate(stack.labels) if one.keep(("group",)) == labels]
            np.testing.assert_array_equal(sums.counts[group], present[mine].sum(axis=0))
            expected = np.where(present[mine], values[mine], 0.0).sum(axis=0)
            np.testing.assert_allclose(sums.values[group], expected, rtol=1e-9, atol=1e-7)


def test_groups_are_told_apart_anew_when_another_stack_changes() -> None:
    """The second stack stays the same object of labels while a group appears in the first and shifts all numbers."""

    def of(*groups: str) -> Stack:
        labels = [Labels.of(__name__="x_total", group=group, row=str(row)) for row, group in enumerate(groups)]
        rows = [1000.0 * (1 + row) * np.arange(COLUMNS) + 1e6 for row in range(len(groups))]
        return Stack.of(Block(labels, np.arange(COLUMNS, dtype=np.int64) * STEP, np.array(rows)))

    asked = growth.Windowing(np.arange(10, 20, dtype=np.int64) * STEP, 5 * STEP, 1.0, lambda: None)
    grouping, second = Grouping(frozenset({"group"})), of("c", "c")
    for first in (of("a", "a"), of("a", "b")):
        sums = growth.summed([first, second], grouping, asked)
        found = {labels.get("group"): sums.counts[row, 0] for row, labels in enumerate(sums.labels)}
        assert found["c"] == 2
        assert found["a"] + found.get("b", 0) == 2
        each = growth.each(second, asked)[0].sum(axis=0)
        row = [labels.get("group") for labels in sums.labels].index("c")
        np.testing.assert_allclose(sums.values[row], each)


def test_the_same_question_gives_the_same_labels() -> None:
    stack = stack_of([["old", "old"]], 1)
    asked = growth.Windowing(np.arange(10, 20, dtype=np.int64) * STEP, 5 * STEP, 1.0, lambda: None)
    first, second = (growth.summed([stack], Grouping(frozenset({"group"})), asked) for _ in range(2))
    assert first.labels is second.labels


def test_what_was_ended_stays_ended_where_nothing_newer_is_known() -> None:
    """A failed scrape ended all; the next one brought only one of them back."""
    labels = [Labels.of(__name__="x", row=row) for row in "ab"]
    block = Block(labels, np.array([10, 30], dtype=np.int64), np.array([[1.0, 2.0], [5.0, np.nan]]))
    stack = Stack.of(block)
    ended = Stack(stack.labels, stack.clocks, stack.clock, stack.cells, stack.rows, {0: np.array([20])})
    at = np.array([15, 25, 35], dtype=np.int64)
    assert latest(stack, at, 100)[1].tolist() == [[True, True, True], [True, True, True]]
    assert latest(ended, at, 100)[1].tolist() == [[True, False, True], [True, False, False]]


def test_an_empty_window_behind_a_gap_takes_nothing_from_it() -> None:
    head, target = Head(), Labels.of(job="j", instance="i")
    both = [Labels.of(target, __name__="x_total", row=row) for row in "ab"]
    for column in range(COLUMNS):
        labels = both if column < COLUMNS - 1 else both[:1]
        head.append(target, (column + 1) * STEP, labels, np.full(len(labels), 1e6 + column))
    (stack,) = head.select((), 0, COLUMNS * STEP)
    ends = (COLUMNS + np.arange(7, 12, dtype=np.int64)) * STEP
    with np.errstate(all="ignore"):
        sums = growth.summed([stack], Grouping(), growth.Windowing(ends, 5 * STEP, 1.0, lambda: None))
    assert (sums.counts == 0).all()
    assert (sums.values == 0).all()

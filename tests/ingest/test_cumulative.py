from __future__ import annotations

import numpy as np
import pytest

from opsconsole.ingest.cumulative import Accumulator, OutOfOrder


def nothing() -> None:
    return None


def test_deltas_add_up_and_a_repeated_one_counts_once() -> None:
    sums: Accumulator[float] = Accumulator()
    assert [sums.add("a", 2.0, at, 0, nothing) for at in (10, 20, 20, 30)] == [2, 4, 4, 6]
    with pytest.raises(OutOfOrder):
        sums.add("a", 2.0, 25, 0, nothing)
    assert sums.add("b", 1.0, 5, 0, nothing) == 1


def test_a_sum_goes_on_where_the_store_says_it_was() -> None:
    sums: Accumulator[np.ndarray] = Accumulator()
    before = np.array([5.0, 7.0])
    assert sums.add("a", np.array([1.0, 1.0]), 20, 0, lambda: (before, 10)).tolist() == [6, 8]
    assert sums.add("b", np.array([1.0, 1.0]), 10, 0, lambda: (before, 10)).tolist() == [5, 7]
    with pytest.raises(OutOfOrder):
        sums.add("c", np.array([1.0, 1.0]), 9, 0, lambda: (before, 10))


def test_it_is_bounded_and_forgets_what_nobody_adds_to() -> None:
    sums: Accumulator[float] = Accumulator(most=3, idle_ms=1000)
    for number in range(10):
        sums.add(number, 1.0, 1, 0, nothing)
    assert len(sums) == 3
    sums.add("new", 1.0, 1, 2000, nothing)
    assert len(sums) == 1

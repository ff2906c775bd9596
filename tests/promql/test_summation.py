"""Sums are exact where it matters: against ``math.fsum``."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.promql.summation import PrefixSums, grouped_sums

NUMBERS = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([1e100, -1e100, 1e16, -1e16, 0.1, 1e-20, -0.3]), st.integers(-9, 9).map(float)
)


@given(st.lists(NUMBERS, min_size=1, max_size=40), st.data())
def test_a_group_is_summed_without_losing_small_numbers(numbers: list[float], data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(numbers)))
    groups = [numbers[:cut], numbers[cut:]] if cut < len(numbers) else [numbers]
    starts = np.array([0, cut][: len(groups)])
    sums = grouped_sums(np.array(numbers)[:, np.newaxis], starts)[:, 0]
    for got, group in zip(sums, groups, strict=True):
        _assert_close(got, group)


@given(st.lists(NUMBERS, min_size=1, max_size=40), st.data())
def test_any_window_is_summed_without_losing_small_numbers(numbers: list[float], data: st.DataObject) -> None:
    lo = data.draw(st.integers(0, len(numbers)))
    hi = data.draw(st.integers(lo, len(numbers)))
    sums = PrefixSums(np.array([numbers])).sums(np.array([[lo]]), np.array([[hi]]))
    _assert_close(sums[0, 0], numbers[lo:hi], numbers)


def _assert_close(got: float, numbers: list[float], among: list[float] | None = None) -> None:
    """As close as twice the digits of a double allow."""
    noise = 1e-28 * math.fsum(map(abs, among or numbers))
    assert math.isclose(got, math.fsum(numbers), rel_tol=1e-9, abs_tol=noise)


def test_infinities_stay_in_their_windows() -> None:
    row = np.array([[1.0, np.inf, 2.0, -np.inf, 3.0, np.nan, 4.0]])
    lo = np.array([[0, 0, 1, 2, 2, 4, 4, 6]])
    hi = np.array([[1, 2, 4, 3, 4, 5, 6, 7]])
    np.testing.assert_array_equal(PrefixSums(row).sums(lo, hi), [[1.0, np.inf, np.nan, 2.0, -np.inf, 3.0, np.nan, 4.0]])


def test_a_mean_of_huge_numbers_does_not_overflow() -> None:
    row = np.array([[1.7e308, 1.7e308, 1.7e308]])
    whole = np.array([[0]]), np.array([[3]])
    np.testing.assert_allclose(PrefixSums(row).means(*whole), [[1.7e308]])
    with np.errstate(over="ignore"):
        assert PrefixSums(row).sums(*whole)[0, 0] == np.inf

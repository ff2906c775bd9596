from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.ingest.exponential import MOST_BUCKETS, Exponential


def histogram_of(observations: list[float], scale: int) -> Exponential:
    """Sorted into buckets one by one, by the definition."""
    sides: list[dict[int, int]] = [{}, {}]
    zero = 0
    for one in observations:
        if one == 0:
            zero += 1
            continue
        index = math.ceil(math.log2(abs(one)) * 2**scale) - 1
        side = sides[one < 0]
        side[index] = side.get(index, 0) + 1
    sent = []
    for side in sides:
        low, high = (min(side), max(side)) if side else (0, -1)
        sent.append((low, [side.get(index, 0) for index in range(low, high + 1)]))
    return Exponential.read(scale, zero, 0.0, *sent)


@given(
    observations=st.lists(
        st.floats(-1e6, 1e6).filter(lambda one: one == 0 or abs(one) > 1e-6), min_size=1, max_size=60
    ),
    scale=st.integers(-3, 5),
)
def test_every_bound_counts_what_is_not_above_it(observations: list[float], scale: int) -> None:
    bounds, counts = histogram_of(observations, scale).classic()
    assert list(bounds) == sorted(set(bounds))
    assert len(bounds) <= 2 * (MOST_BUCKETS + 1) + 1
    for bound, count in zip(bounds, counts, strict=True):
        near = [one for one in observations if math.isclose(one, bound, rel_tol=1e-9)]
        exact = sum(one <= bound for one in observations)
        assert abs(count - exact) <= len(near)  # on a bound, logarithm and power need not agree to the last bit
    assert not bounds or counts[-1] == len(observations)


def test_a_coarser_one_is_added_at_its_scale() -> None:
    fine, coarse = histogram_of([1.5, 3.0], 2), histogram_of([1.5, 100.0, 0.0], 0)
    bounds, counts = (fine + coarse).classic()
    assert dict(zip(bounds, counts, strict=True)) == {0: 1, 1: 1, 2: 3, 4: 4, 8: 4, 16: 4, 32: 4, 64: 4, 128: 5}


def test_a_wide_range_loses_resolution_and_no_observation() -> None:
    bounds, counts = histogram_of([1e-6, 1.0, 1e6], 5).classic()
    assert len(bounds) <= MOST_BUCKETS + 1
    assert counts[-1] == 3
    assert set(np.log2(bounds) * 2**2 % 1) == {0.0}


@pytest.mark.parametrize(
    ("scale", "counts", "message"), [(21, [1], "scale 21"), (-11, [1], "scale -11"), (0, [1] * 5000, "4,096 buckets")]
)
def test_what_no_sender_means_is_refused(scale: int, counts: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Exponential.read(scale, 0, 0.0, (0, counts), (0, []))


def test_bounds_past_all_numbers_become_infinite_and_zero() -> None:
    assert Exponential.read(0, 0, 0.0, (5000, [1]), (0, [])).classic() == ((), ())
    assert Exponential.read(0, 0, 0.0, (-5000, [1]), (0, [])).classic() == ((0.0,), (1.0,))

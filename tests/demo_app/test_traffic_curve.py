from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo_app.traffic.curve import BUSY, DAY_S, QUIET, requests_per_second


@given(t_s=st.floats(0, 1e7), seed=st.integers())
def test_the_rate_never_leaves_its_bounds(t_s: float, seed: int) -> None:
    assert QUIET <= requests_per_second(t_s, seed=seed) <= BUSY


@given(t_s=st.floats(0, 1e5), seed=st.integers())
def test_the_same_moment_has_the_same_rate(t_s: float, seed: int) -> None:
    assert requests_per_second(t_s, seed=seed) == requests_per_second(t_s, seed=seed)


def test_the_day_has_a_peak_in_its_first_half_and_a_night_in_its_second() -> None:
    day = [requests_per_second(t) for t in range(int(DAY_S))]
    half = len(day) // 2
    assert min(day[60 : half - 60]) > max(day[half + 60 : -60])
    assert max(day) > 0.8 * BUSY
    assert min(day) < 1.2 * QUIET


def test_noise_differs_by_seed_and_has_no_jumps() -> None:
    assert requests_per_second(100, seed=1) != requests_per_second(100, seed=2)
    rates = [requests_per_second(t / 10) for t in range(6000)]
    assert max(abs(after - before) for before, after in pairwise(rates)) < 0.5


def test_one_day_is_like_the_next() -> None:
    one = sum(requests_per_second(t) for t in range(int(DAY_S)))
    next_one = sum(requests_per_second(DAY_S + t) for t in range(int(DAY_S)))
    assert one == pytest.approx(next_one, rel=0.03)

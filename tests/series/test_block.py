from __future__ import annotations

import numpy as np

from opsconsole.series.block import NAN_SAMPLE, STALE, is_sample, is_stale


def test_a_sample_may_be_nan_and_every_other_nan_is_none() -> None:
    values = np.array([[1.0, np.nan, NAN_SAMPLE, float("nan"), np.inf, -np.float64("nan")]])
    assert is_sample(values).tolist() == [[True, False, True, False, True, False]]


def test_only_the_marker_ends_a_series() -> None:
    assert is_stale(np.array([[1.0, np.nan, NAN_SAMPLE, STALE]])).tolist() == [[False, False, False, True]]
    assert not is_sample(np.array([STALE])).any()


def test_a_nan_sample_survives_slices_and_copies() -> None:
    values = np.full((4, 6), np.nan)
    values[1, 2] = NAN_SAMPLE
    assert np.argwhere(is_sample(values[:, ::2])).tolist() == [[1, 1]]
    assert np.argwhere(is_sample(values[[1, 3]][:, [2, 4]])).tolist() == [[0, 0]]

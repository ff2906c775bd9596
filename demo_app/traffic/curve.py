"""How many requests a second the shop gets at a time of its day."""

from __future__ import annotations

import math
import random

DAY_S = 600.0
"""A day of the demo lasts ten minutes, so that one sitting shows a night and a peak."""

QUIET, BUSY = 8.0, 25.0
"""Requests a second: never fewer, never more."""

_NOISE_STEP_S = 4.0


def requests_per_second(t_s: float, *, seed: int = 0) -> float:
    """Return the wanted rate ``t_s`` seconds after the start; the same ``t_s`` and ``seed`` give the same rate.

    A day begins in the morning: a slow wave of one day, a small one of a third of it for the midday and evening peaks, and
    noise that wanders within a tenth.  Peaks are shorter than nights.  The result lies in [``QUIET``, ``BUSY``].
    """
    turn = 2 * math.pi * t_s / DAY_S
    wave = 0.5 + 0.4 * math.sin(turn) + 0.1 * math.sin(3 * turn)
    wave += 0.1 * _noise(t_s / _NOISE_STEP_S, seed)
    return QUIET + (BUSY - QUIET) * math.pow(min(max(wave, 0.0), 1.0), 1.5)


def _noise(x: float, seed: int) -> float:
    """Value noise in [-1, 1]: a random value at each whole ``x``, a smooth way between them."""
    left = math.floor(x)
    share = x - left
    share = share * share * (3 - 2 * share)
    return _value(left, seed) * (1 - share) + _value(left + 1, seed) * share


def _value(step: int, seed: int) -> float:
    return random.Random(f"{seed}:{step}").uniform(-1, 1)  # noqa: S311  noise, not a secret

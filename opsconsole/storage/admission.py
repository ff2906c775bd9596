"""Which pushed samples are taken: in what order they may come, and what becomes of those that came before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from opsconsole.ingest.push import Refused
from opsconsole.series.block import Mask, Timestamps, Values, is_sample, is_stale

Numbers = NDArray[np.int64]
Verdicts = NDArray[np.int8]


class Verdict(IntEnum):
    TAKEN = 0
    LATE = 1  # taken, though older than the newest of its series
    REPEATED = 2  # the sample is here already
    OUT_OF_ORDER = 3
    DUPLICATE = 4  # here already with another value
    TOO_OLD = 5
    FUTURE = 6


@dataclass(frozen=True, slots=True)
class PushLimits:
    """What bounds the store.

    ``late_ms``: how much older than the newest of its series a sample may be.  ``future_ms``: how far the clock of a
    sender may go ahead.  ``kept_ms``: what is older would be deleted at once.  ``sheet_series`` bounds what has to move
    when a sheet grows.  The others are those of the head.
    """

    window_ms: int = 7_200_000
    late_ms: int = 600_000
    future_ms: int = 600_000
    kept_ms: int = 30 * 86_400_000
    columns: int = 7_200
    memory_bytes: int = 192 << 20
    total_series: int = 200_000
    sheet_series: int = 16_384


@dataclass(frozen=True, slots=True)
class Bounds:
    """In Unix milliseconds: the oldest and the newest instant that is taken, and the oldest for a late sample."""

    oldest_ms: int
    newest_ms: int
    latest_ms: int  # a late sample must be newer than this, and newer than its series' newest minus ``late_ms``
    late_ms: int


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds: the newest instant (-1 for none) and value of each series by number, and any cell."""

    newest_ms: Timestamps
    newest: Values
    cells: Callable[[Numbers, Timestamps], Values]


@dataclass(frozen=True, slots=True)
class Judged:
    """What of several pushes is taken, as columns: sample i is of series ``numbers[i]``; and what each push is told."""

    numbers: Numbers
    timestamps: Timestamps
    values: Values
    refused: Sequence[Refused]
    repeated: int
    late: int


def judge(numbers: Numbers, timestamps: Timestamps, values: Values, known: Known, bounds: Bounds) -> Verdicts:
    """int8[N]: the verdict on sample i of series ``numbers[i]``.

    Samples of one series that arrive together may come in any order; of those at one instant the first one counts.
    """
    order = np.lexsort((timestamps, numbers))
    number, instant, value = numbers[order], timestamps[order], values[order]
    verdicts = np.full(len(order), Verdict.TAKEN, dtype=np.int8)

    newest_ms = known.newest_ms[number]
    held = np.full(len(order), np.nan)
    at_newest = instant == newest_ms
    held[at_newest] = known.newest[number[at_newest]]
    late = instant < newest_ms
    if late.any():
        held[late] = known.cells(number[late], instant[late])
        in_time = instant > np.maximum(bounds.latest_ms, newest_ms - bounds.late_ms)
        verdicts[late] = np.where(in_time[late], Verdict.LATE, Verdict.OUT_OF_ORDER)

    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = (number[1:] == number[:-1]) & (instant[1:] == instant[:-1])
    if again.any():
        first = np.maximum.accumulate(np.where(again, 0, np.arange(len(order))))
        unheld = again & ~_something(held) & (verdicts[first] <= Verdict.LATE)
        held[unheld] = value[first[unheld]]

    here = _something(held)
    verdicts[here] = np.where(_same(held[here], value[here]), Verdict.REPEATED, Verdict.DUPLICATE)
    verdicts[instant < bounds.oldest_ms] = Verdict.TOO_OLD
    verdicts[instant > bounds.newest_ms] = Verdict.FUTURE
    judged = np.empty_like(verdicts)
    judged[order] = verdicts
    return judged


def _something(values: Values) -> Mask:
    return is_sample(values) | is_stale(values)


def _same(one: Values, other: Values) -> Mask:
    same: Mask = (one == other) | (one.view(np.int64) == other.view(np.int64))
    return same

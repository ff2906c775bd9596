"""Range functions over rollups: what five minutes of a series came to stands for the samples in them.

Windows that begin and end where buckets do hold whole buckets, so counts, sums and extremes of samples are those of
buckets, and a counter's increase is what it grew by from the first sample to the last one, plus what falls hid: within
buckets (``lost``) and from one to the next.  Nothing is estimated: answers are those of the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.labels import METRIC_NAME, Labels, LabelSets, quote
from opsconsole.series.matcher import Operator
from opsconsole.series.stack import Index, Stack

from . import overtime, rates, windows
from .limits import Budget
from .plan import Expr, Range, Selector
from .reach import Reach
from .select import fetch
from .source import BUCKET_MS, Buckets, Column, RollupSource
from .summation import PrefixSums
from .vector import Vector
from .windows import RangeFunction, Windows, cells

if TYPE_CHECKING:
    from .evaluate import Evaluation

_LONG_MS = 86_400_000
_NEEDS = (
    "they need start, step and window in multiples of 5m, and rate, increase, delta, or count, sum, avg, min, max, first, "
    "last or present _over_time"
)


def over(evaluation: Evaluation, node: Expr, function: RangeFunction) -> Vector | None:
    """``function`` over the windows of a range vector; None where it has to see the samples."""
    asked = _asked(evaluation, node)
    if asked is None:
        return None
    rolled = _ROLLED.get(function)
    stretches = asked.stretches(fits=rolled is not None)
    if rolled is None or not stretches:
        return None
    grid = asked.grid(stretches, rolled.columns)
    if not all(np.isfinite(grid.columns[column]).all() for column in rolled.finite):
        return None
    values, present = rolled.compute(grid)
    return asked.answer(Vector(grid.labels, values, present))


def latest(evaluation: Evaluation, node: Selector) -> Vector | None:
    """The newest sample within the lookback, where that is as long as a bucket; None where samples have to be seen."""
    asked = _asked(evaluation, node)
    if asked is None:
        return None
    stretches = asked.stretches(fits=asked.window_ms == BUCKET_MS)
    if not stretches:
        return None
    grid = asked.grid(stretches, (Column.LAST, Column.ALIVE))
    newest, alive = (cells(grid.columns[column], grid.hi - 1) for column in (Column.LAST, Column.ALIVE))
    return asked.answer(Vector(grid.labels, newest, alive > 0))


def answers(evaluation: Evaluation, node: Range) -> bool:
    """Whether ``over`` would look at rollups, for one of the functions that can be told from them."""
    asked = _asked(evaluation, node)
    return asked is not None and bool(asked.stretches(fits=True))


def _asked(evaluation: Evaluation, node: Expr) -> _Asked | None:
    """None for short ranges, and where nothing is rolled."""
    if isinstance(node, Range):
        selector, window_ms = node.selector, node.window_ms
    elif isinstance(node, Selector):
        selector, window_ms = node, evaluation.lookback_ms
    else:
        return None
    steps = evaluation.steps
    if int(steps[-1] - steps[0]) + window_ms <= _LONG_MS or not isinstance(evaluation.source, RollupSource):
        return None
    return _Asked(evaluation, evaluation.source, selector, evaluation.shifted(selector), window_ms)


@dataclass(frozen=True, slots=True)
class _Grid:
    """N buckets of S series, side by side.  ``columns``: float64[S, N] each.

    ``lo``, ``hi``: intp[1, T], the buckets ``lo:hi`` are window t.  ``starts_ms``, ``ends_ms``: int64[T].
    """

    labels: LabelSets
    columns: Mapping[Column, Values]
    lo: Index
    hi: Index
    starts_ms: Timestamps
    ends_ms: Timestamps

    @property
    def count(self) -> Index:
        """intp[S, T]: how many samples are in each window."""
        samples = self.columns[Column.SAMPLES]
        before = np.zeros((len(samples), samples.shape[1] + 1), dtype=np.intp)
        np.cumsum(samples, axis=1, dtype=np.intp, out=before[:, 1:])
        count: Index = cells(before, self.hi) - cells(before, self.lo)
        return count

    @property
    def first(self) -> Index:
        """intp[1 or S, T]: the first bucket of each window that has a sample; any where there is none."""
        filled = self.columns[Column.SAMPLES] > 0
        if filled.all():
            return self.lo
        after = np.where(filled, np.arange(filled.shape[1]), filled.shape[1] - 1)
        return cells(np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1], self.lo)

    @property
    def last(self) -> Index:
        filled = self.columns[Column.SAMPLES] > 0
        if filled.all():
            return self.hi - 1
        return cells(_newest(filled), self.hi - 1)


def _newest(filled: Mask) -> Index:
    """intp[S, N]: the bucket with samples that is not after each; 0 where there is none."""
    newest: Index = np.maximum.accumulate(np.where(filled, np.arange(filled.shape[1]), 0), axis=1)
    return newest


def _counted(grid: _Grid) -> tuple[Values, Mask]:
    count = grid.count
    return count.astype(np.float64), count > 0


def _present(grid: _Grid) -> tuple[Values, Mask]:
    present = grid.count > 0
    return np.ones(present.shape), present


def _total(grid: _Grid) -> tuple[Values, Mask]:
    return PrefixSums(grid.columns[Column.TOTAL]).sums(grid.lo, grid.hi), grid.count > 0


def _mean(grid: _Grid) -> tuple[Values, Mask]:
    total, present = _total(grid)
    return total / grid.count, present


def _first(grid: _Grid) -> tuple[Values, Mask]:
    return cells(grid.columns[Column.FIRST], grid.first), grid.count > 0


def _last(grid: _Grid) -> tuple[Values, Mask]:
    return cells(grid.columns[Column.LAST], grid.last), grid.count > 0


def _extreme(grid: _Grid, column: Column, function: RangeFunction) -> tuple[Values, Mask]:
    """Empty buckets hold NaN, which loses against every number."""
    buckets = Windows(np.empty((1, 0), np.int64), grid.columns[column], grid.lo, grid.hi, grid.starts_ms, grid.ends_ms)
    return function(buckets)[0], grid.count > 0


def _grown(grid: _Grid, *, counter: bool, per_second: bool) -> tuple[Values, Mask]:
    """As ``rates`` computes it from samples, from the same first and last ones."""
    first, last, count = grid.first, grid.last, grid.count
    first_values = cells(grid.columns[Column.FIRST], first)
    change = cells(grid.columns[Column.LAST], last) - first_values
    if counter:
        change = change + PrefixSums(grid.columns[Column.LOST]).sums(grid.lo, grid.hi)
        change += PrefixSums(_lost_between(grid)).sums(first + 1, np.maximum(last, first) + 1)
    reach = Reach.of(
        cells(grid.columns[Column.FIRST_MS], first).astype(np.int64),
        cells(grid.columns[Column.LAST_MS], last).astype(np.int64),
        count,
        grid.starts_ms,
        grid.ends_ms,
    )
    seconds = float(grid.ends_ms[0] - grid.starts_ms[0]) / 1000 if per_second else 1.0
    values = change * (reach.factor / seconds)
    if counter:
        row, column = np.nonzero(rates.reaching_below_zero(change, first_values, reach))
        values[row, column] = rates.down_to_zero(
            change[row, column], first_values[row, column], reach.at(row, column), seconds
        )
    return values, count >= 2


def _lost_between(grid: _Grid) -> Values:
    """float64[S, N]: what a counter had before it fell from one bucket with samples to the next, at the latter."""
    filled = grid.columns[Column.SAMPLES] > 0
    lost = np.zeros(filled.shape)
    if filled.shape[1] > 1:
        newest = _newest(filled)[:, :-1]
        known = np.logical_or.accumulate(filled, axis=1)[:, :-1]
        before = np.take_along_axis(grid.columns[Column.LAST], newest, axis=1)
        fell = filled[:, 1:] & known & (grid.columns[Column.FIRST][:, 1:] < before)
        np.copyto(lost[:, 1:], before, where=fell)
    return lost


@dataclass(frozen=True, slots=True)
class _Rolled:
    """A range function over buckets, and the columns it needs of them.

    ``finite``: those that say by infinities and NaN that the answer depends on the order in which samples are added.
    """

    compute: Callable[[_Grid], tuple[Values, Mask]]
    columns: tuple[Column, ...]
    finite: tuple[Column, ...] = ()


_ENDS = (Column.SAMPLES, Column.FIRST, Column.LAST, Column.FIRST_MS, Column.LAST_MS)
_COUNTED = (Column.FIRST, Column.LAST, Column.LOST)
_ROLLED: Mapping[RangeFunction, _Rolled] = {
    rates.rate: _Rolled(partial(_grown, counter=True, per_second=True), (*_ENDS, Column.LOST), _COUNTED),
    rates.increase: _Rolled(partial(_grown, counter=True, per_second=False), (*_ENDS, Column.LOST), _COUNTED),
    rates.delta: _Rolled(partial(_grown, counter=False, per_second=False), _ENDS),
    overtime.count: _Rolled(_counted, (Column.SAMPLES,)),
    overtime.present: _Rolled(_present, (Column.SAMPLES,)),
    overtime.total: _Rolled(_total, (Column.SAMPLES, Column.TOTAL), (Column.TOTAL,)),
    overtime.mean: _Rolled(_mean, (Column.SAMPLES, Column.TOTAL), (Column.TOTAL,)),
    overtime.minimum: _Rolled(
        partial(_extreme, column=Column.LEAST, function=overtime.minimum), (Column.SAMPLES, Column.LEAST)
    ),
    overtime.maximum: _Rolled(
        partial(_extreme, column=Column.MOST, function=overtime.maximum), (Column.SAMPLES, Column.MOST)
    ),
    overtime.first: _Rolled(_first, (Column.SAMPLES, Column.FIRST)),
    overtime.last: _Rolled(_last, (Column.SAMPLES, Column.LAST)),
}
"""The functions that buckets answer as their samples would."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Windows over a selector, that end at ``ends_ms`` int64[T]."""

    evaluation: Evaluation
    source: RollupSource
    node: Selector
    ends_ms: Timestamps
    window_ms: int

    def stretches(self, *, fits: bool) -> Sequence[tuple[int, int]]:
        """Where the range is rolled; none where it is short, or where its windows are cut otherwise than the buckets.

        ``fits``: whether buckets could answer at all.  Warns where only rollups are kept of what was asked for, in vain.
        """
        start_ms, end_ms = self._bounds()
        if end_ms - start_ms <= _LONG_MS:
            return ()
        if fits and self.window_ms % BUCKET_MS == 0 and not (self.ends_ms % BUCKET_MS).any():
            return self.source.rolled(start_ms, end_ms)
        if self.source.rolled(start_ms // BUCKET_MS * BUCKET_MS, min(end_ms, self.source.sampled_from_ms)):
            self.evaluation.annotations.warn(
                f"older samples are only kept as 5-minute rollups, which cannot answer this{self._named()}; {_NEEDS}",
                self.node.position,
            )
        return ()

    def grid(self, stretches: Sequence[tuple[int, int]], columns: Sequence[Column]) -> _Grid:
        """The buckets of the whole range: as they were rolled in these stretches, from samples around them."""
        start_ms, end_ms = self._bounds()
        parts: list[tuple[int, Buckets]] = []
        reached_ms = start_ms
        for first_ms, last_ms in (*stretches, (end_ms, end_ms)):
            if reached_ms < first_ms:
                parts += ((reached_ms, buckets) for buckets in self._sampled(reached_ms, first_ms, columns))
            if first_ms < last_ms:
                parts.append((first_ms, self.source.buckets(self.node.matchers, first_ms, last_ms, columns)))
            reached_ms = last_ms
        labels, joined = _joined(
            [((at_ms - start_ms) // BUCKET_MS, buckets) for at_ms, buckets in parts],
            (end_ms - start_ms) // BUCKET_MS,
            columns,
            self.evaluation.budget,
        )
        hi = (self.ends_ms - start_ms)[np.newaxis] // BUCKET_MS
        lo = hi - self.window_ms // BUCKET_MS
        return _Grid(labels, joined, lo, hi, self.ends_ms - self.window_ms, self.ends_ms)

    def answer(self, vector: Vector) -> Vector:
        """The vector, and the remark on where it comes from."""
        if vector.labels:
            self.evaluation.annotations.info(f"answered from 5-minute rollups{self._named()}", self.node.position)
        return vector

    def _bounds(self) -> tuple[int, int]:
        return int(self.ends_ms.min()) - self.window_ms, int(self.ends_ms.max())

    def _named(self) -> str:
        matchers = self.node.matchers
        names = [each.value for each in matchers if each.name == METRIC_NAME and each.operator is Operator.EQUAL]
        return f": {quote(names[0])}" if names else ""

    def _sampled(self, start_ms: int, end_ms: int, columns: Sequence[Column]) -> Iterator[Buckets]:
        evaluation = self.evaluation
        places = np.arange(start_ms + BUCKET_MS, end_ms + 1, BUCKET_MS, dtype=np.int64)
        for stack in fetch(evaluation.source, self.node, places, BUCKET_MS, evaluation.budget):
            evaluation.budget.hold(len(stack.labels) * places.size * len(columns))
            yield _bucketed(stack, places, columns, evaluation.budget.check)


def _joined(
    parts: Sequence[tuple[int, Buckets]], width: int, columns: Sequence[Column], budget: Budget
) -> tuple[LabelSets, dict[Column, Values]]:
    """Parts that begin at some of ``width`` buckets, in one; what is in none of them is empty."""
    if len(parts) == 1 and parts[0][1].width == width:
        return parts[0][1].labels, dict(parts[0][1].columns)
    rows: dict[Labels, int] = {}
    for _, part in parts:
        for labels in part.labels:
            rows.setdefault(labels, len(rows))
    budget.hold(len(rows) * width * len(columns))
    joined = {column: np.full((len(rows), width), column.empty) for column in columns}
    for first, part in parts:
        index = np.fromiter((rows[labels] for labels in part.labels), np.intp, len(part.labels))
        for column in columns:
            joined[column][index, first : first + part.width] = part.columns[column]
    return LabelSets(rows), joined


def _bucketed(stack: Stack, ends_ms: Timestamps, columns: Sequence[Column], check: Callable[[], None]) -> Buckets:
    """The buckets that end at ``ends_ms``, from samples."""
    found: dict[Column, Values] = {}
    for column in columns:
        if column is Column.ALIVE:
            _, alive, _ = windows.latest(stack, ends_ms, BUCKET_MS)
            found[column] = alive.astype(np.float64)
            continue
        values, present = windows.over(stack, ends_ms, BUCKET_MS, _OF_SAMPLES[column], check)
        found[column] = np.where(present, values, column.empty)
    return Buckets(stack.labels, found, ends_ms.size)


def _first_ms(windows: Windows) -> tuple[Values, Mask]:
    return cells(windows.timestamps, windows.first).astype(np.float64), windows.count > 0


def _last_ms(windows: Windows) -> tuple[Values, Mask]:
    return cells(windows.timestamps, windows.last).astype(np.float64), windows.count > 0


def _lost(windows: Windows) -> tuple[Values, Mask]:
    lost = np.zeros((len(windows.values), windows.hi.shape[1]))
    rates.add_back_resets(lost, windows)
    return lost, windows.count > 0


_OF_SAMPLES: Mapping[Column, RangeFunction] = {
    Column.SAMPLES: overtime.count,
    Column.FIRST: overtime.first,
    Column.LAST: overtime.last,
    Column.FIRST_MS: _first_ms,
    Column.LAST_MS: _last_ms,
    Column.LOST: _lost,
    Column.TOTAL: overtime.total,
    Column.LEAST: overtime.minimum,
    Column.MOST: overtime.maximum,
}

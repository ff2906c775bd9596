"""How much counters grew in windows: each of them, or all of a group together.

Sums of rates by group are what dashboards ask most.  Whole numbers add up exactly, so the counters of a group are summed
first, cell by cell, and the windows are taken of the sums: as many differences as there are groups and not as there are
series.  What the sums hide is mended: falls of counters are added back, and the few windows in which a counter would have
begun below zero are computed one by one.  Series with gaps, with fractions or with many falls take the common way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values, is_sample
from opsconsole.series.labels import LabelSets
from opsconsole.series.stack import Index, Resets, Stack

from . import rates, summation, windows
from .plan import Grouping
from .reach import CLOSE
from .ticks import Ticks
from .vector import Groups

_ROWS = 512  # summed at a time: their cells stay in the processor's cache
_COMMON_SHARE = 0.5  # of series that must take the common way, from which on all do


@dataclass(frozen=True, slots=True)
class Windowing:
    """Windows of ``window_ms`` that end at ``ends_ms`` int64[T]; what counters grew in them is divided by ``seconds``.

    ``check`` is called now and then, and may raise to stop the work.
    """

    ends_ms: Timestamps
    window_ms: int
    seconds: float
    check: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Sums:
    """Of G groups: ``values`` float64[G, T], and ``counts`` float64[G, T], how many series are in each; 0 where none is."""

    labels: LabelSets
    values: Values
    counts: Values


def each(stack: Stack, asked: Windowing) -> tuple[Values, Mask]:
    """(values, present) of shape [S, T]: ``increase`` of every series, or ``rate``."""
    ticks = Ticks.of(stack, asked.ends_ms, asked.window_ms)
    if asked.ends_ms.size == 1:
        return _in_one_window(stack, ticks, asked)
    ids = np.arange(len(stack.labels))
    shape = len(ids), asked.ends_ms.size
    sums = Sums(stack.labels, np.zeros(shape), np.zeros(shape))
    # A series is added to nothing here, so fractions lose nothing.
    runs = partial(stack.labels.derive, "runs", lambda _: _Runs.of(stack.clock, ids))
    _Growth(sums, stack, ids, ticks, asked).add(runs, fractions=True)
    return sums.values, sums.counts > 0


def summed(stacks: Sequence[Stack], grouping: Grouping, asked: Windowing) -> Sums:
    """``sum by (...) (increase(...[w]))``, of series that have one metric name."""
    everything = LabelSets.joined([stack.labels for stack in stacks])
    groups = Groups.of(_nameless(everything), grouping)
    shape = len(groups.labels), asked.ends_ms.size
    sums = Sums(groups.labels, np.zeros(shape), np.zeros(shape))
    first = 0
    for stack in stacks:
        asked.check()
        ids = groups.ids[first : first + len(stack.labels)]
        first += len(stack.labels)
        ticks = Ticks.of(stack, asked.ends_ms, asked.window_ms)
        # With all labels, and not with the stack's own: the numbers of its groups depend on the stacks before it.
        runs = partial(everything.derive, ("runs", grouping, first), partial(_runs, stack.clock, ids))
        _Growth(sums, stack, ids, ticks, asked).add(runs, fractions=False)
    return sums


def _in_one_window(stack: Stack, ticks: Ticks, asked: Windowing) -> tuple[Values, Mask]:
    """As ``each`` at a single instant, where windows have nothing in common that were worth to be worked out first.

    Of a series without gaps only the first and the last sample are looked at: where it fell in between is known.
    """
    asked.check()
    traits, clock = stack.traits, stack.clock
    begin, end = ticks.first[:, 0].take(clock), ticks.last[:, 0].take(clock)
    first = stack.cells[stack.rows, begin]
    change = stack.cells[stack.rows, end]
    change -= first
    fall, lost = _falls_between(traits.resets, begin, end)
    np.add.at(change, fall, lost)
    grown = change * (ticks.factor[:, 0] / asked.seconds).take(clock)
    below = np.flatnonzero((first <= change * ticks.short_of_zero[:, 0].take(clock)) & (first >= 0) & (change > 0))
    if below.size:
        reach = ticks.reach.at(clock[below], np.zeros_like(below))
        grown[below] = rates.down_to_zero(change[below], first[below], reach, asked.seconds)
    values, present = grown[:, np.newaxis], ticks.enough[:, 0].take(clock)[:, np.newaxis]
    common = np.flatnonzero((traits.last_gap >= ticks.lo[:, 0].take(clock)) | traits.erratic)
    present[common] = False
    common = common[is_sample(stack.cells[stack.rows[common]]).sum(axis=1) >= 2]  # most of them have ended
    for part in np.split(common, range(_ROWS, common.size, _ROWS)):
        if part.size:
            asked.check()
            values[part], present[part] = rates.increase(windows.compacted(stack, ticks, part), asked.seconds)
    return values, present


def _falls_between(resets: Resets, begin: Index, end: Index) -> tuple[Index, Values]:
    """(which series fell behind the column ``begin`` and up to ``end``, intp[S] each, and what it lost)."""
    inside = (resets.column > begin.take(resets.row)) & (resets.column <= end.take(resets.row))
    return resets.row[inside], resets.lost[inside]


def one_name(stacks: Sequence[Stack]) -> bool:
    """Whether all series have the same metric name, so that they stay different without it."""
    names = {stack.labels.derive("metrics", lambda sets: frozenset(one.metric for one in sets)) for stack in stacks}
    return len(names) == 1 and all(len(of_stack) == 1 for of_stack in names)


def _nameless(labels: LabelSets) -> LabelSets:
    return labels.derive("nameless", lambda sets: LabelSets(one.without_metric() for one in sets))


@dataclass(frozen=True, slots=True)
class _Runs:
    """The series of a stack in the order of their clocks, and within a clock of their groups: run r is all series of
    one clock and one group.

    ``order``: intp[S].  ``run``: intp[S], the run of each series in that order.  ``begins``, ``clock``, ``group``: intp[R].
    ``chunks``: runs of whole clocks, of so many series that they stay in the processor's cache.
    """

    order: Index
    run: Index
    begins: Index
    clock: Index
    group: Index
    chunks: Sequence[slice]

    @classmethod
    def of(cls, clock: Index, group: Index) -> _Runs:
        order = np.lexsort((group, clock))
        clock, group = clock[order], group[order]
        begins = np.union1d(summation.begins(clock), summation.begins(group))
        run = np.repeat(np.arange(begins.size), summation.lengths(begins, order.size))
        chunks = tuple(_chunks(begins, clock[begins], order.size))
        return cls(order, run, begins, clock[begins], group[begins], chunks)

    def series(self, part: slice) -> slice:
        """Those of some runs, in their order."""
        last = self.begins[part.stop] if part.stop < self.begins.size else self.order.size
        return slice(int(self.begins[part.start]), int(last))


def _runs(clock: Index, group: Index, _labels: LabelSets) -> _Runs:
    return _Runs.of(clock, group)


@dataclass(frozen=True, slots=True)
class _Growth:
    """One stack on its way into the sums.  ``ids``: intp[S], the group of each series."""

    sums: Sums
    stack: Stack
    ids: Index
    ticks: Ticks
    asked: Windowing

    def add(self, runs: Callable[[], _Runs], *, fractions: bool) -> None:
        """``fractions`` do not matter where nothing is added up."""
        if self.ticks.ends_ms.size == 1:
            self._add_each(self.ids, *_in_one_window(self.stack, self.ticks, self.asked))
            return
        traits = self.stack.traits
        # From the first window's first column on: a window that is empty looks at the one before it, times nothing.
        common = (traits.last_gap >= self.ticks.first[self.stack.clock, 0]) | traits.erratic
        if not fractions:
            common |= ~traits.whole
        rest = np.flatnonzero(common)
        if rest.size > _COMMON_SHARE * common.size:
            self._add_rows(self.stack, self.ids)
            return
        if rest.size:
            self._add_rows(self.stack.part(rest), self.ids[rest])
        self._add_runs(runs(), common)

    def _add_rows(self, stack: Stack, ids: Index) -> None:
        """Series by series."""
        function = partial(rates.increase, seconds=self.asked.seconds)
        self._add_each(ids, *windows.over_ticks(stack, self.ticks, function, self.asked.check))

    def _add_each(self, ids: Index, values: Values, present: Mask) -> None:
        values[~present] = 0.0
        group, order, begins = _sorted(ids)
        self.sums.values[group] += summation.runs(values[order], begins)
        self.sums.counts[group] += summation.runs(present[order].astype(np.float64), begins)

    def _add_runs(self, runs: _Runs, without: Mask) -> None:
        """Run by run; the series ``without`` bool[S] are left out."""
        stack, ticks = self.stack, self.ticks
        factor = ticks.factor / self.asked.seconds
        rows, left_out = stack.rows[runs.order], without[runs.order]
        for part in runs.chunks:
            self.asked.check()
            series = runs.series(part)
            cells = stack.cells[rows[series]]
            cells[left_out[series]] = 0.0  # instead of taking them away, which would make runs of unequal length
            sums = summation.runs(cells, runs.begins[part] - series.start)
            _take(self.sums.values, sums, runs.clock[part], runs.group[part], ticks, factor)
        _count(self.sums.counts, runs, np.bincount(runs.run, ~left_out), ticks.enough)
        falls = _Falls.of(stack, without)
        falls.add_to(self.sums.values, self.ids, ticks, factor)
        kept = runs.order[np.flatnonzero(~left_out)]
        self._mend(kept, falls)

    def _mend(self, series: Index, falls: _Falls) -> None:
        """Where a counter would have begun below zero it is not extrapolated so far; that needs a series for itself.

        It can only be where a counter grew within the window by more than it had before, as often as a window has
        samples.  So of each series only the samples count that are that small against all it grew in the whole range:
        hardly any, but for counters that have just begun, and for windows that begin before all samples.
        """
        stack, ticks = self.stack, self.ticks
        clock, rows = stack.clock[series], stack.rows[series]
        begin = np.minimum(
            ticks.lo[:, 0], stack.clocks.shape[1] - 1
        )  # also where the first window ends before all samples
        before = stack.cells[rows, begin[clock]]
        lost = falls.of_series[series]
        grown = stack.cells[rows, ticks.last[clock, -1]] - before + lost
        at_begin, later = ticks.slack[np.arange(len(begin)), begin], ticks.later_slack
        anywhere = (grown > 0) & ((before <= grown * later[clock]) | (lost > 0))
        some = np.flatnonzero(anywhere)
        for chunk in np.split(some, range(_ROWS, some.size, _ROWS)):
            if chunk.size:
                self.asked.check()
                small = stack.cells[rows[chunk]] <= grown[chunk, np.newaxis] * ticks.slack[clock[chunk]]
                row, column = np.nonzero(small)
                self._mend_windows(series[chunk[row]], grown[chunk[row]], column, falls)
        # A counter only rises, so of the others the first sample alone can be small enough.
        rest = np.flatnonzero((grown > 0) & ~anywhere & (before <= grown * at_begin[clock]))
        if rest.size:
            self._mend_windows(series[rest], grown[rest], begin[clock[rest]], falls)

    def _mend_windows(self, series: Index, grown: Values, column: Index, falls: _Falls) -> None:
        """The windows that begin at the cells of ``series`` and ``column``, intp[K]."""
        stack, ticks = self.stack, self.ticks
        cell, instant = ticks.beginning(stack.clock[series], column)
        series, grown, first = series[cell], grown[cell], column[cell]
        clock = stack.clock[series]
        first_values = stack.cells[stack.rows[series], first]
        count = ticks.count[clock, instant]
        likely = (count >= 2) & (first_values * (count - 1) <= grown * CLOSE)
        series, clock, instant, first = series[likely], clock[likely], instant[likely], first[likely]
        first_values, last = first_values[likely], ticks.last[clock, instant]
        change = stack.cells[stack.rows[series], last] - first_values + falls.between(series, first, last)
        reaches = ticks.reach.at(clock, instant)
        below = rates.reaching_below_zero(change, first_values, reaches)
        reaches, change, series, instant = reaches.of_those(below), change[below], series[below], instant[below]
        unmended = change * (reaches.factor / self.asked.seconds)
        mended = rates.down_to_zero(change, first_values[below], reaches, self.asked.seconds)
        np.add.at(self.sums.values, (self.ids[series], instant), mended - unmended)


@dataclass(frozen=True, slots=True)
class _Falls:
    """The falls of some series of a stack: K cells, by series and column.

    ``place``: intp[K], ascending, the cell as one number.  ``sums``: float64[K + 1], of what was lost before each.
    ``of_series``: float64[S], all that a series lost.
    """

    stack: Stack
    resets: Resets
    place: Index
    sums: Values
    of_series: Values

    @classmethod
    def of(cls, stack: Stack, without: Mask) -> _Falls:
        """Of all series but those ``without`` bool[S]."""
        resets = stack.traits.resets
        place = resets.row * stack.cells.shape[1] + resets.column
        mine = np.flatnonzero(~without[resets.row])
        order = mine[np.argsort(place[mine])]
        resets = Resets(resets.row[order], resets.column[order], resets.lost[order])
        sums = np.concatenate(([0.0], np.cumsum(resets.lost)))
        of_series: Values = np.bincount(resets.row, resets.lost, minlength=without.size).astype(np.float64, copy=False)
        return cls(stack, resets, place[order], sums, of_series)

    def between(self, series: Index, first: Index, last: Index) -> Values:
        """What each of ``series`` lost behind the column ``first`` and up to ``last``."""
        if not self.place.size:
            return np.zeros(series.size)
        begin = series * self.stack.cells.shape[1]
        until = self.sums[np.searchsorted(self.place, begin + last, side="right")]
        lost: Values = until - self.sums[np.searchsorted(self.place, begin + first, side="right")]
        return lost

    def add_to(self, totals: Values, ids: Index, ticks: Ticks, factor: Values) -> None:
        """A counter that fell began again at zero: what it had before counts too, in every window around the fall."""
        if not self.place.size:
            return
        clock = self.stack.clock[self.resets.row]
        fall, instant = ticks.around(clock, self.resets.column)
        grown = self.resets.lost[fall] * factor[clock[fall], instant]
        np.add.at(totals, (ids[self.resets.row[fall]], instant), grown)


def _chunks(begins: Index, clock: Index, series: int) -> Iterator[slice]:
    first_run = summation.begins(clock)  # of each clock
    first_series = np.append(begins[first_run], series).tolist()
    bounds = np.append(first_run, clock.size).tolist()
    begin = 0
    for number in range(1, len(bounds)):
        if number == len(bounds) - 1 or first_series[number + 1] - first_series[begin] > _ROWS:
            yield slice(bounds[begin], bounds[number])
            begin = number


def _take(totals: Values, sums: Values, clock: Index, group: Index, ticks: Ticks, factor: Values) -> None:
    """Add to their groups what runs grew by in each window.  ``sums``: float64[R, P]."""
    if clock[0] == clock[-1]:  # each group once
        number = clock[0]
        grown = sums[:, ticks.last[number]]
        grown -= sums[:, ticks.first[number]]
        grown *= factor[number]
        totals[group] += grown
        return
    flat, begin = sums.ravel(), (np.arange(len(sums)) * sums.shape[1])[:, np.newaxis]
    grown = flat.take(begin + ticks.last[clock])
    grown -= flat.take(begin + ticks.first[clock])
    grown *= factor[clock]
    if group[0] == group[-1] and (group == group[0]).all():
        totals[group[0]] += grown.sum(axis=0)
        return
    groups, order, begins = _sorted(group)
    totals[groups] += summation.runs(grown[order], begins)


def _count(counts: Values, runs: _Runs, sizes: Index, enough: Mask) -> None:
    """Count the series of each run in its group, where the windows of its clock have samples enough."""
    always: Mask = np.logical_and.reduce(enough, axis=1)
    everywhere = np.bincount(runs.group, sizes * always[runs.clock], minlength=len(counts))
    counts += everywhere[:, np.newaxis]
    for number in np.flatnonzero(~always).tolist():
        part = slice(*np.searchsorted(runs.clock, (number, number + 1)))
        counts[runs.group[part]] += sizes[part, np.newaxis] * enough[number]


def _sorted(ids: Index) -> tuple[Index, Index, Index]:
    """(the different ids, the order that sorts all, where in that order each begins)."""
    order = np.argsort(ids, kind="stable")
    begins = summation.begins(ids[order])
    return ids[order][begins], order, begins

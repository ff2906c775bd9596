"""Sums of rates by group: the question dashboards ask most, answered without a rate for every series.

Whole numbers add up exactly, so the counters of a group are summed first, cell by cell, and the windows are taken of the
sums: as many differences as there are groups and not as there are series.  What the sums hide is mended: falls of
counters are added back, and the few windows in which a counter would have begun below zero are computed one by one.
Series with gaps, with fractions or with many falls take the common way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.labels import LabelSets
from opsconsole.series.stack import Index, Resets, Stack

from . import rates, summation, windows
from .plan import Grouping
from .reach import CLOSE
from .ticks import Ticks
from .vector import Groups, Vector

_ROWS = 512  # summed at a time: their cells stay in the processor's cache
_COMMON_SHARE = 0.5  # of series that must take the common way, from which on all do


@dataclass(frozen=True, slots=True)
class _Runs:
    """The series of a stack in the order of their clocks, and within a clock of their groups: run r is all series of
    one clock and one group.

    ``order``: intp[S].  ``run``: intp[S], the run of each series in that order.  ``clock``, ``group``: intp[R].
    """

    order: Index
    run: Index
    clock: Index
    group: Index

    @classmethod
    def of(cls, clock: Index, group: Index) -> _Runs:
        order = np.lexsort((group, clock))
        clock, group = clock[order], group[order]
        begins = np.flatnonzero((np.diff(clock, prepend=-1) != 0) | (np.diff(group, prepend=-1) != 0))
        run = np.repeat(np.arange(begins.size), summation.lengths(begins, order.size))
        return cls(order, run, clock[begins], group[begins])


@dataclass(slots=True)
class _Totals:
    """``values`` float64[G, T], ``present`` bool[G, T]."""

    values: Values
    present: Mask


def summed(
    stacks: Sequence[Stack],
    grouping: Grouping,
    ends_ms: Timestamps,
    window_ms: int,
    seconds: float,
    check: Callable[[], None],
) -> Vector:
    """``sum by (...) (increase(...[w]))``, divided by ``seconds``, over windows that end at ``ends_ms``.

    The series have one metric name.  ``check`` is called now and then, and may raise to stop the work.
    """
    everything = LabelSets.joined([stack.labels for stack in stacks])
    groups = Groups.of(_nameless(everything), grouping)
    shape = (len(groups.labels), ends_ms.size)
    totals = _Totals(np.zeros(shape), np.zeros(shape, dtype=bool))
    first = 0
    for stack in stacks:
        check()
        ids = groups.ids[first : first + len(stack.labels)]
        first += len(stack.labels)
        runs = everything.derive(("runs", grouping, first), partial(_runs, stack.clock, ids))
        _Sum(totals, stack, ids, Ticks.of(stack, ends_ms, window_ms), seconds, check).add(runs)
    return Vector(groups.labels, totals.values, totals.present)


def one_name(stacks: Sequence[Stack]) -> bool:
    """Whether all series have the same metric name, so that they stay different without it."""
    names = {stack.labels.derive("metrics", lambda sets: frozenset(one.metric for one in sets)) for stack in stacks}
    return len(names) == 1 and all(len(of_stack) == 1 for of_stack in names)


def _nameless(labels: LabelSets) -> LabelSets:
    return labels.derive("nameless", lambda sets: LabelSets(one.without_metric() for one in sets))


def _runs(clock: Index, group: Index, _labels: LabelSets) -> _Runs:
    return _Runs.of(clock, group)


@dataclass(frozen=True, slots=True)
class _Sum:
    """One stack on its way into the totals.  ``ids``: intp[S], the group of each series."""

    totals: _Totals
    stack: Stack
    ids: Index
    ticks: Ticks
    seconds: float
    check: Callable[[], None]

    def add(self, runs: _Runs) -> None:
        if self.ticks.ends_ms.size == 1:
            self._add_rows(self.stack, self.ids)
            return
        traits = self.stack.traits
        common = (traits.last_gap >= self.ticks.lo[self.stack.clock, 0]) | ~traits.whole | traits.erratic
        if not common.any():
            self._add_runs(runs, runs.order, runs.run)
            return
        if np.count_nonzero(common) > _COMMON_SHARE * common.size:
            self._add_rows(self.stack, self.ids)
            return
        rest = np.flatnonzero(common)
        self._add_rows(self.stack.part(rest), self.ids[rest])
        kept = ~common[runs.order]
        self._add_runs(runs, runs.order[kept], runs.run[kept])

    def _add_rows(self, stack: Stack, ids: Index) -> None:
        """Series by series."""
        function = partial(rates.increase, seconds=self.seconds)
        values, present = windows.over_ticks(stack, self.ticks, function, self.check)
        values[~present] = 0.0
        group, order, begins = _sorted(ids)
        self.totals.values[group] += summation.runs(values[order], begins)
        self.totals.present[group] |= np.logical_or.reduceat(present[order], begins, axis=0)

    def _add_runs(self, runs: _Runs, order: Index, run: Index) -> None:
        """Run by run: series without gaps, that hold whole numbers; ``run`` intp[S'] ascending, of the series ``order``."""
        stack, ticks = self.stack, self.ticks
        factor = ticks.factor / self.seconds
        begins = summation.begins(run)
        clock, group = runs.clock[run[begins]], runs.group[run[begins]]
        rows = stack.rows[order]
        number = np.repeat(np.arange(begins.size), summation.lengths(begins, order.size))  # of the run of each series
        falls = _Falls.of(stack.traits.resets, order, number, len(stack.labels))
        for part in _chunks(begins, clock, order.size):
            self.check()
            last = begins[part.stop] if part.stop < begins.size else order.size
            sums = summation.runs(stack.cells[rows[begins[part.start] : last]], begins[part] - begins[part.start])
            falls.add_to(sums, part)
            _take(self.totals.values, sums, clock[part], group[part], ticks, factor)
        _mark(self.totals.present, clock, group, ticks.enough)
        self._mend(order, runs.group[run], falls.by_series)

    def _mend(self, order: Index, group: Index, falls: Resets) -> None:
        """Where a counter would have begun below zero it is not extrapolated so far; that needs a series for itself.

        It can only be where a counter grew within the window by more than it had before, as often as a window has
        samples.  So of each series only the samples count that are that small against all it grew in the whole range:
        hardly any, but for counters that have just begun, and for windows that begin before all samples.
        """
        stack, ticks = self.stack, self.ticks
        clock, rows = stack.clock[order], stack.rows[order]
        begin = ticks.first[:, 0]
        before = stack.cells[rows, begin[clock]]
        lost = np.bincount(falls.row, falls.lost, minlength=len(stack.labels))[order]
        grown = stack.cells[rows, ticks.last[clock, -1]] - before + lost
        at_begin, later = ticks.slack[np.arange(len(begin)), begin], ticks.later_slack
        anywhere = (grown > 0) & ((before <= grown * later[clock]) | (lost > 0))
        some = np.flatnonzero(anywhere)
        for chunk in np.split(some, range(_ROWS, some.size, _ROWS)):
            if chunk.size:
                self.check()
                small = stack.cells[rows[chunk]] <= grown[chunk, np.newaxis] * ticks.slack[clock[chunk]]
                row, column = np.nonzero(small)
                self._mend_windows(order[chunk], group[chunk], grown[chunk], row, column, falls)
        # A counter only rises, so of the others the first sample alone can be small enough.
        rest = np.flatnonzero((grown > 0) & ~anywhere & (before <= grown * at_begin[clock]))
        if rest.size:
            self._mend_windows(
                order[rest], group[rest], grown[rest], np.arange(rest.size), begin[clock[rest]], Resets.none()
            )

    def _mend_windows(
        self, series: Index, group: Index, grown: Values, row: Index, column: Index, falls: Resets
    ) -> None:
        """The windows that begin at the cells ``row``, ``column``; rows count the ``series``."""
        stack, ticks = self.stack, self.ticks
        row, instant = ticks.beginning(stack.clock[series], row, column)
        clock = stack.clock[series[row]]
        first_values = stack.cells[stack.rows[series[row]], ticks.first[clock, instant]]
        likely = first_values * (ticks.count[clock, instant] - 1) <= grown[row] * CLOSE
        row, instant, clock, first_values = row[likely], instant[likely], clock[likely], first_values[likely]
        first, last = ticks.first[clock, instant], ticks.last[clock, instant]
        change = stack.cells[stack.rows[series[row]], last] - first_values
        place = np.full(len(stack.labels), -1, dtype=np.intp)
        place[series] = np.arange(series.size)
        fallen = place[falls.row]
        if (fallen >= 0).any():
            lost = np.zeros((series.size, stack.cells.shape[1]))
            lost[fallen[fallen >= 0], falls.column[fallen >= 0]] = falls.lost[fallen >= 0]
            sums = np.cumsum(lost, axis=1)
            change += sums[row, last] - sums[row, first]
        reaches = ticks.reach.at(clock, instant)
        below = rates.reaching_below_zero(change, first_values, reaches) & (last > first)
        reaches, change, row, instant = reaches.of_those(below), change[below], row[below], instant[below]
        unmended = change * (reaches.factor / self.seconds)
        mended = rates.down_to_zero(change, first_values[below], reaches, self.seconds)
        np.add.at(self.totals.values, (group[row], instant), mended - unmended)


@dataclass(frozen=True, slots=True)
class _Falls:
    """Falls of counters by run: K cells.  ``run``: intp[K], ascending."""

    run: Index
    column: Index
    lost: Values
    by_series: Resets

    @classmethod
    def of(cls, resets: Resets, order: Index, number: Index, series: int) -> _Falls:
        """Of the series in ``order``, each in the run ``number``."""
        run_of = np.full(series, -1, dtype=np.intp)
        run_of[order] = number
        run = run_of[resets.row]
        mine = run >= 0
        by_series = Resets(resets.row[mine], resets.column[mine], resets.lost[mine])
        run = run[mine]
        sort = np.argsort(run, kind="stable")
        return cls(run[sort], by_series.column[sort], by_series.lost[sort], by_series)

    def add_to(self, sums: Values, part: slice) -> None:
        """What was lost up to each column is added back to ``sums`` float64[runs of the part, P]."""
        first, last = np.searchsorted(self.run, (part.start, part.stop))
        if first == last:
            return
        runs, place = np.unique(self.run[first:last] - part.start, return_inverse=True)
        lost = np.zeros((runs.size, sums.shape[1]))
        np.add.at(lost, (place, self.column[first:last]), self.lost[first:last])
        sums[runs] += np.cumsum(lost, axis=1)


def _chunks(begins: Index, clock: Index, series: int) -> Iterator[slice]:
    """Runs of whole clocks, of so many series that they stay in the processor's cache."""
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


def _mark(present: Mask, clock: Index, group: Index, enough: Mask) -> None:
    """A group is present where a window of one of its clocks has samples enough."""
    always: Mask = np.logical_and.reduce(enough, axis=1)
    present[group[always[clock]]] = True
    for number in np.flatnonzero(~always):
        present[group[clock == number]] |= enough[number]


def _sorted(ids: Index) -> tuple[Index, Index, Index]:
    """(the different ids, the order that sorts all, where in that order each begins)."""
    order = np.argsort(ids, kind="stable")
    begins = summation.begins(ids[order])
    return ids[order][begins], order, begins

"""Pushed samples of the recent window in memory, beside those of the scraped targets in the head.

Series that get their samples at the same instants share a ``Sheet``, whoever sends them and in however many requests:
those of a scraped target whose samples come over several connections, the rules of one group, clients that round their
instants.  A series begins where its first instant suggests, and moves when its rhythm turns out to be another.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from opsconsole.ingest.push import Push, Refusal, Refused
from opsconsole.ingest.roster import Member, Roster
from opsconsole.promql.small import NotSmall
from opsconsole.promql.source import SampleSource
from opsconsole.series.block import Block, Timestamps, Values, is_sample, is_stale
from opsconsole.series.labels import Labels, LabelSets
from opsconsole.series.matcher import Matcher

from .admission import Bounds, Judged, Known, Numbers, PushLimits, Verdict, judge
from .changes import Changes
from .layout import Layout
from .sheet import Rows, Sheet, View, rows_of
from .table import Table
from .timeline import recent, target_of

_TRIM_EVERY_MS = 30_000
_IDLE_MS = 600_000  # a series without a sample in the window is remembered this long
_FEWEST_COLUMNS = 16
_QUESTIONS = 1024
_SCRAPED = "the console scrapes this series itself; do not push it"
_WORDS = {
    Verdict.OUT_OF_ORDER: (Refusal.OUT_OF_ORDER, "out of order sample"),
    Verdict.DUPLICATE: (Refusal.DUPLICATE, "duplicate sample for timestamp"),
    Verdict.TOO_OLD: (Refusal.TOO_OLD, "out of bounds: older than what is kept"),
    Verdict.FUTURE: (Refusal.FUTURE, "out of bounds: too far in the future"),
}


@dataclass(frozen=True, slots=True)
class PushedState:
    """The store in numbers.  ``repeated``: samples that were here already; ``late``: taken out of order."""

    series: int
    sheets: int
    memory_bytes: int
    complete_from_ms: int
    repeated: int
    late: int
    refused: Mapping[Refusal, int]


class PushedStore:
    """One thread judges and publishes; any thread reads, and never waits: it sees what was published when it asked."""

    def __init__(
        self,
        limits: PushLimits | None = None,
        *,
        targets: Collection[Labels] = (),
        scraped: Callable[[Labels], bool] = lambda _labels: False,
    ) -> None:
        """``targets``: whom the console scrapes.  ``scraped(labels)``: whether it has a series of theirs from there, so that
        it is not to be pushed.
        """
        self.roster = Roster()
        self._limits = limits or PushLimits()
        self._targets = frozenset(targets)
        self._scraped = scraped
        self._writing = threading.Lock()
        self._table = Table()
        self._sheets: dict[int, Sheet] = {}
        self._of_target: dict[Labels, list[int]] = {}
        self._next_sheet = 0
        self._views: tuple[View, ...] = ()
        self._answers: dict[tuple[Matcher, ...], dict[Layout, tuple[Rows, LabelSets] | None]] = {}
        self._complete_from_ms = 0
        self._trimmed_ms = 0
        self._counts: Counter[Refusal] = Counter()
        self._repeated = self._late = 0
        self.changes = Changes()

    def judge(self, pushes: Sequence[Push], now_ms: int) -> Judged:
        """Decide what of ``pushes`` is taken, as if they came one after the other.  Changes nothing a reader sees."""
        with self._writing:
            members = [member for push in pushes for member in push.members]
            refused = [Refused(push.refused.counts.copy(), push.refused.example) for push in pushes]
            owner = np.repeat(np.arange(len(pushes)), [push.samples for push in pushes])
            timestamps = np.concatenate([push.timestamps for push in pushes])
            values = np.concatenate([push.values for push in pushes])
            numbers = np.fromiter((member.number for member in members), dtype=np.int64, count=len(members))
            for position in np.flatnonzero(numbers < 0).tolist():
                number, reason, words = self._number(members[position])
                numbers[position] = number
                if number < 0:
                    refused[owner[position]].add(reason, f"{words}: {members[position].labels}")
            there = numbers >= 0
            there[there] = ~self._table.scraped[numbers[there]]
            for position in np.flatnonzero(~there & (numbers >= 0)).tolist():
                refused[owner[position]].add(Refusal.SCRAPED, f"{_SCRAPED}: {members[position].labels}")
            if not there.all():
                owner, numbers, timestamps, values = owner[there], numbers[there], timestamps[there], values[there]
            self._table.touched_ms[numbers] = now_ms
            known = Known(self._table.newest_ms, self._table.newest, self._cells)
            verdicts = judge(numbers, timestamps, values, known, self._bounds(now_ms))
            for verdict, (reason, words) in _WORDS.items():
                wrong = np.flatnonzero(verdicts == verdict)
                whose, first, samples = np.unique(owner[wrong], return_index=True, return_counts=True)
                for push, position, count in zip(whose, wrong[first], samples, strict=True):
                    labels = self._table.labels(int(numbers[position]))
                    refused[push].add(reason, f"{words} {timestamps[position]} of {labels}", int(count))
            taken = verdicts <= Verdict.LATE
            return Judged(
                numbers[taken],
                timestamps[taken],
                values[taken],
                refused,
                repeated=int((verdicts == Verdict.REPEATED).sum()),
                late=int((verdicts == Verdict.LATE).sum()),
            )

    def members(self, numbers: Numbers) -> Sequence[Member]:
        """Those of ``Judged.numbers``."""
        members = self._table.members
        return [member for number in numbers.tolist() if (member := members[number]) is not None]

    def publish(self, judged: Judged, now_ms: int) -> None:
        """Let readers see what was judged, now that it is stored, and count it."""
        with self._writing:
            table = self._table
            self._complete_from_ms = max(self._complete_from_ms, now_ms - self._limits.window_ms)
            order = np.lexsort((judged.timestamps, judged.numbers))
            numbers, timestamps, values = judged.numbers[order], judged.timestamps[order], judged.values[order]
            newer = timestamps > table.newest_ms[numbers]
            table.newest_ms[numbers[newer]] = timestamps[newer]  # of one series the last one stays: its newest
            table.newest[numbers[newer]] = values[newer]
            inside = timestamps > self._complete_from_ms
            self._write(numbers[inside], timestamps[inside], values[inside])
            for refused in judged.refused:
                self._counts.update(refused.counts)
            self._repeated += judged.repeated
            self._late += judged.late
            self._trim(now_ms)
            self._views = tuple(sheet.view for sheet in self._sheets.values())
            if timestamps.size:
                self.changes.note(int(timestamps.min()))

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """``SampleSource`` over what is in memory alone."""
        return self.snapshot(matchers, start_ms, end_ms)[0]

    def snapshot(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> tuple[Sequence[Block], int]:
        """The blocks in (start_ms, end_ms], and the instant after which they are complete.

        A block's ``labels`` is the same object for the same matchers until the sheet's series change.
        """
        views, complete_from_ms = self._views, self._complete_from_ms
        wanted = tuple(matchers)
        answers = self._answers.get(wanted)
        if answers is None:
            answers = self._answers[wanted] = {}
        bounds = np.array((start_ms, end_ms), dtype=np.int64)
        blocks = []
        for view in views:
            layout = view.layout
            try:
                picked = answers[layout]
            except KeyError:
                picked = answers[layout] = rows_of(layout, wanted)
            if picked is None:
                continue
            first, last = view.timestamps.searchsorted(bounds, "right").tolist()
            if first < last:
                rows, labels = picked
                blocks.append(Block(labels, view.timestamps[first:last], view.values[rows, first:last]))
        return blocks, complete_from_ms

    def at_hand(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Block]:
        """What ``snapshot`` finds, when the store is complete and ``matchers`` were asked for before; raises ``NotSmall``."""
        views, answers = self._views, self._answers.get(tuple(matchers), {})
        if start_ms < self._complete_from_ms or not all(view.layout in answers for view in views):
            raise NotSmall("the samples are not at hand")
        return self.snapshot(matchers, start_ms, end_ms)[0]

    def newest(self, member: Member) -> tuple[int, float] | None:
        """The newest instant and value of a series, None when nothing is known of it."""
        with self._writing:
            number = member.number
            if number < 0 or self._table.newest_ms[number] < 0:
                return None
            return int(self._table.newest_ms[number]), float(self._table.newest[number])

    def load(self, samples: SampleSource, now_ms: int) -> None:
        """Fill an empty store with the window before ``now_ms`` of the series that were pushed."""
        blocks, start_ms = recent(samples, now_ms, self._limits.window_ms, self._limits.memory_bytes // 2)
        with self._writing:
            for block in blocks:
                room = self._limits.total_series - self._table.series
                self._load(block if len(block.labels) <= room else Block(
                    block.labels[:room], block.timestamps, block.values[:room]), now_ms)  # fmt: skip
            self._complete_from_ms = max(self._complete_from_ms, start_ms)
            self._views = tuple(sheet.view for sheet in self._sheets.values())
            self.changes.note(start_ms)

    @property
    def state(self) -> PushedState:
        with self._writing:
            return PushedState(
                series=self._table.series,
                sheets=len(self._sheets),
                memory_bytes=self._memory(),
                complete_from_ms=self._complete_from_ms,
                repeated=self._repeated,
                late=self._late,
                refused=dict(self._counts),
            )

    def _load(self, block: Block, now_ms: int) -> None:
        if not block.labels:
            return
        numbers = np.empty(len(block.labels), dtype=np.int64)
        for row, labels in enumerate(block.labels):
            member = self.roster.member(labels)
            self._table.add(member)
            numbers[row] = member.number
            self._table.near_scraped[member.number] = target_of(labels) in self._targets
        known = is_sample(block.values) | is_stale(block.values)
        last = known.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
        self._table.newest_ms[numbers] = np.where(known.any(axis=1), block.timestamps[last], -1)
        self._table.newest[numbers] = block.values[np.arange(len(last)), last]
        self._table.touched_ms[numbers] = now_ms
        self._settle(self._open(Sheet.of(numbers, block), target_of(block.labels[0])))

    def _number(self, member: Member) -> tuple[int, Refusal, str]:
        """The number of ``member``, a new one while there is room; -1 and why not."""
        real = self.roster.adopt(member)
        if real.number < 0:
            near_scraped = target_of(real.labels) in self._targets
            if near_scraped and self._scraped(real.labels):
                return -1, Refusal.SCRAPED, _SCRAPED
            if self._table.series >= self._limits.total_series:
                most = self._limits.total_series
                return -1, Refusal.TOTAL_SERIES, f"more than {most:,} pushed series in {_hours(self._limits.window_ms)}"
            self._table.add(real)
            self._table.near_scraped[real.number] = near_scraped
        return real.number, Refusal.TOTAL_SERIES, ""

    def _bounds(self, now_ms: int) -> Bounds:
        return Bounds(
            oldest_ms=now_ms - self._limits.kept_ms,
            newest_ms=now_ms + self._limits.future_ms,
            latest_ms=max(self._complete_from_ms, now_ms - self._limits.window_ms),
            late_ms=self._limits.late_ms,
        )

    def _cells(self, numbers: Numbers, timestamps: Timestamps) -> Values:
        found = np.full(len(numbers), np.nan)
        sheets = self._table.sheet[numbers]
        for which in np.unique(sheets[sheets >= 0]).tolist():
            mine = np.flatnonzero(sheets == which)
            found[mine] = self._sheets[which].cells(self._table.row[numbers[mine]], timestamps[mine])
        return found

    def _write(self, numbers: Numbers, timestamps: Timestamps, values: Values) -> None:
        """Into the sheets; samples sorted by series and instant."""
        homeless = self._table.sheet[numbers] < 0
        if not homeless.all():  # first, so that new series find the new instants of old ones
            self._fill(numbers[~homeless], timestamps[~homeless], values[~homeless])
        if homeless.any():
            numbers, timestamps, values = numbers[homeless], timestamps[homeless], values[homeless]
            fresh, first = np.unique(numbers, return_index=True)
            self._house(fresh, timestamps[first])
            self._fill(numbers, timestamps, values)

    def _fill(self, numbers: Numbers, timestamps: Timestamps, values: Values) -> None:
        sheets = self._table.sheet[numbers]
        order = np.argsort(sheets, kind="stable")
        which, starts = np.unique(sheets[order], return_index=True)
        for sheet, mine in zip(which.tolist(), np.split(order, starts[1:]), strict=True):
            self._sheets[sheet].write(self._table.row[numbers[mine]], timestamps[mine], values[mine])

    def _house(self, numbers: Numbers, first_ms: Timestamps) -> None:
        """Give each series a row: in a sheet of its target or, failing that, of anybody, that has its first instant."""
        together: dict[tuple[Labels, int], list[int]] = {}
        for number, instant in zip(numbers.tolist(), first_ms.tolist(), strict=True):
            together.setdefault((target_of(self._table.labels(number)), instant), []).append(number)
        newest = {sheet.newest_ms: which for which, sheet in self._sheets.items()}
        for (target, instant), group in together.items():
            rest = group
            while rest:
                which = self._home(target, instant, newest)
                if which is None:
                    which = self._open(Sheet(), target)
                    newest[instant] = which
                sheet = self._sheets[which]
                room = self._limits.sheet_series - sheet.series
                mine, rest = np.array(rest[:room], dtype=np.int64), rest[room:]
                sheet.add_rows(mine, [member.labels for member in self.members(mine)])
                self._settle(which)
                if which not in self._of_target.setdefault(target, []):
                    self._of_target[target].append(which)

    def _home(self, target: Labels, instant: int, newest: Mapping[int, int]) -> int | None:
        own = [
            which
            for which in self._of_target.get(target, ())
            if which in self._sheets and self._sheets[which].series < self._limits.sheet_series
        ]
        for which in own:
            if self._sheets[which].has(instant):
                return which
        shared = newest.get(instant)
        if shared is not None and self._sheets[shared].series < self._limits.sheet_series:
            return shared
        return next((which for which in own if instant > self._sheets[which].newest_ms), None)

    def _open(self, sheet: Sheet, target: Labels) -> int:
        which = self._next_sheet
        self._next_sheet += 1
        self._sheets[which] = sheet
        self._of_target.setdefault(target, []).append(which)
        return which

    def _settle(self, which: int) -> int:
        """Note where the rows of a sheet are."""
        numbers = self._sheets[which].numbers
        self._table.sheet[numbers] = which
        self._table.row[numbers] = np.arange(len(numbers))
        return which

    def _trim(self, now_ms: int) -> None:
        """Forget what is older than the window, and move series to sheets of their rhythm, now and then."""
        if now_ms - self._trimmed_ms >= _TRIM_EVERY_MS:
            self._trimmed_ms = now_ms
            for which in list(self._sheets):
                self._tidy(which, now_ms - self._limits.window_ms)
            table = self._table
            idle = (table.sheet < 0) & (table.touched_ms < now_ms - _IDLE_MS)
            table.remove(number for number in np.flatnonzero(idle).tolist() if number < len(table.members))
            self._find_scraped()
            self._of_target = {
                target: left
                for target, sheets in self._of_target.items()
                if (left := [which for which in sheets if which in self._sheets])
            }
            self.roster.forget_unnumbered()
            if len(self._answers) > _QUESTIONS:
                self._answers = {}
            alive = {sheet.view.layout for sheet in self._sheets.values()}
            for answers in list(self._answers.values()):
                for layout in [layout for layout in list(answers) if layout not in alive]:
                    del answers[layout]
        while self._memory() > self._limits.memory_bytes:
            largest = max(self._sheets.values(), key=lambda sheet: sheet.memory_bytes)
            if largest.columns <= _FEWEST_COLUMNS:
                break
            self._forget(largest, max(1, largest.columns // 4))
            largest.keep(np.arange(largest.series))

    def _tidy(self, which: int, horizon_ms: int) -> None:
        sheet = self._sheets[which]
        self._forget(sheet, max(sheet.older_than(horizon_ms), sheet.columns - self._limits.columns))
        gone = self._table.newest_ms[sheet.numbers] <= horizon_ms
        if gone.all():
            self._table.remove(sheet.numbers.tolist())
            del self._sheets[which]
            return
        if gone.mean() > 0.25:
            self._table.remove(sheet.numbers[gone].tolist())
            sheet.keep(np.flatnonzero(~gone))
            self._settle(which)
        apart = sheet.misfits()
        if len(apart):
            target = target_of(self._table.labels(int(sheet.numbers[apart[0]])))
            self._settle(self._open(sheet.split(apart), target))
            sheet.keep(np.setdiff1d(np.arange(sheet.series), apart))
            self._settle(which)

    def _find_scraped(self) -> None:
        """Series that are scraped by now keep their samples, but take no more."""
        for number in np.flatnonzero(self._table.near_scraped).tolist():
            self._table.scraped[number] = self._scraped(self._table.labels(number))

    def _forget(self, sheet: Sheet, columns: int) -> None:
        if columns > 0:
            # Moved before the columns go, so that no reader takes a trimmed sheet for a complete one.
            self._complete_from_ms = max(self._complete_from_ms, sheet.instant_of(columns - 1))
            sheet.drop_oldest(columns)

    def _memory(self) -> int:
        return sum(sheet.memory_bytes for sheet in self._sheets.values())


def _hours(milliseconds: int) -> str:
    return f"{milliseconds / 3_600_000:g} h"

"""What is known of every pushed series, by its number: a column a fact, so that thousands are looked up at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from opsconsole.ingest.roster import Member
from opsconsole.series.block import Mask, Timestamps, Values
from opsconsole.series.labels import Labels

from .admission import Numbers


@dataclass(slots=True)
class Table:
    """What is known of the series by number."""

    members: list[Member | None] = field(default_factory=list)
    newest_ms: Timestamps = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    newest: Values = field(default_factory=lambda: np.empty(0))
    touched_ms: Timestamps = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    sheet: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))  # -1 for none
    row: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    near_scraped: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))  # of a target that is scraped
    scraped: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    free: list[int] = field(default_factory=list)

    @property
    def series(self) -> int:
        return len(self.members) - len(self.free)

    def add(self, member: Member) -> None:
        if self.free:
            number = self.free.pop()
            self.members[number] = member
        else:
            number = len(self.members)
            self.members.append(member)
            if number == len(self.newest_ms):
                self._grow(number // 2 + 1024)
        self.newest_ms[number], self.newest[number] = -1, np.nan
        self.sheet[number] = -1
        self.near_scraped[number] = self.scraped[number] = False
        member.number = number

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            member = self.members[number]
            if member is not None:
                member.number = -1
                self.members[number] = None
                self.free.append(number)
                self.sheet[number] = -1
                self.near_scraped[number] = False

    def labels(self, number: int) -> Labels:
        member = self.members[number]
        return member.labels if member is not None else Labels()

    def _grow(self, room: int) -> None:
        for name in ("newest_ms", "newest", "touched_ms", "sheet", "row", "near_scraped", "scraped"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(room, dtype=column.dtype)]))

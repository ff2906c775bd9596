"""From which instant on samples have changed since somebody looked."""

from __future__ import annotations

import threading
from bisect import bisect_right

UNCHANGED = 1 << 62
"""Later than every sample."""

_REMEMBERED = 8192


class Changes:
    """Any thread notes and asks.

    Only the changes that no later one reaches behind are remembered: their instants ascend, so that the first one after
    a mark is the earliest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._numbers: list[int] = []
        self._instants: list[int] = []
        self._forgotten = 0  # the number of the newest change that is not remembered any more

    def note(self, timestamp_ms: int) -> None:
        """Samples at or after ``timestamp_ms`` came or went.  To be called when readers see it, not before."""
        with self._lock:
            self._count += 1
            while self._instants and self._instants[-1] >= timestamp_ms:
                self._instants.pop()
                self._numbers.pop()
            self._instants.append(timestamp_ms)
            self._numbers.append(self._count)
            if len(self._numbers) > _REMEMBERED:
                self._forgotten = self._numbers[_REMEMBERED // 2 - 1]
                del self._numbers[: _REMEMBERED // 2], self._instants[: _REMEMBERED // 2]

    def mark(self) -> int:
        """Now, for ``since``.  To be called before the samples are read."""
        return self._count

    def since(self, mark: int) -> int:
        """The earliest instant (ms) at which anything changed after ``mark``; ``UNCHANGED`` if nothing did."""
        with self._lock:
            if mark < self._forgotten:
                return 0
            position = bisect_right(self._numbers, mark)
            return self._instants[position] if position < len(self._instants) else UNCHANGED

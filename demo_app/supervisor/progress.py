"""Say what is being started, what it waits for and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import TextIO

REMIND_EVERY_S = 5.0


class Phase(StrEnum):
    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


_MARKS = {
    Phase.QUEUED: "\x1b[2m·\x1b[0m",
    Phase.STARTING: "\x1b[33m◌\x1b[0m",
    Phase.READY: "\x1b[32m●\x1b[0m",
    Phase.FAILED: "\x1b[31m◆\x1b[0m",
}


class Progress:
    """On a terminal one line a part, redrawn in place; elsewhere one plain line an event.

    Call ``tick`` a few times a second; ``clock`` gives seconds.
    """

    def __init__(self, out: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._clock = clock
        self._parts: dict[str, tuple[Phase, str, float]] = {}
        self._reminded: dict[str, float] = {}
        self._drawn = 0

    def queued(self, part: str, after: tuple[str, ...]) -> None:
        self._parts[part] = (Phase.QUEUED, f"after {', '.join(after)}" if after else "", self._clock())

    def starting(self, part: str, waits_for: str) -> None:
        self._parts[part] = (Phase.STARTING, waits_for, self._clock())
        self._reminded[part] = self._clock()
        self._line(part, f"starting, waits until {waits_for}")

    def ready(self, part: str) -> None:
        took_s = self._end(part, Phase.READY)
        self._line(part, f"ready after {took_s:.1f} s")

    def failed(self, part: str) -> None:
        took_s = self._end(part, Phase.FAILED)
        self._line(part, f"failed after {took_s:.1f} s")

    def tick(self) -> None:
        if self._terminal:
            self._draw()
            return
        for part, (phase, waits_for, since_s) in self._parts.items():
            now_s = self._clock()
            if phase is Phase.STARTING and now_s - self._reminded[part] >= REMIND_EVERY_S:
                self._reminded[part] = now_s
                self._line(part, f"still waits until {waits_for} ({now_s - since_s:.0f} s)")

    def close(self) -> None:
        """Draw a last time; what is printed later stands below."""
        self.tick()
        self._drawn = 0
        self._parts.clear()

    def _end(self, part: str, phase: Phase) -> float:
        _, waits_for, since_s = self._parts[part]
        took_s = self._clock() - since_s
        self._parts[part] = (phase, f"{took_s:.1f} s" if phase is Phase.READY else waits_for, since_s)
        return took_s

    def _line(self, part: str, text: str) -> None:
        if not self._terminal:
            print(f"{part:<14} {text}", file=self._out, flush=True)

    def _draw(self) -> None:
        lines = []
        for part, (phase, text, since_s) in self._parts.items():
            if phase is Phase.STARTING:
                text = f"waits until {text} ({self._clock() - since_s:.0f} s)"  # noqa: PLW2901
            lines.append(f"\x1b[2K {_MARKS[phase]} {part:<14} {phase:<9} {text}")
        back = f"\x1b[{self._drawn}F" if self._drawn else ""
        print(back + "\n".join(lines), file=self._out, flush=True)
        self._drawn = len(lines)

"""A board as a feed: frames of one watch, evaluated and encoded once for everybody who looks at it."""

from __future__ import annotations

import orjson

from opsconsole.operations.boards import LiveBoard, Watch
from opsconsole.operations.console import Console

from .hub import Frame


class BoardFeed:
    """The ``Feed`` of a watch.  Viewers who arrive between two steps share one snapshot."""

    def __init__(self, console: Console, watch: Watch) -> None:
        self._live = LiveBoard(console, watch)
        self._step_ms = watch.step_ms
        self._moves = watch.range.live
        self._snapshot: Frame | None = None

    def snapshot(self) -> Frame:
        if self._snapshot is None or not self._moves:
            self._snapshot = Frame(_encode(self._live.snapshot()), whole=True)
        return self._snapshot

    def due(self, at_ms: int) -> bool:
        return self._live.due_ms(at_ms) > self._live.at_ms

    def advance(self, at_ms: int) -> Frame:
        """A delta, or a snapshot when steps were missed: a column is never silently left out."""
        self._snapshot = None
        due_ms = self._live.due_ms(at_ms)
        if due_ms == self._live.at_ms + self._step_ms:
            return Frame(_encode(self._live.delta(due_ms)))
        self._snapshot = Frame(_encode(self._live.snapshot(due_ms)), whole=True)
        return self._snapshot


def _encode(frame: object) -> str:
    return orjson.dumps(frame).decode()

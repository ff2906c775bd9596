"""What can be told of a queue, whichever broker keeps it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue at one moment.  ``oldest_s``: seconds its oldest message has waited, 0 when nothing waits.

    ``unacked``: messages that workers hold.  None is what the broker cannot tell.
    """

    length: int
    oldest_s: float | None
    workers: int
    processes: int | None = 0
    unacked: int | None = 0

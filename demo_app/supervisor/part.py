"""What the supervisor is told about one part of the demo."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

Ready = Callable[[], Awaitable[bool]]
"""Ask once whether the part does its work.  A part that is not there yet answers False, it does not raise."""


class StopOrder(IntEnum):
    """Who stops first: nobody may lose what it still needs to stop in peace."""

    VISITORS = 0
    SERVICES = 1
    STORES = 2


@dataclass(frozen=True, slots=True)
class Part:
    """One process to start, and how to know that it is up.

    ``ready`` is None for a job: it is done when it has ended with exit code 0.  ``env`` is the whole environment of the
    process.  ``prepare`` runs just before the start.  ``stop_signal`` asks the process to end; SIGKILL follows if it does not.
    """

    name: str
    command: tuple[str, ...]
    waits_for: str
    ready: Ready | None
    env: Mapping[str, str]
    after: tuple[str, ...] = ()
    prepare: Callable[[], None] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_order: StopOrder = StopOrder.SERVICES
    timeout_s: float = 60.0


class PartError(Exception):
    """A part did not come up, or went away.  The message names it and the reason; the log's tail follows."""

    def __init__(self, part: str, reason: str, log_tail: str = "") -> None:
        super().__init__(f"{part}: {reason}")
        self.log_tail = log_tail

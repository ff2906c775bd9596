"""What one query may cost, and who stops it: counted before memory is taken, checked between the steps of its work.

Samples are counted as Prometheus counts them: those that are held at one time, be they read, in between or a result.  Its
sentences are kept, because dashboards and scripts know them (promql/engine.go).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from .error import PromQLError


class LimitExceeded(PromQLError):
    """The query would cost more than a query may."""


class TimedOut(PromQLError):
    """The query took longer than a query may."""


class Canceled(PromQLError):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``series``: that one selector may mean.  ``samples``: held at one time, 8 bytes each.

    ``points``: instants of a range query, less the first.  ``seconds``: from its start to its answer.
    """

    series: int = 250_000
    samples: int = 50_000_000
    points: int = 11_000
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for field in ("series", "samples", "points", "seconds"):
            if not getattr(self, field) > 0:
                raise ValueError(f"the limit of {field} of a query is {getattr(self, field)}; say a number above 0")


class Budget:
    """What is left of a query's limits.  Belongs to one query, that is one thread; ``cancelled`` may be set by any."""

    __slots__ = ("_cancelled", "_deadline", "_now", "held", "limits")

    def __init__(
        self,
        limits: Limits,
        *,
        cancelled: threading.Event | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self.held = 0  # samples
        self._cancelled = cancelled
        self._now = now
        self._deadline = now() + limits.seconds

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._deadline - self._now())

    def check(self) -> None:
        """Raises ``Canceled`` or ``TimedOut``.  Costs next to nothing: ask it before every step of the work."""
        if self._cancelled is not None and self._cancelled.is_set():
            raise Canceled("query was canceled in expression evaluation")
        if self._now() > self._deadline:
            raise TimedOut("query timed out in expression evaluation")

    def hold(self, samples: int) -> None:
        """Ask for so many more samples, before memory is taken for them.  Raises as ``check``, and ``LimitExceeded``."""
        self.check()
        self.held += samples
        if self.held > self.limits.samples:
            raise LimitExceeded(
                "query processing would load too many samples into memory in query execution "
                f"(the limit is {self.limits.samples:,}; ask for a shorter range, a longer step or fewer series)"
            )

    def settle(self, held_before: int, samples: int) -> None:
        """A step is done: of all it held since ``held_before`` only its result of so many samples is left."""
        self.held = held_before
        self.hold(samples)

    def select(self, series: int) -> None:
        """One selector means so many series.  Raises ``LimitExceeded``."""
        if series > self.limits.series:
            raise LimitExceeded(
                f"the query selects {series:,} series and may select {self.limits.series:,}; add label matchers"
            )

    @contextmanager
    def running(self) -> Iterator[Budget]:
        """The budget of everything this thread does inside, for sources that read far away; see ``current``."""
        token = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[Budget | None] = ContextVar("budget", default=None)


def current() -> Budget | None:
    """The budget of the query this thread works for.  ``SampleSource.select`` does not take one: most sources only look
    into memory, and one that asks a server passes on how much time is left.
    """
    return _CURRENT.get()

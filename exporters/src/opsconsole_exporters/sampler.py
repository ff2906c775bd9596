"""Which traces are kept unless the operator says: every one of a quiet service, so many a second of a busy one.

A fixed share is wrong for both.  One in ten hides nine of the ten requests that somebody makes to see whether it works, and
at a thousand requests a second nobody looks at a hundred traces.  Rates, errors and durations are the metrics' to tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes


class RateLimited(Sampler):
    """Keeps ``per_second`` of the traces that begin in this process, all if they are fewer; unused room lasts a second."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._room = self._most = max(per_second, 1.0) if per_second else 0.0
        self._at = clock()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        del trace_id, name, kind, links, trace_state  # the rate alone decides
        state = get_current_span(parent_context).get_span_context().trace_state
        if not self._take():
            return SamplingResult(Decision.DROP, trace_state=state)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)

    def _take(self) -> bool:
        with self._lock:
            now = self._clock()
            self._room = min(self._most, self._room + (now - self._at) * self._per_second)
            self._at = now
            if self._room < 1.0:
                return False
            self._room -= 1.0
            return True

    def get_description(self) -> str:
        return f"RateLimited{{{self._per_second:g}/s}}"


def by_rate(per_second: float) -> Sampler:
    """That of the parent; of traces that begin here, ``per_second`` a second."""
    return ParentBased(RateLimited(per_second))

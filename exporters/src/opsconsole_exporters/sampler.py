"""Which traces are kept unless the operator says: every one of a quiet service, so many a second of a busy one.

A fixed share is wrong for both.  One in ten hides nine of the ten requests that somebody makes to see whether it works, and
at a thousand requests a second nobody looks at a hundred traces.  Rates, errors and durations are the metrics' to tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

AT_ONCE = 10
"""A page and what its scripts ask for come together, and whoever looks for one of them expects to find it."""


# Most requests of a busy service get this answer, so it is made once.
_DROPPED = SamplingResult(Decision.DROP)


class RateLimited(Sampler):
    """Keeps ``per_second`` of the traces that begin in this process, all if they are fewer; of others, what the caller keeps.

    Room that was not used is kept for ``AT_ONCE`` of them, or for a second.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._room = self._most = max(per_second, AT_ONCE) if per_second else 0.0
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
        del trace_id, name, kind, links, trace_state  # the caller and the rate decide
        caller = get_current_span(parent_context).get_span_context()
        if not caller.is_valid:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes) if self._take() else _DROPPED
        if caller.trace_flags.sampled:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, caller.trace_state)
        return SamplingResult(Decision.DROP, trace_state=caller.trace_state)

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

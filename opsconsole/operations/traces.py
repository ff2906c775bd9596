"""Look for traces, and look at one."""

from __future__ import annotations

from collections.abc import Sequence

from opsconsole.traces.span import TraceQuery, TraceSummary
from opsconsole.traces.waterfall import Waterfall, waterfall

from .console import Console


def search(console: Console, query: TraceQuery) -> Sequence[TraceSummary]:
    """The traces whose root span ``query`` means, in its order."""
    return console.spans.search(query)


def one(console: Console, trace_id: str) -> Waterfall | None:
    """The trace as a waterfall; None when nothing is stored under ``trace_id``, in lower- or upper-case hex."""
    spans = console.spans.trace(trace_id.lower())
    return waterfall(spans) if spans else None


def services(console: Console, start_ms: int, end_ms: int) -> Sequence[str]:
    """Names of the services that have spans in [start_ms, end_ms)."""
    return console.spans.services(start_ms, end_ms)

"""A span, and a trace as a list shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    UNSET = "Unset"
    OK = "Ok"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Event:
    timestamp_ns: int
    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """``start_ns`` in Unix nanoseconds, ``duration_ns`` in nanoseconds; ids in lower-case hex, "" without a parent."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str  # Server, Client, Producer, Consumer, Internal
    service: str
    start_ns: int
    duration_ns: int
    status: Status
    status_message: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    resource: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One row of a list of traces: its root span and what is inside."""

    trace_id: str
    service: str
    name: str
    start_ns: int
    duration_ns: int
    status: Status
    method: str
    route: str
    status_code: int  # 0 when the root is no HTTP request
    spans: int
    errors: int


class Order(StrEnum):
    RECENT = "recent"
    SLOWEST = "slowest"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Root spans in [start_ms, end_ms) by ``order``; empty ``service`` and ``name`` mean any."""

    start_ms: int
    end_ms: int
    order: Order = Order.RECENT
    service: str = ""
    name: str = ""
    min_duration_ms: float = 0.0
    limit: int = 50

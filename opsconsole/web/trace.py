"""Traces as pages show them: what was asked, rows of a list, lanes of a waterfall."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from opsconsole.traces import waterfall
from opsconsole.traces.span import Event, Order, Span, Status, TraceQuery, TraceSummary

from .choice import Choice

TABS = ((Order.RECENT, "Recent"), (Order.SLOWEST, "Slowest"), (Order.ERRORS, "Errors"))
COLOURS = 8
WIDTH = 1000
"""Of a lane, in the units of its drawing."""

_LEAST_WIDTH = 2.5  # a span of no time is still there
_DEEPEST = 14  # deeper spans stand below each other: the name must keep its place
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|µs|ms|s|m)?")
_MS = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "": 1.0}
_SQL = ("db.query.text", "db.statement")
_SAYS_MORE = (
    "http.route",
    "url.path",
    "http.target",
    "db.operation.name",
    "db.system.name",
    "db.system",
    "messaging.destination.name",
)


@dataclass(frozen=True, slots=True)
class Tab:
    name: str
    label: str
    current: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """What the list is asked for.  ``least`` is the text of the smallest duration; ``problem`` what is wrong with it."""

    order: Order
    service: str
    name: str
    least: str
    least_ms: float
    tabs: Sequence[Tab]
    problem: str = ""

    @classmethod
    def of(cls, choice: Choice) -> Filter:
        said = choice.said
        order = Order(said["tab"]) if said.get("tab") in {each.value for each in Order} else Order.RECENT
        tabs = [Tab(each.value, label, each is order) for each, label in TABS]
        least, problem = said.get("min", "").strip(), ""
        try:
            least_ms = parse_ms(least)
        except ValueError as error:
            least_ms, problem = 0.0, str(error)
        return cls(order, said.get("service", ""), said.get("name", "").strip(), least, least_ms, tabs, problem)

    @property
    def narrows(self) -> bool:
        return bool(self.service or self.name or self.least_ms)

    def query(self, start_ms: int, end_ms: int) -> TraceQuery:
        return TraceQuery(start_ms, end_ms, self.order, self.service, self.name, self.least_ms)


@dataclass(frozen=True, slots=True)
class Row:
    """``share`` of the longest trace in the list, 0 to 100; ``at`` in Unix seconds."""

    trace_id: str
    service: str
    name: str
    at: float
    duration: str
    share: float
    status_code: int
    failed: bool
    spans: int
    errors: int


@dataclass(frozen=True, slots=True)
class Lane:
    """One span of a waterfall; ``x`` and ``width`` of 1000; ``colour`` is 1 to 8, one a service."""

    span: Span
    colour: int
    twigs: Sequence[int]
    x: float
    width: float
    duration: str
    own: str  # without the time its children ran
    offset: str
    failed: bool
    failing: bool  # it, or one below it
    orphan: bool
    more: str
    sql: str
    attributes: Sequence[tuple[str, str]]
    resource: Sequence[tuple[str, str]]
    events: Sequence[EventRow]


@dataclass(frozen=True, slots=True)
class EventRow:
    offset: str
    name: str
    text: str  # a stack trace, when it has one
    attributes: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Chart:
    trace_id: str
    title: str
    service: str
    at: float
    duration: str
    errors: int
    services: Sequence[tuple[str, int]]
    ticks: Sequence[str]
    lanes: Sequence[Lane]


def parse_ms(text: str) -> float:
    """Milliseconds of ``500ms``, ``1.5s`` or a plain number of milliseconds; 0 for "".  Raises ``ValueError``."""
    if not text:
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"min={text[:40]!r} is no duration; write it like 500ms or 1.5s")
    return float(match[1]) * _MS[match[2] or ""]


def duration_text(nanoseconds: float) -> str:
    """Three digits and a unit: 1.42 s, 312 ms, 8.1 ms, 450 µs."""
    if nanoseconds < 1e6:
        return f"{nanoseconds / 1e3:.0f} µs"
    if nanoseconds < 1e7:
        return f"{nanoseconds / 1e6:.1f} ms"
    if nanoseconds < 999.5e6:
        return f"{nanoseconds / 1e6:.0f} ms"
    if nanoseconds < 100e9:
        return f"{nanoseconds / 1e9:.2f} s"
    return f"{nanoseconds / 60e9:.1f} min"


def rows(summaries: Iterable[TraceSummary]) -> list[Row]:
    found = list(summaries)
    longest = max((each.duration_ns for each in found), default=0) or 1
    return [
        Row(
            trace_id=each.trace_id,
            service=each.service,
            name=each.name,
            at=each.start_ns / 1e9,
            duration=duration_text(each.duration_ns),
            share=max(0.5, 100 * each.duration_ns / longest),
            status_code=each.status_code,
            failed=each.status is Status.ERROR or each.status_code >= 500,
            spans=each.spans,
            errors=each.errors,
        )
        for each in found
    ]


def chart(trace: waterfall.Waterfall) -> Chart:
    colours = {service: index % COLOURS + 1 for index, service in enumerate(trace.services)}
    root = trace.rows[0].span
    return Chart(
        trace_id=trace.trace_id,
        title=root.name,
        service=root.service,
        at=trace.start_ns / 1e9,
        duration=duration_text(trace.duration_ns),
        errors=trace.errors,
        services=list(colours.items()),
        ticks=[duration_text(trace.duration_ns * part / 4) if part else "0" for part in range(4)],
        lanes=[_lane(row, colours[row.span.service], trace.start_ns) for row in trace.rows],
    )


def _lane(row: waterfall.Row, colour: int, begin_ns: int) -> Lane:
    span = row.span
    width = max(_LEAST_WIDTH, WIDTH * row.width)
    sql = next(iter(_all(span.attributes, _SQL)), "")
    return Lane(
        span=span,
        colour=colour,
        twigs=range(min(row.depth, _DEEPEST)),
        x=min(WIDTH * row.offset, WIDTH - width),
        width=width,
        duration=duration_text(span.duration_ns),
        own=duration_text(row.self_ns),
        offset=duration_text(span.start_ns - begin_ns),
        failed=row.error,
        failing=row.failing,
        orphan=row.orphan,
        more=sql or next((said for said in _all(span.attributes, _SAYS_MORE) if said not in span.name), ""),
        sql=sql,
        attributes=sorted((name, value) for name, value in span.attributes.items() if name not in _SQL),
        resource=sorted(span.resource.items()),
        events=[_event(event, begin_ns) for event in span.events],
    )


def _event(event: Event, begin_ns: int) -> EventRow:
    stack = event.attributes.get("exception.stacktrace", "")
    others = sorted((name, value) for name, value in event.attributes.items() if name != "exception.stacktrace")
    return EventRow(duration_text(max(0, event.timestamp_ns - begin_ns)), event.name, stack, others)


def _all(attributes: Mapping[str, str], names: Iterable[str]) -> list[str]:
    return [attributes[name] for name in names if attributes.get(name)]

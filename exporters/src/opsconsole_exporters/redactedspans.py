"""Spans on their way out, without what nobody may find in a log either: texts of exceptions, SQL, addresses, headers.

Searched where a batch is exported, in the thread that does it: no request pays, whoever made the span, and a span
without a secret goes on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from opsconsole_exporters.redaction import Redaction, text
from opsconsole_exporters.shield import report

Attributes = Mapping[str, Any]

# What a span that could not be searched says instead of all that it said.
UNSEARCHED = "opsconsole.redaction_failed"


class RedactedSpans(SpanExporter):
    """Gives ``exporter`` what ``redaction`` leaves of the spans."""

    def __init__(self, exporter: SpanExporter, redaction: Redaction) -> None:
        self._exporter = exporter
        self._redaction = redaction

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([self._searched(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _searched(self, span: ReadableSpan) -> ReadableSpan:
        try:
            return without_secrets(span, self._redaction)
        except Exception as error:  # noqa: BLE001 - one span must not cost its batch, nor leave as it is
            report("redaction of traces", error)
            return _Copy(
                span, name="", attributes={UNSEARCHED: type(error).__name__}, events=(), links=(), status=Status()
            )


def without_secrets(span: ReadableSpan, redaction: Redaction) -> ReadableSpan:
    """``span`` itself if there is nothing to hide, else a copy of it."""
    if not redaction.may_hide(_texts(span)):
        return span
    name = text(span.name)
    attributes = _attributes(span.attributes, redaction)
    events = [_event(event, redaction) for event in span.events]
    links = [_link(link, redaction) for link in span.links]
    status = _status(span.status)
    # Each of them is the same object if nothing in it was hidden.
    pairs: list[tuple[object, object]] = [(name, span.name), (status, span.status)]
    pairs += [*zip(events, span.events, strict=True), *zip(links, span.links, strict=True)]
    if attributes is None and all(new is old for new, old in pairs):
        return span
    kept = span.attributes or {} if attributes is None else attributes
    return _Copy(span, name=name, attributes=kept, events=events, links=links, status=status)


class _Copy(ReadableSpan):
    """Says of another span what is not given, also how much it had dropped."""

    def __init__(
        self,
        span: ReadableSpan,
        *,
        name: str,
        attributes: Attributes,
        events: Sequence[Event],
        links: Sequence[Link],
        status: Status,
    ) -> None:
        super().__init__(
            name=name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=attributes,
            events=events,
            links=links,
            kind=span.kind,
            status=status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )
        self._original = span

    @property
    def dropped_attributes(self) -> int:
        return self._original.dropped_attributes

    @property
    def dropped_events(self) -> int:
        return self._original.dropped_events

    @property
    def dropped_links(self) -> int:
        return self._original.dropped_links


def _texts(span: ReadableSpan) -> Iterator[str]:
    """Every name and every value that is no number."""
    yield span.name
    yield span.status.description or ""
    holders: tuple[ReadableSpan | Event | Link, ...] = (span, *span.events, *span.links)
    for holder in holders:
        for name, value in (holder.attributes or {}).items():
            yield name
            if isinstance(value, str):
                yield value
            elif not isinstance(value, int | float):
                yield str(value)


def _attributes(given: Attributes | None, redaction: Redaction) -> dict[str, Any] | None:
    """The attributes without secrets, or None when there was none."""
    found: dict[str, Any] | None = None
    for name, value in (given or {}).items():
        shown = redaction.field(name, value)
        if isinstance(shown, list):
            shown = tuple(shown)
        if shown != value:
            found = dict(given or {}) if found is None else found
            found[name] = shown
    return found


def _event(event: Event, redaction: Redaction) -> Event:
    attributes = _attributes(event.attributes, redaction)
    return event if attributes is None else Event(event.name, attributes, event.timestamp)


def _link(link: Link, redaction: Redaction) -> Link:
    attributes = _attributes(link.attributes, redaction)
    return link if attributes is None else Link(link.context, attributes)


def _status(status: Status) -> Status:
    description = status.description
    if description is None or (shown := text(description)) == description:
        return status
    return Status(status.status_code, shown)

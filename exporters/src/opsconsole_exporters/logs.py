"""JSON logs on standard output, one object a line, that can be found from a trace and lead to it."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

from opsconsole_exporters import requestid
from opsconsole_exporters.options import Options
from opsconsole_exporters.redaction import OURS, Redaction
from opsconsole_exporters.service import service_name

# What Django and others attach to their records and nobody may find in a log: whole requests with their query strings,
# and SQL parameters.
_PRIVATE = ("request", "params", "sock")


class ServiceFormatter(structlog.stdlib.ProcessorFormatter):
    """The formatter of ours, so that a second call can tell what the first one did."""


def configure_logging(service: str | None = None, level: str | None = None) -> None:
    """Send everything that is logged, by structlog or by the standard library, as JSON to standard output.

    Handlers that already write to the console keep their logger and level and get the new format; a console handler
    is added to the root logger only if it has none at all.  A service that has configured structlog itself keeps
    that configuration for its own structlog loggers.  Safe to call again, for loggers that appeared since.

    ``service``: the value of the key ``service``.  ``level``: for the root logger, if nobody has set handlers on it.
    """
    name = service_name(service)
    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.stdlib.filter_by_level,
                *_context(name),
                structlog.stdlib.PositionalArgumentsFormatter(),
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        )
    ours = formatter(name)
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stdout))
        root.setLevel(level or Options.read().log_level)
    for logger in (root, *_known_loggers()):
        for handler in logger.handlers:
            if _writes_to_console(handler):
                handler.setFormatter(ours)
                _move_to_stdout(handler)


def formatter(service: str) -> ServiceFormatter:
    """One JSON object for a record, without secrets."""
    return ServiceFormatter(
        foreign_pre_chain=[*_context(service), structlog.stdlib.ExtraAdder(), drop_private],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            Redacted(Redaction(Options.read().log_redact.split(","))),
            structlog.processors.JSONRenderer(),
        ],
    )


def add_trace_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add ``trace_id`` and ``span_id`` (hex) of the span that is current, if there is one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add ``request_id`` of the request that is being served, or that sent the task, if there is one."""
    if (request_id := requestid.current()) is not None:
        event.setdefault("request_id", request_id)
    return event


def drop_private(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave out what may hold a password or a token."""
    for key in _PRIVATE:
        event.pop(key, None)
    return event


class Redacted:
    """The last step before the line is written.  A line that cannot be searched for secrets is not written as it is."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        try:
            return self._redaction.fields(event)
        except Exception as error:  # noqa: BLE001 - a field's own ``repr`` may raise anything
            kept = {name: event[name] for name in ("service", *OURS) if name in event}
            return {**kept, "event": f"a log line whose fields cannot be shown: {type(error).__name__}"}


class _Service:
    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", self._name)
        return event


def _context(service: str) -> list[Processor]:
    """What every line says, whoever writes it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Service(service),
        add_trace_ids,
        add_request_id,
    ]


def _known_loggers() -> list[logging.Logger]:
    return [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]


def _streams() -> tuple[TextIO | None, ...]:
    return (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)


def _writes_to_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and any(handler.stream is stream for stream in _streams())


def _move_to_stdout(handler: logging.Handler) -> None:
    # Not sys.stdout: a Celery worker replaces it with a logger, which would then write into itself.
    if isinstance(handler, logging.StreamHandler) and handler.stream is not sys.stdout and sys.__stdout__ is not None:
        handler.setStream(sys.__stdout__)

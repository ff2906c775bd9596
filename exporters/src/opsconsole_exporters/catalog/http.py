"""HTTP requests, streams and WebSockets, under django-prometheus' names where it has one, else OpenTelemetry's."""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

# django-prometheus' own list, so that boards made for it read these series too; 0.5 s, the usual latency objective, is
# one of its bounds.
LATENCY_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 25.0, 50.0, 75.0)

# The advice of the semantic conventions for http.server.request.duration.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

# What stays open lives for seconds to hours.
OPEN_BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)

BODY_BUCKETS = tuple(float(2**power) for power in range(30))

HTTP_REQUESTS_BEFORE = Metric(
    "django_http_requests_before_middlewares_total",
    Kind.COUNTER,
    (),
    "Requests that the first middleware has seen.",
)

HTTP_RESPONSES_BEFORE = Metric(
    "django_http_responses_before_middlewares_total",
    Kind.COUNTER,
    (),
    "Responses that the first middleware has given back.",
)

HTTP_LATENCY_WHOLE = Metric(
    "django_http_requests_latency_including_middlewares_seconds",
    Kind.HISTOGRAM,
    (),
    "Seconds until the response begins, all middlewares included.",
    LATENCY_BUCKETS,
    unit="seconds",
)

HTTP_DURATION = Metric(
    "http_server_request_duration_seconds",
    Kind.HISTOGRAM,
    ("http_route", "http_request_method", "http_response_status_code"),
    "Seconds until the response begins, all middlewares included; status 499 when the client did not wait for it.",
    DURATION_BUCKETS,
    unit="seconds",
)

HTTP_ACTIVE = Metric("http_server_active_requests", Kind.GAUGE, (), "Requests being served at this moment.")

HTTP_METHODS = Metric(
    "django_http_requests_total_by_method_total", Kind.COUNTER, ("method",), "Requests by method, past all middlewares."
)

HTTP_TRANSPORTS = Metric(
    "django_http_requests_total_by_transport_total",
    Kind.COUNTER,
    ("transport",),
    "Requests by transport: http, https.",
)

HTTP_AJAX = Metric(
    "django_http_ajax_requests_total", Kind.COUNTER, (), "Requests with the header X-Requested-With: XMLHttpRequest."
)

HTTP_REQUEST_BODY = Metric(
    "django_http_requests_body_total_bytes",
    Kind.HISTOGRAM,
    (),
    "Bytes of a request's body, by its Content-Length.",
    BODY_BUCKETS,
    unit="bytes",
)

HTTP_REQUESTS = Metric(
    "django_http_requests_total_by_view_transport_method_total",
    Kind.COUNTER,
    ("view", "transport", "method"),
    "Requests that reached a view.",
)

HTTP_TEMPLATES = Metric(
    "django_http_responses_total_by_templatename_total",
    Kind.COUNTER,
    ("templatename",),
    "Template responses by the name of their template.",
)

HTTP_STATUSES = Metric("django_http_responses_total_by_status_total", Kind.COUNTER, ("status",), "Responses by status.")

HTTP_RESPONSES = Metric(
    "django_http_responses_total_by_status_view_method_total",
    Kind.COUNTER,
    ("status", "view", "method"),
    "Responses by status, view and method.",
)

HTTP_RESPONSE_BODY = Metric(
    "django_http_responses_body_total_bytes",
    Kind.HISTOGRAM,
    (),
    "Bytes of a response's body, streams left out.",
    BODY_BUCKETS,
    unit="bytes",
)

HTTP_CHARSETS = Metric(
    "django_http_responses_total_by_charset_total", Kind.COUNTER, ("charset",), "Responses by charset."
)

HTTP_LATENCY = Metric(
    "django_http_requests_latency_seconds_by_view_method",
    Kind.HISTOGRAM,
    ("view", "method"),
    "Seconds a request spent in the view and the inner middlewares.",
    LATENCY_BUCKETS,
    unit="seconds",
)

HTTP_EXCEPTIONS = Metric(
    "django_http_exceptions_total_by_type_total", Kind.COUNTER, ("type",), "Unhandled exceptions by type."
)

HTTP_VIEW_EXCEPTIONS = Metric(
    "django_http_exceptions_total_by_view_total", Kind.COUNTER, ("view",), "Unhandled exceptions by view."
)

HTTP_STREAMING = Metric("django_http_responses_streaming_total", Kind.COUNTER, (), "Streaming responses begun.")

HTTP_STREAMS_OPEN = Metric(
    "django_http_streams_open", Kind.GAUGE, ("view",), "Streaming responses being sent at this moment."
)

HTTP_STREAM_DURATION = Metric(
    "django_http_stream_duration_seconds",
    Kind.HISTOGRAM,
    ("view",),
    "Seconds from the beginning of a streaming response to its end.",
    OPEN_BUCKETS,
    unit="seconds",
)

HTTP_STREAMS_ENDED = Metric(
    "django_http_streams_ended_total",
    Kind.COUNTER,
    ("view", "outcome"),
    "Streaming responses that ended: completed, ended_early (nobody read on), failed (the body raised).",
)

WEBSOCKETS_OPEN = Metric("django_websockets_open", Kind.GAUGE, ("consumer",), "WebSocket connections open now.")

WEBSOCKETS_OPENED = Metric(
    "django_websockets_opened_total", Kind.COUNTER, ("consumer",), "WebSocket connections that were accepted."
)

WEBSOCKETS_CLOSED = Metric(
    "django_websockets_closed_total",
    Kind.COUNTER,
    ("consumer", "code_class"),
    "WebSocket connections that ended, by class of close code: normal (1000), going_away (1001), no_code (1005), "
    "abnormal (1006), protocol (other 1xxx), application (3000 and up), rejected (never accepted), failed (it raised).",
)

WEBSOCKET_MESSAGES = Metric(
    "django_websocket_messages_total",
    Kind.COUNTER,
    ("consumer", "direction"),
    "WebSocket messages by direction: received, sent.",
)

WEBSOCKET_DURATION = Metric(
    "django_websocket_connection_duration_seconds",
    Kind.HISTOGRAM,
    ("consumer",),
    "Seconds an accepted WebSocket connection stayed open.",
    OPEN_BUCKETS,
    unit="seconds",
)

LABELS = {
    "http_route": (
        "Route as the URL configuration has it (`orders/<int:number>/`), never the path: as many as the code has; empty "
        "for addresses that lead nowhere."
    ),
    "http_request_method": "One of HTTP's nine methods, or `<invalid method>` for all that a client may invent.",
    "http_response_status_code": "Status of the response: those that the code answers with; 499 if nobody waited.",
    "method": "One of HTTP's nine methods, or `<invalid method>` for all that a client may invent.",
    "transport": "`http` or `https`.",
    "view": labels.VIEW,
    "templatename": (
        "Name of the template, the first one if the view names several: as many as the code has, and "
        "`<unnamed template>` for those made of a string."
    ),
    "status": "Status of the response: those that the code answers with; 499 if nobody waited.",
    "charset": "Charset of the response, as the code sets it: hardly ever another one than `utf-8`.",
    "type": labels.EXCEPTION,
    "outcome": "`completed`, `ended_early` or `failed`.",
    "consumer": (
        "Dotted name of the consumer's class: as many as the routing has; `<no consumer>` for a "
        "connection that reached none."
    ),
    "code_class": "One of eight classes of close codes: a client may send any of thousands.",
    "direction": "`received` or `sent`.",
}

METRICS = (
    HTTP_REQUESTS_BEFORE,
    HTTP_RESPONSES_BEFORE,
    HTTP_LATENCY_WHOLE,
    HTTP_DURATION,
    HTTP_ACTIVE,
    HTTP_METHODS,
    HTTP_TRANSPORTS,
    HTTP_AJAX,
    HTTP_REQUEST_BODY,
    HTTP_REQUESTS,
    HTTP_TEMPLATES,
    HTTP_STATUSES,
    HTTP_RESPONSES,
    HTTP_RESPONSE_BODY,
    HTTP_CHARSETS,
    HTTP_LATENCY,
    HTTP_EXCEPTIONS,
    HTTP_VIEW_EXCEPTIONS,
    HTTP_STREAMING,
    HTTP_STREAMS_OPEN,
    HTTP_STREAM_DURATION,
    HTTP_STREAMS_ENDED,
    WEBSOCKETS_OPEN,
    WEBSOCKETS_OPENED,
    WEBSOCKETS_CLOSED,
    WEBSOCKET_MESSAGES,
    WEBSOCKET_DURATION,
)

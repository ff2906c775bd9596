"""The web tier: how many requests, how fast, how many fail.  Metrics of django-prometheus."""

from __future__ import annotations

from opsconsole_exporters.catalog.http import HTTP_EXCEPTIONS, HTTP_LATENCY, HTTP_REQUESTS, HTTP_RESPONSES

from .feed import Quantile, Rate, Share
from .model import Signal
from .unit import Unit

_ANY_RESPONSE = f"rate({HTTP_RESPONSES}{{$selector}}[$window])"


def _response_rate(status: str, meaning: str) -> Signal:
    """Responses of one class.  Zero, not absent, while there is other traffic: a chart tells "none" from "unknown"."""
    return Signal(
        name=f"http_response_rate_{status}",
        title=f"{status} responses",
        expr=(
            f'sum(rate({HTTP_RESPONSES}{{$selector, status=~"{status[0]}.."}}[$window])) or 0 * sum({_ANY_RESPONSE})'
        ),
        unit=Unit.REQUESTS_PER_SECOND,
        by=(),
        help=f"Responses per second that {meaning}.",
    )


def _latency(quantile: str) -> Signal:
    return Signal(
        name=f"http_latency_p{quantile}",
        title=f"P{quantile} latency",
        expr=(
            f"histogram_quantile(0.{quantile}, sum by (job, le) (rate({HTTP_LATENCY.bucket}{{$selector}}[$window])))"
        ),
        unit=Unit.SECONDS,
        by=("job",),
        help=f"{quantile} of 100 requests took at most this long in the view and the inner middlewares.",
        feed=Quantile(HTTP_LATENCY, float(f"0.{quantile}")),
    )


REQUEST_RATE = Signal(
    name="http_request_rate",
    title="Request rate",
    expr=f"sum by (job) (rate({HTTP_REQUESTS}{{$selector}}[$window]))",
    unit=Unit.REQUESTS_PER_SECOND,
    by=("job",),
    help="Requests per second that reached a view.",
    feed=Rate(HTTP_REQUESTS),
)
RESPONSE_RATE_2XX = _response_rate("2xx", "succeeded")
RESPONSE_RATE_3XX = _response_rate("3xx", "sent the client elsewhere")
RESPONSE_RATE_4XX = _response_rate("4xx", "refused what the client asked for")
RESPONSE_RATE_5XX = _response_rate("5xx", "failed on our side")

LATENCY_P50 = _latency("50")
LATENCY_P95 = _latency("95")
LATENCY_P99 = _latency("99")
LATENCY_BUCKETS = Signal(
    name="http_latency_buckets",
    title="Latency distribution",
    expr=f"sum by (le) (rate({HTTP_LATENCY.bucket}{{$selector}}[$window]))",
    unit=Unit.REQUESTS_PER_SECOND,
    by=("le",),
    help="Requests per second by how long they took: how much of the traffic is slow, not only how slow it is.",
)

ERROR_RATIO = Signal(
    name="http_error_ratio",
    title="Error share",
    expr=(
        f'(sum by (job) (rate({HTTP_RESPONSES}{{$selector, status=~"5.."}}[$window]))'
        f" or 0 * sum by (job) ({_ANY_RESPONSE}))"
        f" / (sum by (job) ({_ANY_RESPONSE}) > 0)"
    ),
    unit=Unit.RATIO,
    by=("job",),
    help="Share of responses with a 5xx status.",
    feed=Share(HTTP_RESPONSES, label="status", part="500", rest="200"),
)
EXCEPTION_RATE = Signal(
    name="http_exception_rate",
    title="Exceptions",
    expr=f"sum by (type) (rate({HTTP_EXCEPTIONS}{{$selector}}[$window]))",
    unit=Unit.EXCEPTIONS_PER_SECOND,
    by=("type",),
    help="Exceptions per second that no view handled, by type.",
)

VIEW_RATE = Signal(
    name="http_view_rate",
    title="Request rate",
    expr=f"sum by (view) (rate({HTTP_REQUESTS}{{$selector}}[$window]))",
    unit=Unit.REQUESTS_PER_SECOND,
    by=("view",),
    help="Requests per second by view.",
)
VIEW_LATENCY_P95 = Signal(
    name="http_view_latency_p95",
    title="P95 latency",
    expr=f"histogram_quantile(0.95, sum by (view, le) (rate({HTTP_LATENCY.bucket}{{$selector}}[$window])))",
    unit=Unit.SECONDS,
    by=("view",),
    help="95 of 100 requests of the view took at most this long.",
)
VIEW_TIME_SHARE = Signal(
    name="http_view_time_share",
    title="Time spent",
    expr=(
        f"sum by (view) (rate({HTTP_LATENCY.sum}{{$selector}}[$window]))"
        f" / on () group_left () (sum(rate({HTTP_LATENCY.sum}{{$selector}}[$window])) > 0)"
    ),
    unit=Unit.RATIO,
    by=("view",),
    help="Share of all time spent in views that this view took: where making it faster pays most.",
)

REQUEST_RATE_TOTAL = REQUEST_RATE.fold("sum", "Requests", "Requests per second over the chosen services.")
LATENCY_P95_WORST = LATENCY_P95.fold("max", "P95 latency", "P95 latency of the slowest of the chosen services.")
ERROR_RATIO_WORST = ERROR_RATIO.fold("max", "Errors", "Share of 5xx responses of the worst of the chosen services.")

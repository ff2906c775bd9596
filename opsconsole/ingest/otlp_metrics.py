"""OTLP metrics as Prometheus' samples.

Source: OpenTelemetry, specification/compatibility/prometheus_and_openmetrics.md, "OTLP Metric points to Prometheus".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, DataPointFlags

from opsconsole.series.block import NAN_SAMPLE, STALE
from opsconsole.series.exemplar import Exemplar
from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.metadata import Metadata

from . import otlp_json
from .cumulative import Accumulator, OutOfOrder
from .exponential import Exponential
from .limits import Malformed
from .otel_names import Kind, labels, metric_name
from .otlp import JSON, media_type, plain
from .push import Push, Refusal, Refused
from .roster import Member, Roster

Newest = Callable[[Member], tuple[int, float] | None]
Vector = NDArray[np.float64]

_NS_PER_MS = 1_000_000
_KNOWN = 100_000  # data points whose series are remembered
_MOST_BOUNDS = 4096
_IDENTITY = ("service.name", "service.namespace", "service.instance.id")  # these become job and instance
_GAUGES = (Kind.GAUGE, Kind.UP_DOWN)


@dataclass(frozen=True, slots=True)
class _Scope:
    """Who reports: the labels every series of an instrumentation scope gets."""

    own: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Metric:
    scope: _Scope
    name: str
    delta: bool


class OtlpMetricsDecoder:
    """Reads requests of many senders; any thread may.

    ``newest(member)``: the newest instant and value that is stored of a series, so that a sum of deltas goes on after a
    restart where it was.
    """

    def __init__(self, roster: Roster, newest: Newest = lambda _member: None) -> None:
        self._roster = roster
        self._newest = newest
        self._known: dict[Any, tuple[Member, ...]] = {}
        self._sums: Accumulator[Vector] = Accumulator()
        self._exponentials: Accumulator[Exponential] = Accumulator()

    def decode(self, body: bytes, content_type: str, now_ms: int) -> Push:
        """Everything in a request to ``/v1/metrics``.  Raises ``Malformed``, ``UnsupportedEncoding``."""
        if media_type(content_type) == JSON:
            request = otlp_json.read(body, ExportMetricsServiceRequest(), _json_ids)
        else:
            try:
                request = ExportMetricsServiceRequest.FromString(body)
            except DecodeError:
                raise Malformed("the body is no OTLP ExportMetricsServiceRequest; is it cut off?") from None
        return _Reading(self, now_ms).read(request)

    def members(
        self, metric: _Metric, attributes: Sequence[tuple[str, str]], series: Sequence[_Series]
    ) -> Sequence[Member]:
        """The members of a data point's series, the same ones as last time.  Raises ``ValueError``."""
        key = (metric.scope.own, metric.name, tuple(attributes), tuple(series))
        known = self._known.get(key)
        if known is None:
            named = {**labels(attributes), **dict(metric.scope.own)}
            known = tuple(
                self._roster.member(Labels.of({**named, **dict(extra), METRIC_NAME: metric.name + suffix}))
                for suffix, extra in series
            )
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[key] = known
        return known

    def sum_of(self, members: Sequence[Member], delta: Vector, time_ns: int, now_ms: int) -> Vector:
        """``delta`` added to what came before.  Raises ``OutOfOrder``."""
        return self._sums.add(tuple(members), delta, time_ns, now_ms, lambda: self._stored(members, time_ns))

    def sum_of_exponentials(self, key: Any, delta: Exponential, time_ns: int, now_ms: int) -> Exponential:
        return self._exponentials.add(key, delta, time_ns, now_ms, lambda: None)

    def _stored(self, members: Sequence[Member], time_ns: int) -> tuple[Vector, int] | None:
        found = [self._newest(member) for member in members]
        instants = {one[0] for one in found if one is not None}
        values = np.array([one[1] for one in found if one is not None])
        if None in found or len(instants) != 1 or np.isnan(values).any():
            return None
        (instant_ms,) = instants
        same = time_ns // _NS_PER_MS == instant_ms  # what is stored knows milliseconds alone
        return values, time_ns if same else instant_ms * _NS_PER_MS


_Series = tuple[str, tuple[tuple[str, str], ...]]  # what follows the metric's name, and labels beside the attributes
_BARE: tuple[_Series, ...] = (("", ()),)


class _Reading:
    """One request being read."""

    def __init__(self, decoder: OtlpMetricsDecoder, now_ms: int) -> None:
        self._decoder = decoder
        self._now_ms = now_ms
        self._members: list[Member] = []
        self._timestamps: list[int] = []
        self._values: list[float] = []
        self._exemplars: list[tuple[Labels, Exemplar]] = []
        self._metadata: dict[str, Metadata] = {}
        self._refused = Refused()

    def read(self, request: ExportMetricsServiceRequest) -> Push:
        for resource in request.resource_metrics:
            attributes = _attributes(resource.resource.attributes)
            identity = _identity(dict(attributes))
            first = len(self._timestamps)
            for scoped in resource.scope_metrics:
                scope = _Scope((*identity, *_scope_labels(scoped.scope)))
                for metric in scoped.metrics:
                    self._metric(scope, metric)
            rest = [(name, value) for name, value in attributes if name not in _IDENTITY]
            if identity and rest and len(self._timestamps) > first:
                info = _Metric(_Scope(identity), "target_info", delta=False)
                self._put(self._decoder.members(info, rest, _BARE), max(self._timestamps[first:]), [1.0])
        values = np.array(self._values, dtype=np.float64)
        odd = np.isnan(values) & (values.view(np.int64) != np.float64(STALE).view(np.int64))
        values[odd] = NAN_SAMPLE
        timestamps = np.array(self._timestamps, dtype=np.int64)
        return Push(self._members, timestamps, values, self._refused, self._exemplars, self._metadata)

    def _metric(self, scope: _Scope, metric: Any) -> None:
        form = metric.WhichOneof("data")
        if form is None:
            return
        data = getattr(metric, form)
        kind = _kind(form, data)
        name = metric_name(metric.name, metric.unit, kind)
        if not name:
            words = f"a metric named {metric.name!r}, which is no name"
            self._refused.add(Refusal.LABELS, words, len(data.data_points))
            return
        temporality = getattr(
            data, "aggregation_temporality", AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        )
        if temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_UNSPECIFIED:
            words = f"{metric.name} says no aggregation temporality; send cumulative or delta"
            self._refused.add(Refusal.UNSUPPORTED, words, len(data.data_points))
            return
        self._metadata[name] = Metadata("gauge" if kind in _GAUGES else kind.value, metric.description, metric.unit)
        one = _Metric(scope, name, temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA)
        read = {"histogram": self._histogram, "exponential_histogram": self._exponential, "summary": self._summary}
        for point in data.data_points:
            try:
                read.get(form, self._number)(one, point)
            except OutOfOrder:
                words = f"out of order delta at {point.time_unix_nano // _NS_PER_MS} of {name}"
                self._refused.add(Refusal.OUT_OF_ORDER, words)
            except ValueError as error:
                self._refused.add(Refusal.UNSUPPORTED, f"{metric.name}: {error}")

    def _number(self, metric: _Metric, point: Any) -> None:
        members = self._decoder.members(metric, _attributes(point.attributes), _BARE)
        value = float(point.as_int if point.WhichOneof("value") == "as_int" else point.as_double)
        if self._told(metric, members, point, np.array([value])):
            self._exemplify(point, lambda _value: members[0])

    def _histogram(self, metric: _Metric, point: Any) -> None:
        bounds, counts = tuple(point.explicit_bounds), list(point.bucket_counts)
        if len(bounds) > _MOST_BOUNDS:
            raise ValueError(f"more than {_MOST_BOUNDS:,} buckets")
        if counts and len(counts) != len(bounds) + 1:
            raise ValueError(f"{len(counts)} bucket counts do not go with {len(bounds)} bounds")
        if not np.isfinite(bounds).all() or (np.diff(bounds) <= 0).any():
            raise ValueError("the bounds are not finite and ascending")
        cumulative = np.cumsum(counts[:-1], dtype=np.float64) if counts else np.zeros(len(bounds))
        vector = np.concatenate([cumulative, [point.count, point.sum, point.count]])
        members = self._decoder.members(metric, _attributes(point.attributes), _bucket_series(bounds))
        if self._told(metric, members, point, vector):
            self._exemplify(point, lambda value: members[int(np.searchsorted(bounds, value))])

    def _exponential(self, metric: _Metric, point: Any) -> None:
        attributes = _attributes(point.attributes)
        if _is_stale(point):
            members = self._decoder.members(metric, attributes, _bucket_series(()))
            self._put(members, point.time_unix_nano // _NS_PER_MS, [STALE] * len(members))
            return
        positive, negative = ((side.offset, side.bucket_counts) for side in (point.positive, point.negative))
        histogram = Exponential.read(point.scale, point.zero_count, point.zero_threshold, positive, negative)
        numbers = np.array([point.sum, point.count], dtype=np.float64)
        time_ns = point.time_unix_nano
        if metric.delta:
            key = (metric.scope.own, metric.name, tuple(attributes))
            histogram = self._decoder.sum_of_exponentials(key, histogram, time_ns, self._now_ms)
            members = self._decoder.members(metric, attributes, _bucket_series(())[1:])
            numbers = self._decoder.sum_of(members, numbers, time_ns, self._now_ms)
        bounds, counts = histogram.classic()
        members = self._decoder.members(metric, attributes, _bucket_series(bounds))
        self._put(members, time_ns // _NS_PER_MS, [*counts, numbers[1], *numbers.tolist()])
        self._exemplify(point, lambda value: members[int(np.searchsorted(bounds, value))])

    def _summary(self, metric: _Metric, point: Any) -> None:
        quantiles = {_number_text(one.quantile): one.value for one in point.quantile_values}
        series: list[_Series] = [("", (("quantile", text),)) for text in quantiles]
        series += [("_sum", ()), ("_count", ())]
        members = self._decoder.members(metric, _attributes(point.attributes), series)
        self._told(metric, members, point, np.array([*quantiles.values(), point.sum, point.count], dtype=np.float64))

    def _told(self, metric: _Metric, members: Sequence[Member], point: Any, vector: Vector) -> bool:
        """Take the values of a point; whether it had any."""
        at_ms = point.time_unix_nano // _NS_PER_MS
        if _is_stale(point):
            self._put(members, at_ms, [STALE] * len(members))
            return False
        if metric.delta:
            vector = self._decoder.sum_of(members, vector, point.time_unix_nano, self._now_ms)
        self._put(members, at_ms, vector.tolist())
        return True

    def _put(self, members: Sequence[Member], timestamp_ms: int, values: Sequence[float]) -> None:
        self._members += members
        self._timestamps += [timestamp_ms] * len(members)
        self._values += values

    def _exemplify(self, point: Any, member_of: Callable[[float], Member]) -> None:
        for one in point.exemplars:
            value = float(one.as_int if one.WhichOneof("value") == "as_int" else one.as_double)
            own = labels(_attributes(one.filtered_attributes))
            if one.trace_id:
                own["trace_id"] = one.trace_id.hex()
            if one.span_id:
                own["span_id"] = one.span_id.hex()
            exemplar = Exemplar(Labels.of(own), value, one.time_unix_nano // _NS_PER_MS)
            self._exemplars.append((member_of(value).labels, exemplar))


def encode_response(content_type: str, refused: Refused) -> bytes:
    """The answer to an accepted request, in the form it came in; a partial success when samples were refused."""
    response = ExportMetricsServiceResponse()
    if refused.samples:
        response.partial_success.rejected_data_points = refused.samples
        response.partial_success.error_message = str(refused)
    if media_type(content_type) == JSON:
        return orjson.dumps(json_format.MessageToDict(response))
    encoded: bytes = response.SerializeToString()
    return encoded


def _kind(form: str, data: Any) -> Kind:
    match form:
        case "sum":
            return Kind.COUNTER if data.is_monotonic else Kind.UP_DOWN
        case "gauge":
            return Kind.GAUGE
        case "summary":
            return Kind.SUMMARY
    return Kind.HISTOGRAM


def _is_stale(point: Any) -> bool:
    return bool(point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK)


def _bucket_series(bounds: Sequence[float]) -> tuple[_Series, ...]:
    """The series of a classic histogram: its buckets, that of +Inf, the sum and the count."""
    texts = [*map(_number_text, bounds), "+Inf"]
    return (*(("_bucket", (("le", text),)) for text in texts), ("_sum", ()), ("_count", ()))


def _number_text(number: float) -> str:
    """As Prometheus writes bounds and quantiles: no exponent, no needless digit."""
    if np.isnan(number):
        return "NaN"
    if np.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return np.format_float_positional(number, trim="-")


def _attributes(pairs: Any) -> list[tuple[str, str]]:
    return [(pair.key, _text(pair.value)) for pair in pairs]


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind == "int_value":
        return str(value.int_value)
    if kind == "double_value":
        return _number_text(value.double_value)
    if kind is None:
        return ""
    found = plain(value)
    return found if isinstance(found, str) else orjson.dumps(found).decode()


def _identity(resource: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """``job`` and ``instance``, as far as the resource says who it is."""
    job = "/".join(filter(None, (resource.get("service.namespace"), resource.get("service.name"))))
    named = (("instance", resource.get("service.instance.id", "")), ("job", job if "service.name" in resource else ""))
    return tuple(pair for pair in named if pair[1])


def _scope_labels(scope: Any) -> Iterator[tuple[str, str]]:
    yield from ((f"otel_scope_{name}", value) for name, value in labels(_attributes(scope.attributes)).items())
    if scope.name:
        yield "otel_scope_name", scope.name
    if scope.version:
        yield "otel_scope_version", scope.version


def _json_ids(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in document.get("resourceMetrics", ()):
        for scoped in resource.get("scopeMetrics", ()):
            for metric in scoped.get("metrics", ()):
                for data in metric.values():
                    if isinstance(data, dict):
                        for point in data.get("dataPoints", ()):
                            yield from point.get("exemplars", ())

"""Prometheus' HTTP API: what Grafana, promtool and scripts speak.

Source: Prometheus 3, docs/querying/api.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from opsconsole import __version__
from opsconsole.operations import alerting, query
from opsconsole.operations.console import current
from opsconsole.promql.result import Matrix, Samples, Scalar
from opsconsole.records.models import ApiToken

from . import wire
from .auth import token_or_session_required
from .parameters import Parameters
from .rules import alert_as_json, groups
from .targets import target_as_json
from .wire import ErrorType

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
_HOUR_MS = 3_600_000
_TRUNCATED = "results truncated due to limit"


def _refuse(_request: HttpRequest, message: str) -> HttpResponse:
    return wire.failure(ErrorType.UNAUTHORIZED, message)


def answers(view: View[P]) -> View[P]:
    """Let in who may read, and turn what goes wrong into Prometheus' error answers."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except ValueError as error:  # parameters and queries that make no sense
            return wire.failure(ErrorType.BAD_DATA, str(error))
        except query.QueryFailed as error:
            return wire.failure(ErrorType.EXECUTION, str(error))
        except query.QueryTimeout as error:
            return wire.failure(ErrorType.TIMEOUT, str(error))
        except query.QueryCanceled as error:
            return wire.failure(ErrorType.CANCELED, str(error))
        except query.QueryUnavailable as error:
            return wire.failure(ErrorType.UNAVAILABLE, str(error))

    return token_or_session_required(ApiToken.Scope.READ, _refuse)(answer)


@require_http_methods(["GET", "POST"])
@answers
def instant_query(request: HttpRequest) -> HttpResponse:
    console, parameters = current(), Parameters(request)
    at_ms = parameters.instant_ms("time", console.clock.now_ms())
    result = query.instant(console, parameters.required("query"), at_ms, timeout_s=_timeout_s(parameters))
    if isinstance(result, Scalar):
        return wire.success(wire.scalar(at_ms, result.value))
    write = wire.matrix if isinstance(result, Samples) else wire.vector
    return wire.success(*_limited(write, result, parameters.limit()))


@require_http_methods(["GET", "POST"])
@answers
def range_query(request: HttpRequest) -> HttpResponse:
    parameters = Parameters(request)
    span = query.Span(parameters.instant_ms("start"), parameters.instant_ms("end"), parameters.duration_ms("step"))
    result = query.range_(current(), parameters.required("query"), span, timeout_s=_timeout_s(parameters))
    return wire.success(*_limited(wire.matrix, result, parameters.limit()))


@require_http_methods(["GET", "POST"])
@answers
def series(request: HttpRequest) -> HttpResponse:
    parameters = Parameters(request)
    if not parameters.texts("match[]"):
        raise ValueError("no match[] parameter provided; say which series, like match[]=up")
    found = query.series(current(), *_asked(parameters))
    return wire.success(*_cut([labels.as_dict() for labels in found], parameters.limit()))


@require_http_methods(["GET", "POST"])
@answers
def labels(request: HttpRequest) -> HttpResponse:
    parameters = Parameters(request)
    return wire.success(*_cut(query.label_names(current(), *_asked(parameters)), parameters.limit()))


@require_GET
@answers
def label_values(request: HttpRequest, name: str) -> HttpResponse:
    parameters = Parameters(request)
    return wire.success(*_cut(query.label_values(current(), name, *_asked(parameters)), parameters.limit()))


@require_GET
@answers
def targets(request: HttpRequest) -> HttpResponse:
    statuses = () if request.GET.get("state") == "dropped" else current().scraper.status
    active = [target_as_json(status) for status in statuses]
    return wire.success({"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}})


@require_GET
@answers
def rules(request: HttpRequest) -> HttpResponse:
    kind = request.GET.get("type", "alert")
    if kind not in ("alert", "record"):
        raise ValueError(f'invalid parameter "type": not supported value "{kind}"')
    console = current()
    found = alerting.rules(console) if kind == "alert" else ()
    return wire.success({"groups": groups(found, console.profile)})


@require_GET
@answers
def alerts(_request: HttpRequest) -> HttpResponse:
    found = [alert_as_json(each) for status in alerting.rules(current()) for each in status.instances.values()]
    return wire.success({"alerts": found})


@require_GET
@answers
def buildinfo(_request: HttpRequest) -> HttpResponse:
    return wire.success(
        {
            "application": "OpsConsole",
            "version": __version__,
            "revision": "",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        }
    )


@csrf_exempt
@login_not_required
def unknown(request: HttpRequest, **_: Any) -> HttpResponse:
    return wire.failure(ErrorType.NOT_FOUND, f"{request.path} is not part of this API; see /api/v1/query, query_range")


def _timeout_s(parameters: Parameters) -> float:
    most_ms = round(current().engine.limits.seconds * 1000)
    return max(parameters.duration_ms("timeout", most_ms), 1) / 1000


def _asked(parameters: Parameters) -> tuple[list[str], int, int]:
    """Selectors and times of a question about series: the last hour unless the request says when."""
    end_ms = parameters.instant_ms("end", current().clock.now_ms())
    return parameters.texts("match[]"), parameters.instant_ms("start", end_ms - _HOUR_MS), end_ms


def _limited(write: Callable[[Matrix], bytes], result: Matrix, limit: int) -> tuple[bytes, list[str]]:
    if not limit or len(result.labels) <= limit:
        return write(result), []
    first = slice(limit)
    cut = Matrix(result.labels[first], result.timestamps, result.values[first], result.present[first])
    return write(cut), [_TRUNCATED]


def _cut(found: list[Any], limit: int) -> tuple[list[Any], list[str]]:
    return (found[:limit], [_TRUNCATED]) if limit and len(found) > limit else (found, [])

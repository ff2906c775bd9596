"""Traces: the recent, the slowest, those with errors, and one in full."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from opsconsole.operations import console, traces
from opsconsole.web.choice import read
from opsconsole.web.page import page
from opsconsole.web.trace import Filter, chart, rows


@require_safe
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    running = console.current()
    choice = read(request, running.clock)
    wanted = Filter.of(choice)
    start_ms, end_ms = choice.range.resolve(running.clock.now_ms())
    context = {
        "filter": wanted,
        "choice": choice,
        "traces": rows(traces.search(running, wanted.query(start_ms, end_ms))),
        "problem": choice.problem or wanted.problem,
        "endpoint": running.public_url,
    }
    if request.headers.get("HX-Request"):
        return render(request, "web/_traces.html", context)
    services = traces.services(running, start_ms, end_ms)
    return page(
        request,
        "web/traces.html",
        "traces",
        {**context, "services": services},
        choice=choice,
        status=400 if context["problem"] else 200,
    )


@require_safe
def detail(request: HttpRequest, trace_id: str) -> HttpResponse:
    found = traces.one(console.current(), trace_id)
    if found is None:
        raise Http404("no such trace")
    return page(request, "web/trace.html", "traces", {"trace": chart(found)})

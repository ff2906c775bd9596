"""What arrives: the scrape targets and how they do, traces by OTLP, and what was refused."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from opsconsole.ingest.scrape import TargetState
from opsconsole.operations import console, ingest
from opsconsole.web.page import page


@require_safe
@vary_on_headers("HX-Request")
def overview(request: HttpRequest) -> HttpResponse:
    running = console.current()
    targets = ingest.targets(running)
    context = {
        "targets": targets,
        "down": sum(status.state is TargetState.DOWN for status in targets),
        "samples": sum(status.samples for status in targets),
        "recorded": running.recorder.state if running.recorder else None,
        "head": running.recorder.head if running.recorder else None,
        "pushes": running.receivers.intake.state if running.receivers else None,
        "pushed": running.receivers.intake.pushed if running.receivers else None,
        "spans": running.spans.state,
        "endpoint": running.public_url,
    }
    if request.headers.get("HX-Request"):
        return render(request, "web/_ingest.html", context)
    return page(request, "web/ingest.html", "ingest", context)

"""Alerts: what is wrong now, what was, how one went, and what to do about it."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from opsconsole.operations import alerting, console
from opsconsole.records.models import AlertState
from opsconsole.web import runbook as runbooks
from opsconsole.web.incident import card, pending, rule_row
from opsconsole.web.page import page

_RESOLVED = 20


@require_safe
@vary_on_headers("HX-Request")
def listing(request: HttpRequest) -> HttpResponse:
    running = console.current()
    waiting = [row for row in alerting.active() if row.state == AlertState.State.PENDING]
    context = {
        "firing": [card(each, running.alerts) for each in alerting.incidents(firing=True)],
        "pending": [pending(row, running.alerts) for row in waiting],
        "resolved": [card(each, running.alerts) for each in alerting.incidents(firing=False, limit=_RESOLVED)],
        "rules": [rule_row(status) for status in alerting.rules(running)],
    }
    if request.headers.get("HX-Request"):
        return render(request, "web/_alerts.html", context)
    return page(request, "web/alerts.html", "alerts", context)


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def detail(request: HttpRequest, incident_id: int) -> HttpResponse:
    """An incident from its first moment; a POST acknowledges it."""
    running = console.current()
    if request.method == "POST":
        return _acknowledge(request, running, incident_id)
    incident = alerting.one(incident_id)
    if incident is None:
        raise Http404("no such incident")
    alert = running.alerts.get(incident.alert)
    status = running.rules.statuses().get(incident.alert)
    context = {
        "incident": card(incident, running.alerts),
        "transitions": list(incident.transitions.all()),
        "rule": rule_row(status) if status else None,
        "runbook": runbooks.render(alert) if alert else None,
    }
    if request.headers.get("HX-Request"):
        return render(request, "web/_incident_detail.html", context)
    return page(request, "web/incident.html", "alerts", context)


@require_safe
def runbook(request: HttpRequest, name: str) -> HttpResponse:
    running = console.current()
    alert = running.alerts.get(name)
    if alert is None:
        raise Http404("no such alert")
    status = running.rules.statuses().get(name)
    context = {
        "alert": alert,
        "rule": rule_row(status) if status else None,
        "runbook": runbooks.render(alert),
        "incidents": [card(each, running.alerts) for each in alerting.incidents(alert=name, limit=10)],
    }
    return page(request, "web/runbook.html", "alerts", context)


def _acknowledge(request: HttpRequest, running: console.Console, incident_id: int) -> HttpResponse:
    if not request.user.is_authenticated:  # the middleware saw to it; this tells the type checker
        raise PermissionError("sign in to acknowledge an alert")
    first = alerting.acknowledge(incident_id, request.user, running.clock.now_ms())
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Trigger": "ops-alerts"})
    messages.success(request, "Acknowledged: you take care of it." if first else "Somebody else was first.")
    return redirect("alert", incident_id)

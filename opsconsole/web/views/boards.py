"""The boards: a page that draws itself from frames, its data for a fixed range, and its Grafana twin."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from dashboards.grafana.board import to_json
from dashboards.model import Board
from opsconsole.operations import alerting, boards, console
from opsconsole.web.choice import read
from opsconsole.web.incident import card
from opsconsole.web.page import page

_BANNERS = 3
"""More than these are said in one line: a banner each would push the charts off the screen."""


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    first = next(iter(console.current().boards))
    query = request.GET.urlencode()
    return redirect(reverse("board", args=[first]) + (f"?{query}" if query else ""))


@require_safe
@vary_on_headers("HX-Request")
def board(request: HttpRequest, name: str) -> HttpResponse:
    running = console.current()
    wanted = _board(running, name)
    cards = [card(each, running.alerts) for each in alerting.incidents(firing=True)]
    cards.sort(key=lambda each: (each.severity != "critical", each.acknowledged_at is not None))
    context = {"incidents": cards[:_BANNERS], "more_incidents": len(cards[_BANNERS:])}
    if request.headers.get("HX-Request"):
        return render(request, "web/_incidents.html", context)
    choice = read(request, running.clock)
    jobs = {status.target.job for status in running.scraper.status}
    variables = [choice.variable(each, jobs if each == "job" else ()) for each in wanted.variables]
    return page(
        request,
        "web/board.html",
        wanted.name,
        {
            **context,
            "description": boards.describe(wanted, running.profile),
            "variables": variables,
            "problem": choice.problem,
            "reset": choice.href({"from": "", "to": ""}),
        },
        choice=choice,
        status=400 if choice.problem else 200,
    )


@require_safe
def frame(request: HttpRequest, name: str) -> JsonResponse:
    """The snapshot frame of the address's range, for ranges that do not move."""
    running = console.current()
    wanted = _board(running, name)
    choice = read(request, running.clock)
    variables = {each: choice.said[each] for each in wanted.variables if each in choice.said}
    if choice.problem:
        return _refused(choice.problem)
    try:
        return JsonResponse(boards.snapshot(running, wanted, choice.range, variables))
    except ValueError as error:
        return _refused(str(error))


@require_safe
def grafana(request: HttpRequest, name: str) -> HttpResponse:  # noqa: ARG001  # every view gets one
    """The same board for Grafana's import; its links lead back here."""
    running = console.current()
    text = to_json(_board(running, name), console_url=running.public_url)
    return HttpResponse(
        text,
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="opsconsole-{name}.json"'},
    )


def _board(running: console.Console, name: str) -> Board:
    try:
        return running.boards[name]
    except KeyError:
        raise Http404(f"no board is named {name}") from None


def _refused(message: str) -> JsonResponse:
    return JsonResponse({"error": message}, status=400)

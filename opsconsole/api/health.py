"""Health, for whoever restarts processes and routes traffic; nobody needs to sign in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from opsconsole.operations.console import current
from opsconsole.operations.readiness import obstacle


@require_safe
@login_not_required
def live(_request: HttpRequest) -> HttpResponse:
    """The process answers; restarting it would not help."""
    return _say("ok", 200)


@require_safe
@login_not_required
def ready(_request: HttpRequest) -> HttpResponse:
    """The console can serve; 503 says in one line what it waits for."""
    try:
        reason = obstacle(current())
    except RuntimeError as error:
        reason = str(error)
    return _say(reason or "ok", 503 if reason else 200)


def _say(line: str, status: int) -> HttpResponse:
    return HttpResponse(line + "\n", content_type="text/plain; charset=utf-8", status=status)

"""The page with the switches.  It needs no database and no session, so it works whatever is broken."""

from __future__ import annotations

import redis
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .board import switches
from .switches import Fault


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def faults(request: HttpRequest) -> HttpResponse:
    try:
        if request.method == "POST":
            return _switch(request)
        on = switches().read()
    except redis.RedisError:
        return HttpResponse("Valkey does not answer, so the switches cannot be read.", status=503)
    rows = [{"fault": fault, "on": fault in on} for fault in Fault]
    return render(request, "faults/faults.html", {"rows": rows, "any_on": bool(on)})


def _switch(request: HttpRequest) -> HttpResponse:
    try:
        fault = Fault(request.POST.get("fault", ""))
        on = {"on": True, "off": False}[request.POST.get("state", "")]
    except (ValueError, KeyError):
        return HttpResponseBadRequest(f"fault is one of {', '.join(Fault)}; state is on or off.")
    switches().set(fault, on=on)
    return redirect("faults")

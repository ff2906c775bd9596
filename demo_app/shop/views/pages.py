"""Reading: pages that need neither the database nor a session."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe


@require_safe
@cache_control(max_age=300, public=True)
def about(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/about.html")


@require_safe
@cache_control(max_age=300, public=True)
def shipping(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/shipping.html")


@require_safe
def healthz(_: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})

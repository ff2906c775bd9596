"""The three doors: machines, health and people."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("opsconsole.api.urls")),
    path("", include("opsconsole.web.urls")),
]

"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path

from .views import access, alerts, boards, ingest, traces

urlpatterns = [
    path("", boards.home, name="home"),
    path("boards/<slug:name>/", boards.board, name="board"),
    path("boards/<slug:name>/frame.json", boards.frame, name="board-frame"),
    path("boards/<slug:name>/grafana.json", boards.grafana, name="board-grafana"),
    path("alerts/", alerts.listing, name="alerts"),
    path("alerts/<int:incident_id>/", alerts.detail, name="alert"),
    path("runbooks/<slug:name>/", alerts.runbook, name="runbook"),
    path("traces/", traces.listing, name="traces"),
    path("traces/<slug:trace_id>/", traces.detail, name="trace"),
    path("ingest/", ingest.overview, name="ingest"),
    path("sign-in/", access.SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:token>/", access.sign_in_link, name="sign-in-link"),
    path("sign-out/", access.sign_out, name="sign-out"),
]

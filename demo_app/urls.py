"""Every page of the shop, and the switches that break it."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("demo_app.shop.urls")),
    path("faults/", include("demo_app.faults.urls")),
]

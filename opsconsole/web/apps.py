"""The pages as a Django app: its templates and static files."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "opsconsole.web"
    label = "web"

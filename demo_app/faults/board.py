"""The process's own view of the switches, made from the settings on first use."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from .switches import Switches, connect


@cache
def switches() -> Switches:
    return connect(settings.FAULTS_URL)  # type: ignore[misc]  # the checker knows the console's settings only

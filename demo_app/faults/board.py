"""This process's view of the switches, made from the settings on first use."""

from __future__ import annotations

from functools import cache

from django.conf import settings

from .switches import Switches, connect


@cache
def switches() -> Switches:
    return connect(settings.FAULTS_URL)

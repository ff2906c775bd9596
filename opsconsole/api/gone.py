"""Whether anybody still waits for an answer."""

from __future__ import annotations

from threading import Event

from django.http import HttpRequest


def when_gone(request: HttpRequest) -> Event | None:
    """Set, from another thread, when the client of ``request`` has closed its connection; None where nobody tells."""
    event: Event | None = getattr(request, "cancelled", None)
    return event

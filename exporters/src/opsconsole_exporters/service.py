"""The name under which a service appears on its traces and in its logs."""

from __future__ import annotations

import os

UNKNOWN = "unknown_service"


def service_name(given: str | None = None, fallback: str | None = None) -> str:
    """What the operator says (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``), else the code, else ``fallback``."""
    return os.environ.get("OTEL_SERVICE_NAME") or _resource_attribute() or given or fallback or UNKNOWN


def _resource_attribute() -> str:
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, _, value = pair.partition("=")
        if name.strip() == "service.name":
            return value.strip()
    return ""

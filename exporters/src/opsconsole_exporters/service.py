"""The name and the release under which a service appears on its traces, in its logs and metrics."""

from __future__ import annotations

import os
from urllib.parse import unquote

from opsconsole_exporters.options import Options

UNKNOWN = "unknown_service"


def service_name(given: str | None = None, fallback: str | None = None) -> str:
    """What the operator says (``OTEL_SERVICE_NAME``, ``OTEL_RESOURCE_ATTRIBUTES``), else the code, else ``fallback``."""
    return os.environ.get("OTEL_SERVICE_NAME") or _resource_attribute("service.name") or given or fallback or UNKNOWN


def release() -> str:
    """The version of the service that this process runs, by ``OPSCONSOLE_RELEASE`` or ``service.version``; "" if unknown."""
    return Options.read().release or _resource_attribute("service.version")


def _resource_attribute(wanted: str) -> str:
    for pair in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        name, _, value = pair.partition("=")
        if name.strip() == wanted:
            return unquote(value.strip())
    return ""

"""Every kind of channel there is, by dotted path, imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

CHANNELS: dict[str, str] = {
    "browser": "opsconsole.notify.browser.Browser",
    "webhook": "opsconsole.notify.webhook.Webhook",
}


def channel_class(kind: str) -> Any:
    """The class of a kind, to be built with that channel's own settings.  Raises ``ValueError`` that lists the kinds."""
    try:
        module, _, name = CHANNELS[kind].rpartition(".")
    except KeyError:
        raise ValueError(f"channel kind {kind!r} is unknown; choose one of: {', '.join(sorted(CHANNELS))}") from None
    return getattr(import_module(module), name)

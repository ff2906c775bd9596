"""What delivery says about itself on the console's own ``/metrics``."""

from __future__ import annotations

from prometheus_client import Counter

NOTIFICATIONS = Counter(
    "opsconsole_notifications_total",
    "Attempts to send a notification, by channel and outcome: delivered, retry or dead.",
    ["channel", "outcome"],
)

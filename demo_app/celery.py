"""The Celery application of the shop: three queues, one line of instrumentation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_ready
from opsconsole_exporters import instrument

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_app.settings")

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["demo_app.shop"])
instrument(celery_app=app)


def touch_ready_file(**_: Any) -> None:
    """Tell whoever started the process that it now does its work: a worker has no port to ask."""
    if ready_file := os.environ.get("SHOP_READY_FILE"):
        Path(ready_file).touch()


worker_ready.connect(touch_ready_file)
beat_init.connect(touch_ready_file)

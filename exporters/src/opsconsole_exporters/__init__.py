"""What a watched Django and Celery service installs: metrics, traces and logs, with one call.

``instrument()`` is the whole programming interface; the Django app ``opsconsole_exporters.django`` calls it
for a Django service.  Nothing here imports the console.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery import Celery

__all__ = ["__version__", "instrument"]

__version__ = "0.1.0"


def instrument(service_name: str | None = None, *, celery_app: Celery | None = None) -> None:
    """Switch on logs and traces in this process and, with ``celery_app``, the metrics of its tasks.

    Call it as often as you like: every part is installed once.  It never raises and never waits for a network; a part
    that cannot be installed is logged once and the rest still works.

    ``service_name``: the name on traces and logs; ``OTEL_SERVICE_NAME`` wins over it.
    ``celery_app``: the Celery application, given in the module that creates it.
    """
    # Late, because the console imports ``opsconsole_exporters.catalog`` through here and wants nothing but names.
    from opsconsole_exporters.installation import install

    install(service_name, celery_app)

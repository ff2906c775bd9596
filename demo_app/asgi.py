"""The web service's entry point, loaded by each gunicorn worker after the fork."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_app.settings")
application = get_asgi_application()

# Only the web tier has a slow database and an exhausted pool to offer; workers and commands do not come by here.
from demo_app.faults import database, pool  # noqa: E402  the models must be loaded first

database.install()
pool.install()

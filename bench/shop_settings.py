"""The demo's settings on the benchmark's database, watched by django-prometheus alone if told so.

Reads ``BENCH_DATABASE`` (JSON, what differs from the demo's entry) and ``BENCH_WATCHED_BY``.
"""

from __future__ import annotations

import json
import os

from demo_app.settings import *  # noqa: F403 - settings are made of settings
from demo_app.settings import DATABASES, INSTALLED_APPS, MIDDLEWARE

DATABASES["default"] |= json.loads(os.environ["BENCH_DATABASE"])

if os.environ.get("BENCH_WATCHED_BY") == "django-prometheus":
    INSTALLED_APPS = ["django_prometheus", *INSTALLED_APPS]
    # As its documentation says, engine included: that is what gives it queries.
    DATABASES["default"]["ENGINE"] = "django_prometheus.db.backends.postgresql"
    MIDDLEWARE = [
        "django_prometheus.middleware.PrometheusBeforeMiddleware",
        *MIDDLEWARE,
        "django_prometheus.middleware.PrometheusAfterMiddleware",
    ]

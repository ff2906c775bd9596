"""The shop's settings, as a team that runs Django in production would write them.

Everything the environment decides is read here.  What makes the service observable is one line in
``INSTALLED_APPS``, one call in ``celery.py`` and the hooks that ``gunicorn_conf.py`` imports.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SECRET_KEY = os.environ["SHOP_SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "opsconsole_exporters.django",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "demo_app.shop",
    "demo_app.faults",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "demo_app.urls"
ASGI_APPLICATION = "demo_app.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "demo_app.shop.context.cart",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "shop",
        "PASSWORD": os.environ["SHOP_DATABASE_PASSWORD"],
        "HOST": "127.0.0.1",
        "PORT": os.environ["SHOP_DATABASE_PORT"],
        # Small on purpose: a pool that can run out within seconds is what the exhausted-pool fault needs to show.
        # A request waits 3 s at most for a connection, and then fails.
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": int(os.environ.get("SHOP_POOL_SIZE", "8")),
                "timeout": 3,
            },
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

VALKEY_URL = os.environ["SHOP_VALKEY_URL"]
"""``redis://:password@host:port`` without a database; the three below keep their keys apart."""

BROKER_URL = f"{VALKEY_URL}/0"
CACHE_URL = f"{VALKEY_URL}/1"
FAULTS_URL = f"{VALKEY_URL}/2"

CACHES = {"default": {"BACKEND": "demo_app.shop.cache.SharedPoolCache", "LOCATION": CACHE_URL}}
OPSCONSOLE_CACHE_PATTERNS = "query=bestsellers, advice=bought-with:, answers=assistant:"
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_COOKIE_NAME = "shop_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 3600
CSRF_COOKIE_NAME = "shop_csrf"
X_FRAME_OPTIONS = "DENY"

CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "demo_app.shop.tasks.take_payment": {"queue": "high"},
    "demo_app.shop.tasks.refresh_bestsellers": {"queue": "low"},
    "demo_app.shop.tasks.update_recommendations": {"queue": "low"},
    "demo_app.shop.tasks.forget_old_orders": {"queue": "low"},
}
CELERY_BEAT_SCHEDULE = {
    "refresh the bestsellers": {"task": "demo_app.shop.tasks.refresh_bestsellers", "schedule": 15.0},
    "restock what runs out": {"task": "demo_app.shop.tasks.restock", "schedule": 10.0},
    "forget old orders": {"task": "demo_app.shop.tasks.forget_old_orders", "schedule": 60.0},
}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

ASSISTANT_URL = os.environ["SHOP_ASSISTANT_URL"]
"""Where chat completions are: ``http://host:port/v1``."""

MODELS_DIR = Path(os.environ["SHOP_MODELS_DIR"])
"""The models that the shop serves itself, as ``python -m demo_app.fraud`` leaves them."""

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

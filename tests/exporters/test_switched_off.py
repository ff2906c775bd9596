"""One variable leaves a service as it is without the exporters."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.exporters.conftest import PROJECT, SOURCES

# What can be told from outside about a process whose Django and Celery were set up.
TELL = """
import atexit, gc, json, logging, os, signal, sys, threading
import django
django.setup()
import watched.celery
from celery import signals
from django.conf import settings
from django.core.signals import got_request_exception
from django.db import connection
from django.db.backends.signals import connection_created
from opentelemetry import trace
import httpx, requests
print(json.dumps({
    "middleware": list(settings.MIDDLEWARE),
    "threads": sorted(thread.name for thread in threading.enumerate()),
    "gc": [str(type(callback)) for callback in gc.callbacks],
    "SIGTERM": str(signal.getsignal(signal.SIGTERM)),
    "handlers": [str(type(handler.formatter)) for handler in logging.getLogger().handlers],
    "tracer": type(trace.get_tracer_provider()).__name__,
    "wrappers": len(connection.execute_wrappers),
    "receivers": [len(signal.receivers or []) for signal in (
        got_request_exception, connection_created, signals.before_task_publish, signals.task_prerun,
        signals.worker_process_init, signals.after_setup_logger)],
    "httpx": hasattr(httpx.HTTPTransport.handle_request, "__wrapped__"),
    "requests": hasattr(requests.Session.send, "__wrapped__"),
    "variables": sorted(name for name in os.environ if name.startswith("OTEL_") and name != "OTEL_EXPORTER_OTLP_ENDPOINT"),
    "metrics": "opsconsole_exporters.metrics" in sys.modules,
    "exit handlers": atexit._ncallbacks(),
}))
"""
# The same project without a word of the exporters.
WITHOUT = """
import sys, types
quiet = types.ModuleType("opsconsole_exporters")
quiet.instrument = lambda *_, **__: None
sys.modules["opsconsole_exporters"] = quiet
from watched import settings
settings.INSTALLED_APPS = [name for name in settings.INSTALLED_APPS if not name.startswith("opsconsole")]
"""


@pytest.fixture
def tell(tmp_path):
    def run(code: str, **environment: str) -> dict[str, object]:
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPSCONSOLE_"))},
            "PYTHONPATH": f"{PROJECT}{os.pathsep}{SOURCES}",
            "DJANGO_SETTINGS_MODULE": "watched.settings",
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
            "BROKER_URL": "redis://127.0.0.1:9/0",
            "DATABASE": json.dumps({"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}),
            **environment,
        }
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return told

    return run


def test_switched_off_nothing_is_left_of_it(tell, tmp_path):
    assert tell(TELL, OPSCONSOLE_EXPORTERS_DISABLED="1") == tell(WITHOUT + TELL)
    assert not (tmp_path / "metrics").exists()


def test_switched_on_each_of_these_is_different(tell):
    """Or the comparison above would compare nothing."""
    on, off = tell(TELL), tell(WITHOUT + TELL)
    assert {name for name in on if on[name] == off[name]} <= {"threads", "gc", "wrappers"}, "these begin with the work"

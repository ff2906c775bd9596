"""Installs each part once, and none of them at the price of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from opsconsole_exporters import workerprocess
from opsconsole_exporters.options import Options, django_settings_pending, is_django_service
from opsconsole_exporters.service import service_name
from opsconsole_exporters.shield import shield

if TYPE_CHECKING:
    from celery import Celery

_installed: set[str] = set()


def install(given_name: str | None, celery_app: Celery | None) -> None:
    """See ``opsconsole_exporters.instrument``."""
    options = Options.read()
    if not options.enabled:
        return
    service = service_name(given_name, celery_app.main if celery_app is not None else None)
    # The Celery module of a Django project is imported while the settings that may switch logs off are still being read:
    # then the logs wait for the Django app or, in a worker, for Celery's own logging.
    if options.logs and not django_settings_pending():
        once("logs", lambda: _logs(service))
    once("traces", lambda: _traces(service))
    if options.llm:
        once("LLM metrics", _llm)
    once("shared values", _shared_values)
    once("exemplars", _exemplars)
    once("process metrics", lambda: _process(alone=celery_app is None and not is_django_service()))
    if celery_app is not None:
        once("Celery", lambda: _celery(celery_app, service))


def once(part: str, act: Callable[[], None]) -> None:
    """Run ``act`` unless ``part`` was tried before; a failure is logged and not tried again."""
    if part in _installed:
        return
    _installed.add(part)
    with shield(part):
        act()


def _logs(service: str) -> None:
    from opsconsole_exporters.logs import configure_logging

    configure_logging(service)


def _traces(service: str) -> None:
    from opsconsole_exporters import ending, httpclients, otlp, tracing

    tracing.use_stable_names()
    if tracing.enabled():
        tracing.install_provider(service)
        if not is_django_service():
            tracing.instrument_psycopg()
        httpclients.instrument_clients()
        if otlp.wanted():
            ending.flush_on_sigterm()
            ending.flush_after_uvicorn()


def _llm() -> None:
    from opsconsole_exporters.llm import instrument_httpx

    instrument_httpx()


def _shared_values() -> None:
    from opsconsole_exporters import sharedvalues

    sharedvalues.quicken()


def _exemplars() -> None:
    from opsconsole_exporters import exemplars

    exemplars.keep()


def _process(*, alone: bool) -> None:
    """``alone``: there is no server that forks workers, and nothing else would tell when the work begins."""
    from opsconsole_exporters.process import worker

    workerprocess.on_start("process metrics", worker.start)
    if alone:
        workerprocess.ensure_started()


def _celery(app: Celery, service: str) -> None:
    from opsconsole_exporters.celery import install_celery

    install_celery(app, service)

"""What ``instrument(celery_app=app)`` connects; each process that imports the app uses the part that concerns it."""

from __future__ import annotations

from typing import Any

from celery import Celery, signals
from celery.concurrency.prefork import TaskPool

from opsconsole_exporters import compaction, multiprocess, tracing, workerprocess
from opsconsole_exporters.celery.beat import connect_beat
from opsconsole_exporters.celery.heartbeat import connect_heartbeat
from opsconsole_exporters.celery.tasks import TaskObserver
from opsconsole_exporters.logs import configure_logging
from opsconsole_exporters.options import Options
from opsconsole_exporters.process import worker
from opsconsole_exporters.shield import shield, shielded

_UID = "opsconsole_exporters"


def install_celery(app: Celery, service: str) -> None:
    TaskObserver(app).connect()
    connect_heartbeat(app)
    connect_beat()
    if tracing.enabled():
        with shield("Celery traces"):
            from opentelemetry.instrumentation.celery import CeleryInstrumentor

            instrumentor: Any = CeleryInstrumentor()  # type: ignore[no-untyped-call]
            if not instrumentor.is_instrumented_by_opentelemetry:
                instrumentor.instrument()

            from opsconsole_exporters.celery.publishing import end_spans_of_failures

            end_spans_of_failures(app)

    @shielded("logs")
    def format_logs(**_: object) -> None:
        # After Celery's own set-up, so that its options (-l, -f) and its handlers keep their meaning.
        if Options.read().logs:
            configure_logging(service)

    signals.after_setup_logger.connect(format_logs, weak=False, dispatch_uid=_UID)
    signals.after_setup_task_logger.connect(format_logs, weak=False, dispatch_uid=_UID)
    signals.celeryd_after_setup.connect(_warn, weak=False, dispatch_uid=_UID)
    signals.worker_ready.connect(_sample, weak=False, dispatch_uid=f"{_UID}.sample")
    signals.worker_process_init.connect(_tidy, weak=False, dispatch_uid=f"{_UID}.tidy")
    signals.worker_process_init.connect(_begin, weak=False, dispatch_uid=_UID)
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid=_UID)  # pools that do not fork start here
    signals.worker_process_shutdown.connect(_end, weak=False, dispatch_uid=_UID)


def _warn(**_: object) -> None:
    multiprocess.warn_if_missing("the metrics of this worker's tasks cannot be scraped by anybody")


def _begin(**_: object) -> None:
    workerprocess.ensure_started()


def _sample(sender: Any, **_: object) -> None:
    """The main process is there: with a pool that forks it has metrics beside its children's, else it is the worker."""
    with shield("process metrics"):
        if isinstance(sender.pool, TaskPool):
            worker.start(main=True)
        else:
            workerprocess.ensure_started()


def _tidy(**_: object) -> None:
    # Each new child merges what dead ones have left, so that files stay few even if nobody scrapes.
    with shield("merging of dead processes' files"):
        if (shared := multiprocess.directory()) is not None:
            compaction.compact(shared)


def _end(**_: object) -> None:
    # A child of the prefork pool leaves without running exit handlers.
    with shield("traces"):
        tracing.flush()

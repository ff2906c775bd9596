"""A Celery worker and the queues it consumes, on a real RabbitMQ."""

from __future__ import annotations

import pytest
from celery import Celery
from kombu import Queue as KombuQueue
from opsconsole_exporters.catalog.celery import (
    CELERY_PROCESSES,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_QUEUE_UNACKED,
    CELERY_TASKS,
    CELERY_WORKERS,
)
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS
from opsconsole_exporters.queues import QueueCollector, QueueSampler

pytestmark = pytest.mark.real


@pytest.fixture
def app(rabbitmq):
    with Celery("sampled", broker=rabbitmq, set_as_current=False) as app:
        app.conf.task_queues = [KombuQueue("fast"), KombuQueue("nobody-made")]
        app.conf.task_default_queue = "fast"
        yield app


@pytest.fixture
def page():
    def of(app):
        families = {family.name: family for family in QueueCollector(QueueSampler(app)).collect()}
        return {(name, s.labels["queue"]): s.value for name, family in families.items() for s in family.samples}

    return of


def test_a_worker_consumes_what_waited_and_only_what_the_broker_tells_is_exposed(app, page, launch, rabbitmq, until):
    for number in range(3):
        app.send_task("watched.tasks.add", args=(number, 1))
    waiting = until("the messages", lambda: (seen := page(app)).get((str(CELERY_QUEUE_LENGTH), "fast")) == 3 and seen)
    assert waiting[(str(CELERY_WORKERS), "fast")] == 0
    assert {queue for _, queue in waiting} == {"fast"}, "a queue that does not exist is absent"
    unknown = {str(CELERY_QUEUE_OLDEST), str(CELERY_QUEUE_UNACKED), str(CELERY_PROCESSES)}
    assert unknown.isdisjoint(name for name, _ in waiting)

    launch.environment["BROKER_URL"] = rabbitmq
    worker = launch.worker(queues="fast")
    done = until(
        "an empty queue with a worker",
        lambda: (
            (seen := page(app))
            and seen[(str(CELERY_QUEUE_LENGTH), "fast")] == 0
            and seen[(str(CELERY_WORKERS), "fast")] == 1
        ),
    )
    assert done
    sidecar = launch.sidecar()
    until("the tasks", lambda: sidecar.scrape().sum(CELERY_TASKS, state="succeeded") == 3)
    assert sidecar.scrape().sum(COLLECTOR_ERRORS) == 0
    assert "failed; the service goes on without it" not in worker.output

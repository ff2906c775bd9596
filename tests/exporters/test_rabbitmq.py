"""Celery workers and the queues they consume, on a real RabbitMQ with its management plugin."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, replace
from itertools import count

import pytest
from celery import Celery
from kombu import Connection, Exchange
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
from opsconsole_exporters.celery.management import VARIABLE, Management, ManagementError
from opsconsole_exporters.queues import QueueSampler

from tests.exporters.rabbitmq_server import running

pytestmark = pytest.mark.real

ABSENT = None
numbers = count()


@dataclass(frozen=True)
class VirtualHost:
    """One that nobody has used, by its AMQP URL, and the API that knows it."""

    url: str
    management: Management


@pytest.fixture(scope="module")
def rabbitmq(program, tmp_path_factory):
    with running(program, tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture
def virtual_host(rabbitmq):
    name = f"watched/{next(numbers)}"  # the slash has to be quoted on its way
    management = Management.read({VARIABLE: rabbitmq.management})
    secret = base64.b64encode(f"{management.user}:{management.password}".encode()).decode()
    address = f"{management.base}/api/vhosts/{name.replace('/', '%2F')}"
    put = urllib.request.Request(address, method="PUT", headers={"Authorization": f"Basic {secret}"})
    with urllib.request.urlopen(put, timeout=30):
        pass
    return VirtualHost(rabbitmq.url.removesuffix("//") + f"/{name.replace('/', '%2F')}", management)


@pytest.fixture
def app(virtual_host):
    with Celery("sampled", broker=virtual_host.url, set_as_current=False) as app:
        app.conf.task_queues = [KombuQueue("fast"), KombuQueue("nobody-made")]
        app.conf.task_default_queue = "fast"
        yield app


@pytest.fixture
def on_rabbitmq(launch, virtual_host):
    launch.environment["BROKER_URL"] = virtual_host.url
    return launch


def of_queue(page, name):
    """Length, messages held, workers and processes of a queue, as they are or ``ABSENT``; and whether it has an age."""
    values = (CELERY_QUEUE_LENGTH, CELERY_QUEUE_UNACKED, CELERY_WORKERS, CELERY_PROCESSES)
    age = page.value(CELERY_QUEUE_OLDEST, queue=name)
    return (*(page.value(metric, queue=name) for metric in values), age if age is ABSENT else age > 0)


def test_over_amqp_alone_only_what_it_tells_is_exposed(app, on_rabbitmq, until):
    for number in range(3):
        app.send_task("watched.tasks.add", args=(number, 1))
    sidecar = on_rabbitmq.sidecar()
    until("the messages", lambda: of_queue(sidecar.scrape(), "fast") == (3, ABSENT, 0, 0, ABSENT))
    assert sidecar.scrape().value(CELERY_QUEUE_LENGTH, queue="slow") is ABSENT, "a queue that does not exist is absent"

    worker = on_rabbitmq.worker(queues="fast,extra")
    until("an empty queue with a worker", lambda: of_queue(sidecar.scrape(), "fast") == (0, ABSENT, 1, 2, ABSENT))
    until("one that only a worker names", lambda: of_queue(sidecar.scrape(), "extra") == (0, ABSENT, 1, 2, ABSENT))
    until("the tasks", lambda: sidecar.scrape().sum(CELERY_TASKS, state="succeeded") == 3)
    worker.stop()
    until("no worker", lambda: of_queue(sidecar.scrape(), "extra") == (0, ABSENT, 0, 0, ABSENT))
    assert sidecar.scrape().sum(COLLECTOR_ERRORS) == 0
    assert "failed; the service goes on without it" not in worker.output


def test_a_stalled_a_slow_and_an_empty_queue_look_different(on_rabbitmq, rabbitmq, until):
    """And a queue that only a worker on another host names is known, for the management API lists it."""
    elsewhere = str(on_rabbitmq.folder / "elsewhere")
    worker = on_rabbitmq.worker(
        "-c", "1", "--prefetch-multiplier", "1", queues="slow,empty,extra", PROMETHEUS_MULTIPROC_DIR=elsewhere
    )
    code = (
        "from watched.celery import app\n"
        "for queue in ('slow', 'slow', 'slow', 'fast'): app.send_task('watched.tasks.rest', args=(600,), queue=queue)"
    )
    subprocess.run([sys.executable, "-c", code], env=on_rabbitmq.environment, check=True, timeout=60)
    sidecar = on_rabbitmq.sidecar(**{VARIABLE: rabbitmq.management})
    # One runs and is acknowledged, one is held.  How many processes a worker of another host has, nobody here knows.
    until("the slow queue", lambda: of_queue(sidecar.scrape(), "slow") == (1, 1, 1, ABSENT, True))
    until("the stalled queue", lambda: of_queue(sidecar.scrape(), "fast") == (1, 0, 0, 0, True))
    until("the empty queue", lambda: of_queue(sidecar.scrape(), "extra") == (0, 0, 1, ABSENT, False))
    os.killpg(worker.popen.pid, signal.SIGKILL)
    until("the slow queue to stall", lambda: of_queue(sidecar.scrape(), "slow") == (2, 0, 0, 0, True))
    until("nobody", lambda: of_queue(sidecar.scrape(), "extra") == (0, 0, 0, 0, False))
    assert "failed; the service goes on without it" not in worker.output
    page = sidecar.scrape()
    assert page.sum(COLLECTOR_ERRORS) == 0
    assert {dict(labels)["queue"] for name, labels in page.samples if name == str(CELERY_WORKERS)} == {
        "fast",
        "slow",
        "empty",
        "extra",
    }, "Celery's own queues are none of tasks"


def test_an_age_is_told_only_where_the_first_message_is_known_to_be_the_oldest(app, virtual_host, until):
    app.conf.task_queues = [
        KombuQueue("fast"),
        KombuQueue("one-priority", queue_arguments={"x-max-priority": 9}),
        KombuQueue("priorities", queue_arguments={"x-max-priority": 9}),
        KombuQueue("unstamped"),
        KombuQueue("later"),
    ]
    for options in (
        {"queue": "fast"},
        {"queue": "fast"},
        {"queue": "one-priority", "priority": 4},
        {"queue": "one-priority", "priority": 4},
        {"queue": "priorities", "priority": 0},
        {"queue": "priorities", "priority": 4},
        {"queue": "later"},
    ):
        app.send_task("anything", timestamp=1_000 if options["queue"] != "later" else 5_000, **options)
    with Connection(virtual_host.url) as connection:
        queue = KombuQueue("unstamped", Exchange(""), routing_key="unstamped")
        connection.Producer().publish({}, routing_key="unstamped", declare=[queue])

    sampler = QueueSampler(app, management=virtual_host.management)

    def seen():
        queues = sampler.sample(now=2_500.0)
        return {name: (queue.length, queue.unacked, queue.oldest_s) for name, queue in queues.items()}

    until(
        "the statistics",
        lambda: (
            seen()
            == {
                "fast": (2, 0, 1_500.0),
                "one-priority": (2, 0, 1_500.0),
                "priorities": (2, 0, None),
                "unstamped": (1, 0, None),
                "later": (1, 0, 0.0),
            }
        ),
    )


@pytest.mark.parametrize("trouble", ["wrong password", "nobody there", "no address"])
def test_a_management_api_that_does_not_answer_costs_what_only_it_tells(app, virtual_host, free_port, caplog, trouble):
    management = virtual_host.management
    if trouble == "wrong password":
        management = replace(management, password="s3cret/wrong")
    elif trouble == "nobody there":
        management = replace(management, base=f"http://127.0.0.1:{free_port()}", password="s3cret")
    else:
        management = replace(management, base=f"{management.base}/no/such", password="s3cret")
    app.send_task("anything")
    sampler = QueueSampler(app, management=management)
    for _ in range(2):
        queue = sampler.sample(now=1_000.0)["fast"]
        assert (queue.length, queue.workers, queue.unacked, queue.oldest_s) == (1, 0, None, None)
    assert [record.getMessage().partition(":")[0] for record in caplog.records if "management" in record.msg] == [
        "RabbitMQ's management API cannot be asked for what queues hold"
    ]
    assert "s3cret" not in caplog.text
    assert "s3cret" not in repr(management)


def test_the_address_of_the_management_api_may_hold_what_is_special_in_a_password():
    read = Management.read({VARIABLE: "https://monitor:p%40ss%2Fword@[::1]:15671/rabbit/"})
    assert read == Management("https://[::1]:15671/rabbit", "monitor", "p@ss/word")
    assert Management.read({}) is Management.read({VARIABLE: " "}) is None


@pytest.mark.parametrize("address", ["127.0.0.1:15672", "amqp://u:s3cret@host", "http://u:s3cret/x@host:1", "http://"])
def test_an_address_that_cannot_be_read_is_named_and_not_repeated(address):
    with pytest.raises(ManagementError, match=rf"^{VARIABLE} is no address: give http://user:password@") as caught:
        Management.read({VARIABLE: address})
    assert "s3cret" not in str(caught.value)


def test_a_sidecar_told_a_wrong_address_says_so_in_one_line(launch):
    sidecar = launch.run(
        "-m", "opsconsole_exporters", "celery", "-A", "watched.celery:app", "--port", "0", **{VARIABLE: "host:1"}
    )
    assert sidecar.popen.wait(60) == 1
    assert sidecar.output.startswith(f"opsconsole-exporter: {VARIABLE} is no address")
    assert sidecar.output.count("\n") == 1

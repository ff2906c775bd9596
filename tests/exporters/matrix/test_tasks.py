"""After known tasks the counters are the truth, whichever pool runs them and however its processes come and go.

The truth is what the tasks themselves have kept of their runs: a message that comes back to the broker runs once more, and
how often that is, nobody knows who has only published it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from opsconsole_exporters.catalog.celery import (
    CELERY_FAILURES,
    CELERY_RUNTIME,
    CELERY_SENT,
    CELERY_STARTED,
    CELERY_TASKS,
    CELERY_WAIT,
)

from tests.exporters.conftest import Launcher, Process, Scrape

pytestmark = pytest.mark.real

# One round of twenty tasks.
ROUND = {"note": 16, "fail": 1, "retry_once": 1, "reject": 1, "ignore": 1}
SENT = sum(ROUND.values()) + 1
"""Messages a round: one task publishes itself anew."""

POOLS = {
    # its options, and rounds: ten thousand tasks where it is usual, fewer where a pool only starts them in another way
    "prefork": (("-P", "prefork", "-c", "2"), 500),
    "threads": (("-P", "threads", "-c", "4"), 10),
    "gevent": (("-P", "gevent", "-c", "10"), 10),
    "solo": (("-P", "solo"), 5),
    "a process a task": (("-P", "prefork", "-c", "2", "--max-tasks-per-child", "1"), 1),
}


class Account:
    """What the tasks themselves say of their runs; a run is written down before it does anything."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def runs(self, task: str) -> int:
        return self._of("runs", task)

    def redelivered(self, task: str) -> int:
        return self._of("redelivered", task)

    def total(self, kind: str = "runs") -> int:
        return sum(int(count) for count in self.client.hvals(kind))

    def _of(self, kind: str, task: str) -> int:
        return int(self.client.hget(kind, f"watched.tasks.{task}") or 0)


@pytest.fixture
def account(broker_url: str) -> Iterator[Account]:
    with redis.Redis.from_url(broker_url) as client:
        yield Account(client)


@pytest.fixture
def publish(launch: Launcher) -> Callable[..., None]:
    """``publish(rounds, **tasks)``: as many rounds of that many of each task, mixed, by a process of its own."""

    def run(rounds: int, arguments: str = "()", **tasks: int) -> None:
        code = (
            "from watched.celery import app\n"
            "with app.producer_pool.acquire() as producer:\n"
            f"    for _ in range({rounds}):\n"
            f"        for name, count in {tasks!r}.items():\n"
            f"            for _ in range(count):\n"
            f"                app.send_task(f'watched.tasks.{{name}}', args={arguments}, producer=producer)"
        )
        subprocess.run([sys.executable, "-c", code], env=launch.environment, cwd=launch.folder, check=True, timeout=120)

    return run


def ended(page: Scrape, task: str, state: str) -> float:
    return page.sum(CELERY_TASKS, task=f"watched.tasks.{task}", state=state)


def started(page: Scrape, task: str) -> float:
    return page.sum(CELERY_STARTED, task=f"watched.tasks.{task}")


def assert_true(page: Scrape, account: Account, rounds: int) -> None:
    """Every run was begun, measured and ended once in the counters, in the state that its task ends in."""
    for task, published in ROUND.items():
        assert started(page, task) == account.runs(task) >= rounds * published, task
    # A run that a restart has cut in two publishes itself twice, so that only what they add up to is known.
    retried = ended(page, "retry_once", "retried")
    assert retried + ended(page, "retry_once", "succeeded") == account.runs("retry_once")
    assert retried >= rounds
    assert ended(page, "note", "succeeded") == account.runs("note")
    assert ended(page, "fail", "failed") == page.sum(CELERY_FAILURES) == account.runs("fail")
    assert ended(page, "reject", "rejected") == account.runs("reject")
    assert ended(page, "ignore", "ignored") == account.runs("ignore")
    assert page.sum(CELERY_TASKS) == page.sum(CELERY_RUNTIME.count) == account.total()
    assert page.sum(CELERY_WAIT.count) == account.total() - account.total("redelivered")
    assert page.sum(CELERY_SENT) == rounds * sum(ROUND.values()) + retried


def all_ended(sidecar: Process, tasks: int) -> Callable[[], Scrape | None]:
    return lambda: page if (page := sidecar.scrape()).sum(CELERY_TASKS) >= tasks else None


@pytest.mark.parametrize("pool", POOLS)
def test_the_counters_are_the_truth(launch, publish, until, account, pool):
    options, rounds = POOLS[pool]
    sidecar, worker = launch.sidecar(), launch.worker(*options)
    publish(rounds, **ROUND)
    until("all tasks", all_ended(sidecar, rounds * SENT), deadline_s=200)
    worker.stop()  # nothing is added any more
    assert account.total() == rounds * SENT
    assert account.total("redelivered") == 0
    assert_true(sidecar.scrape(), account, rounds)


def test_children_killed_on_the_spot_take_no_count_along(launch, publish, until, account):
    sidecar, worker = launch.sidecar(), launch.worker()
    publish(4, note=100, die=1, die_once=1)
    until("all tasks", all_ended(sidecar, 408))
    worker.stop()
    page = sidecar.scrape()
    assert started(page, "note") == ended(page, "note", "succeeded") == account.runs("note") == 400
    assert started(page, "die") == ended(page, "die", "failed") == account.runs("die") == 4
    # Not acknowledged, they came back: four runs that were cut off, of tasks that did not end by that, and four whole ones.
    assert started(page, "die_once") == account.runs("die_once") == 8
    assert ended(page, "die_once", "succeeded") == account.redelivered("die_once") == 4
    assert page.sum(CELERY_TASKS) == 408
    assert page.sum(CELERY_FAILURES, exception="WorkerLostError") == page.sum(CELERY_FAILURES) == 4


def test_a_worker_told_to_restart_goes_on_counting(launch, publish, until, account):
    sidecar = launch.sidecar()
    program = str(Path(sys.executable).with_name("celery"))  # which starts itself again; ``python -m celery`` cannot
    worker = launch.run(program, "-A", "watched.celery:app", "worker", "-c", "2", "-Q", "fast", "-l", "INFO")
    publish(10, **ROUND)
    until("the first tasks", all_ended(sidecar, 50))
    worker.popen.send_signal(signal.SIGHUP)
    until("its second life", lambda: worker.output.count(" ready.") == 2)
    publish(10, **ROUND)
    until("an empty queue", lambda: account.client.llen("fast") == account.client.hlen("unacked") == 0)
    until("all tasks", lambda: sidecar.scrape().sum(CELERY_TASKS) == account.total() >= 20 * SENT)
    worker.stop()
    assert_true(sidecar.scrape(), account, 20)


def test_a_worker_killed_in_the_middle_of_its_tasks_leaves_what_it_has_counted(launch, publish, until, account):
    sidecar, worker = launch.sidecar(), launch.worker()
    publish(5, **ROUND)
    until("the first tasks", all_ended(sidecar, 5 * SENT))
    publish(1, "(600,)", linger_once=2)
    until("both children at work", lambda: account.runs("linger_once") == 2)
    os.killpg(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait()
    cut = sidecar.scrape()
    assert cut.sum(CELERY_STARTED) == account.total() == cut.sum(CELERY_TASKS) + 2

    give_back_what_the_dead_held(launch)
    worker = launch.worker()
    publish(5, **ROUND)
    until("all tasks", all_ended(sidecar, 10 * SENT + 2))
    worker.stop()
    page = sidecar.scrape()
    assert started(page, "linger_once") == account.runs("linger_once") == 4
    assert ended(page, "linger_once", "succeeded") == account.redelivered("linger_once") == 2
    assert page.sum(CELERY_STARTED) == account.total() == page.sum(CELERY_TASKS) + 2 == 10 * SENT + 4


def test_a_pool_killed_while_it_is_busy_loses_one_count_a_child_at_most(launch, publish, until, account):
    """A task that had begun may have been counted or not when its process died; nobody can know more."""
    sidecar, worker = launch.sidecar(), launch.worker()
    publish(1, note=1000)
    until("some tasks", all_ended(sidecar, 100))
    os.killpg(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait()
    page = sidecar.scrape()
    assert account.runs("note") <= started(page, "note") <= account.runs("note") + 2
    assert account.runs("note") - 2 <= ended(page, "note", "succeeded") <= account.runs("note")


def give_back_what_the_dead_held(launch: Launcher) -> None:
    """What any worker does for a dead one after the visibility timeout (an hour), now."""
    code = (
        "from watched.celery import app\n"
        "app.conf.broker_transport_options['visibility_timeout'] = 0\n"
        "with app.connection_for_read() as connection: connection.channel().qos.restore_visible()"
    )
    subprocess.run([sys.executable, "-c", code], env=launch.environment, cwd=launch.folder, check=True, timeout=60)

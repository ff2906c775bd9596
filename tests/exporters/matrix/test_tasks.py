"""After known tasks the counters are the truth, whichever pool runs them and however its processes come and go.

The truth is what the tasks themselves have kept of their runs: a message that comes back to the broker runs once more, and
how often that is, nobody knows who has only published it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis
from kombu import Connection
from opsconsole_exporters.catalog.celery import (
    CELERY_FAILURES,
    CELERY_RUNTIME,
    CELERY_SENT,
    CELERY_STARTED,
    CELERY_TASKS,
    CELERY_WAIT,
)

from tests.exporters.conftest import Scrape, Tasks

pytestmark = pytest.mark.real

# One round of twenty tasks, and a smaller one.
ROUND = {"note": 16, "fail": 1, "retry_once": 1, "reject": 1, "ignore": 1}
SMALL = {**ROUND, "note": 4}

POOLS = {
    # its options, and so many rounds: ten thousand tasks where it is usual, fewer where a pool only starts them in another way
    "prefork": (("-P", "prefork", "-c", "2"), 500, ROUND),
    "threads": (("-P", "threads", "-c", "4"), 10, ROUND),
    "gevent": (("-P", "gevent", "-c", "10"), 10, ROUND),
    "solo": (("-P", "solo"), 5, ROUND),
    "a process a task": (("-P", "prefork", "-c", "2", "--max-tasks-per-child", "1"), 1, SMALL),
}


def messages(rounds: int, tasks: dict[str, int] = ROUND) -> int:
    """How many there are: one of the tasks publishes itself anew."""
    return rounds * (sum(tasks.values()) + tasks["retry_once"])


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
def account(tasks: Tasks) -> Account:
    return Account(tasks.client)


def ended(page: Scrape, task: str, state: str) -> float:
    return page.sum(CELERY_TASKS, task=f"watched.tasks.{task}", queue="fast", state=state)


def started(page: Scrape, task: str) -> float:
    return page.sum(CELERY_STARTED, task=f"watched.tasks.{task}")


def assert_true(page: Scrape, account: Account, rounds: int, tasks: dict[str, int] = ROUND) -> None:
    """Every run was begun, measured and ended once in the counters, in the state that its task ends in."""
    for task, published in tasks.items():
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
    assert page.sum(CELERY_SENT) == rounds * sum(tasks.values()) + retried


def all_ended(tasks: Tasks, runs: int) -> Callable[[], bool]:
    """Asks the tasks first, which costs less than a page."""
    account = Account(tasks.client)
    return lambda: account.total() >= runs and tasks.counted().sum(CELERY_TASKS) >= runs


@pytest.mark.parametrize("pool", POOLS)
def test_the_counters_are_the_truth(tasks, until, account, pool):
    if pool == "gevent" and find_spec("gevent") is None:
        pytest.skip("needs gevent; pip install gevent")
    options, rounds, each = POOLS[pool]
    worker = tasks.worker(*options)
    tasks.publisher.publish(each, rounds=rounds)
    until("all tasks", all_ended(tasks, messages(rounds, each)), deadline_s=200)
    worker.stop()  # nothing is added any more
    assert account.total() == messages(rounds, each)
    assert account.total("redelivered") == 0
    assert_true(tasks.counted(), account, rounds, each)


def test_children_killed_on_the_spot_take_no_count_along(tasks, until, account):
    worker = tasks.worker()
    tasks.publisher.publish({"note": 50, "die": 1, "die_once": 1}, rounds=3)
    until("all tasks", lambda: tasks.counted().sum(CELERY_TASKS) >= 156)
    worker.stop()
    page = tasks.counted()
    assert started(page, "note") == ended(page, "note", "succeeded") == account.runs("note") == 150
    assert started(page, "die") == ended(page, "die", "failed") == account.runs("die") == 3
    # Not acknowledged, they came back: three runs that were cut off, of tasks that did not end by that, and three whole ones.
    assert started(page, "die_once") == account.runs("die_once") == 6
    assert ended(page, "die_once", "succeeded") == account.redelivered("die_once") == 3
    assert page.sum(CELERY_TASKS) == 156
    assert page.sum(CELERY_FAILURES, exception="WorkerLostError") == page.sum(CELERY_FAILURES) == 3


def test_a_worker_told_to_restart_goes_on_counting(tasks, until, account):
    program = str(Path(sys.executable).with_name("celery"))  # which starts itself again; ``python -m celery`` cannot
    options = ("-c", "2", "-Q", "fast", "-l", "INFO", "--without-mingle", "--without-gossip")
    worker = tasks.launch.run(program, "-A", "watched.celery:app", "worker", *options)
    tasks.publisher.publish(ROUND, rounds=10)
    # Told in the middle of them, Celery's pool sometimes takes half a minute to end.
    until("the first tasks", all_ended(tasks, messages(10)))
    worker.popen.send_signal(signal.SIGHUP)
    tasks.publisher.publish(ROUND, rounds=10)
    until("its second life", lambda: worker.output.count(" ready.") == 2)
    until("an empty queue", lambda: tasks.client.llen("fast") == tasks.client.hlen("unacked") == 0)
    until("all tasks", lambda: tasks.counted().sum(CELERY_TASKS) == account.total() >= messages(20))
    worker.stop()
    assert_true(tasks.counted(), account, 20)


def test_a_worker_killed_in_the_middle_of_its_tasks_leaves_what_it_has_counted(tasks, until, account):
    worker = tasks.worker()
    tasks.publisher.publish(ROUND, rounds=5)
    until("the first tasks", all_ended(tasks, messages(5)))
    tasks.publish("linger_once", 2, (600,))
    until("both children at work", lambda: account.runs("linger_once") == 2)
    os.killpg(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait()
    cut = tasks.counted()
    assert cut.sum(CELERY_STARTED) == account.total() == cut.sum(CELERY_TASKS) + 2

    give_back_what_the_dead_held(tasks.launch.environment["BROKER_URL"])
    worker = tasks.worker()
    tasks.publisher.publish(ROUND, rounds=5)
    until("all tasks", all_ended(tasks, messages(10) + 2))
    worker.stop()
    page = tasks.counted()
    assert started(page, "linger_once") == account.runs("linger_once") == 4
    assert ended(page, "linger_once", "succeeded") == account.redelivered("linger_once") == 2
    assert page.sum(CELERY_STARTED) == account.total() == page.sum(CELERY_TASKS) + 2 == messages(10) + 4


def test_a_pool_killed_while_it_is_busy_loses_one_count_a_child_at_most(tasks, until, account):
    """A task that had begun may have been counted or not when its process died; nobody can know more."""
    worker = tasks.worker()
    tasks.publish("note", 1000)
    until("some tasks", lambda: account.total() >= 50)
    os.killpg(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait()
    assert tasks.client.llen("fast") > 0, "it was at work"
    page = tasks.counted()
    assert account.runs("note") <= started(page, "note") <= account.runs("note") + 2
    assert account.runs("note") - 2 <= ended(page, "note", "succeeded") <= account.runs("note")


def give_back_what_the_dead_held(broker_url: str) -> None:
    """What any worker does for a dead one after the visibility timeout (an hour), now."""
    with Connection(broker_url, transport_options={"visibility_timeout": 0}) as connection:
        connection.channel().qos.restore_visible()

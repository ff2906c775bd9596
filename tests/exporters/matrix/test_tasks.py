"""After known tasks the counters are the truth, whichever pool runs them and however its processes come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
from opsconsole_exporters.catalog.celery import CELERY_RUNTIME, CELERY_TASKS, CELERY_WAIT

from tests.exporters.conftest import Launcher, Process, Scrape

pytestmark = pytest.mark.real

# One round: how many of each, and how often each then ends.
ROUND = {"note": 16, "fail": 1, "retry_once": 1, "reject": 1, "ignore": 1}
ENDS = {
    ("note", "succeeded"): 16,
    ("fail", "failed"): 1,
    ("retry_once", "retried"): 1,
    ("retry_once", "succeeded"): 1,
    ("reject", "rejected"): 1,
    ("ignore", "ignored"): 1,
}
POOLS = {
    # its options, and rounds of 20 tasks: ten thousand where it is usual, fewer where a pool only starts them in another way
    "prefork": (("-P", "prefork", "-c", "2"), 500),
    "threads": (("-P", "threads", "-c", "4"), 25),
    "solo": (("-P", "solo"), 10),
    "a process a task": (("-P", "prefork", "-c", "2", "--max-tasks-per-child", "1"), 1),
}


@pytest.fixture
def publish(launch: Launcher) -> Callable[..., None]:
    """``publish(rounds, **tasks)``: as many rounds of that many of each task, mixed, by a process of its own."""

    def run(rounds: int, **tasks: int) -> None:
        code = (
            "from watched.celery import app\n"
            "with app.producer_pool.acquire() as producer:\n"
            f"    for _ in range({rounds}):\n"
            f"        for name, count in {tasks!r}.items():\n"
            "            for _ in range(count): app.send_task(f'watched.tasks.{name}', producer=producer)"
        )
        subprocess.run([sys.executable, "-c", code], env=launch.environment, cwd=launch.folder, check=True, timeout=120)

    return run


def counted(page: Scrape, task: str, state: str) -> float:
    return page.sum(CELERY_TASKS, task=f"watched.tasks.{task}", state=state)


def assert_counted(page: Scrape, rounds: int) -> None:
    assert {ends: counted(page, *ends) for ends in ENDS} == {ends: rounds * count for ends, count in ENDS.items()}
    total = rounds * sum(ENDS.values())
    assert page.sum(CELERY_TASKS) == page.sum(CELERY_RUNTIME.count) == page.sum(CELERY_WAIT.count) == total


def all_ended(sidecar: Process, tasks: int) -> Callable[[], Scrape | None]:
    return lambda: page if (page := sidecar.scrape()).sum(CELERY_TASKS) >= tasks else None


@pytest.mark.parametrize("pool", POOLS)
def test_the_counters_are_the_truth(launch, publish, until, pool):
    options, rounds = POOLS[pool]
    sidecar, worker = launch.sidecar(), launch.worker(*options)
    publish(rounds, **ROUND)
    until("all tasks", all_ended(sidecar, rounds * sum(ENDS.values())), deadline_s=200)
    worker.stop()  # nothing is added any more
    assert_counted(sidecar.scrape(), rounds)


def test_children_killed_on_the_spot_take_no_count_along(launch, publish, until):
    sidecar, worker = launch.sidecar(), launch.worker()
    publish(4, note=100, kill_itself=1)
    until("all tasks", all_ended(sidecar, 404))
    worker.stop()
    page = sidecar.scrape()
    assert counted(page, "note", "succeeded") == 400
    assert counted(page, "kill_itself", "failed") == 4
    assert page.sum(CELERY_TASKS) == 404


def test_a_worker_told_to_restart_goes_on_counting(launch, publish, until):
    sidecar = launch.sidecar()
    program = str(Path(sys.executable).with_name("celery"))  # which starts itself again; ``python -m celery`` cannot
    worker = launch.run(program, "-A", "watched.celery:app", "worker", "-c", "2", "-Q", "fast", "-l", "INFO")
    publish(10, **ROUND)
    until("the first tasks", all_ended(sidecar, 50))
    worker.popen.send_signal(signal.SIGHUP)
    until("its second life", lambda: worker.output.count(" ready.") == 2)
    publish(10, **ROUND)
    until("all tasks", all_ended(sidecar, 20 * sum(ENDS.values())))
    worker.stop()
    assert_counted(sidecar.scrape(), 20)


def test_a_worker_killed_on_the_spot_leaves_what_it_has_counted(launch, publish, until, broker_url):
    """A task that had done its work when its process was killed may be missing: one for each of the two children."""
    sidecar, worker = launch.sidecar(), launch.worker()
    publish(1, note=2000)
    until("some tasks", all_ended(sidecar, 200))
    os.killpg(worker.popen.pid, signal.SIGKILL)
    worker.popen.wait()
    before = sidecar.scrape()
    launch.worker()
    publish(1, note=10)
    with redis.Redis.from_url(broker_url) as client:
        until("an empty queue", lambda: client.llen("fast") == 0)
        until("the last tasks", lambda: worked(client) - 2 <= sidecar.scrape().sum(CELERY_TASKS) <= worked(client))
        done = worked(client)
    launch.started[-1].stop()
    assert before.sum(CELERY_TASKS) >= 200
    assert done - 2 <= sidecar.scrape().sum(CELERY_TASKS) <= done


def worked(client: redis.Redis) -> int:
    """How many tasks ``note`` have done their work, by their own account."""
    return int(client.get("noted") or 0)

"""Every worker process tells what it uses, under numbers that come back, and the dead tell nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opsconsole_exporters.catalog import process as names
from opsconsole_exporters.process import slot, worker
from opsconsole_exporters.process.eventloop import LoopProbe
from prometheus_client import REGISTRY

HOLD = """
import sys
from pathlib import Path
from opsconsole_exporters.process.slot import worker_number
print(worker_number(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def holder(directory):
    """A process that has a number; yields it and the number."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


def test_living_workers_have_numbers_of_their_own_and_those_of_the_dead_come_back(tmp_path):
    with holder(tmp_path) as (first, zero), holder(tmp_path) as (_, one):
        assert (zero, one) == ("0", "1")
        first.kill()  # not even an exit handler runs
        first.wait()
        with holder(tmp_path) as (_, again), holder(tmp_path) as (_, two):
            assert (again, two) == ("0", "2")


def test_a_forked_child_has_a_number_of_its_own(tmp_path):
    code = f"""
import os
from pathlib import Path
from opsconsole_exporters.process.slot import worker_number
mine = worker_number(Path({str(tmp_path)!r}))
child = os.fork()
if not child:
    print(worker_number(Path({str(tmp_path)!r})), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(mine, worker_number(Path({str(tmp_path)!r})))
"""
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1", "0", "0"]


def test_a_main_process_has_a_number_of_another_row(tmp_path):
    code = f"""
from pathlib import Path
from opsconsole_exporters.process.slot import worker_number
print(worker_number(Path({str(tmp_path)!r}), main=True), worker_number(Path({str(tmp_path)!r})))
"""
    with holder(tmp_path) as (_, zero):
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert (zero, said.stdout.split()) == ("0", ["main-0", "main-0"])


def test_more_workers_than_numbers_share_one(tmp_path, monkeypatch):
    monkeypatch.setattr(slot, "MOST", 1)
    with holder(tmp_path) as (_, zero):
        assert zero == "0"
        assert slot._lowest_free(tmp_path / slot.FILE) == slot.BEYOND


def test_calls_that_wait_for_a_thread_are_counted():
    begun, release = threading.Event(), threading.Event()
    before = worker.calls_waiting_for_thread()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: (begun.set(), release.wait(60)))
        assert begun.wait(60)
        for _ in range(3):
            pool.submit(int)
        assert worker.calls_waiting_for_thread() - before == 3
        release.set()


def test_a_loop_that_hangs_is_seen_while_it_hangs_and_its_delay_is_counted():
    async def ask():
        probe = LoopProbe(asyncio.get_running_loop(), "looptest")
        probe.step()
        probe.step()  # the callback has not run: this coroutine holds the loop
        hanging = value(names.LOOP_LAG, worker="looptest")
        assert value(f"{names.LOOP_DELAY}_count", worker="looptest") == 0
        await asyncio.sleep(0)
        return hanging

    assert asyncio.run(ask()) > 0
    assert value(f"{names.LOOP_DELAY}_count", worker="looptest") == 1


GARBAGE = """
import gc
from prometheus_client import GC_COLLECTOR, REGISTRY
from opsconsole_exporters.process.garbage import GarbageClock, GarbageMetrics
REGISTRY.unregister(GC_COLLECTOR)
GarbageMetrics("of the parent")
counted = GarbageMetrics("0")
counted.update()
ask = lambda name, **labels: REGISTRY.get_sample_value(name, {"worker": "0", **labels}) or 0.0
before = ask("python_gc_collections_total", generation="2")
gc.collect()
counted.update()
counted.update()
print(ask("python_gc_collections_total", generation="2") - before)
print(ask("opsconsole_gc_pause_seconds_total") > 0)
print(sum(isinstance(callback, GarbageClock) for callback in gc.callbacks))
"""


def test_collected_garbage_is_counted_once():
    said = subprocess.run([sys.executable, "-c", GARBAGE], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["1.0", "True", "1"]


def value(name: object, **labels: str) -> float:
    return REGISTRY.get_sample_value(str(name), labels) or 0.0


TOLD = (names.PROCESS_RESIDENT, names.PROCESS_START)


def workers_of(scrape, told=TOLD):
    """Those that have told all of ``told``: a worker tells one after the other, and a scrape may come in between."""
    series = [(sample, dict(labels).get("worker")) for sample, labels in scrape.samples]
    return set.intersection(*({worker for sample, worker in series if sample == str(name)} for name in told))


@pytest.mark.real
@pytest.mark.parametrize("asgi", [True, False], ids=["asgi", "wsgi"])
def test_each_worker_tells_and_one_that_was_killed_is_replaced(launch, until, asgi):
    web = launch.web(asgi=asgi, OPSCONSOLE_RELEASE="2026.11")
    page = until("both workers", lambda: (page := web.scrape()) and workers_of(page) == {"0", "1"} and page)
    assert page.sum(names.PROCESS_RESIDENT) > 20e6
    assert page.sum(names.PROCESS_OPEN_FDS) > 6
    assert page.sum(names.PROCESS_THREADS) >= 2
    assert page.value(names.RELEASE_INFO, version="2026.11") == 1
    oldest = min(page.value(names.PROCESS_START, worker=number) for number in "01")
    until("the release's start", lambda: web.scrape().value(names.RELEASE_START, version="2026.11") == oldest)
    used = page.value(names.PROCESS_CPU, worker="0")
    pids = {web.get("/plain/")[1] for _ in range(30)}
    killed = int(min(pids))
    os.kill(killed, signal.SIGKILL)
    until("its end", lambda: "was sent SIGKILL" in web.output or str(killed) != web.get("/plain/")[1])
    later = until(
        "the new worker",
        lambda: (
            (later := web.scrape())
            and workers_of(later) == {"0", "1"}
            and later.sum(names.PROCESS_START) > page.sum(names.PROCESS_START)
            and later
        ),
    )
    assert later.value(names.PROCESS_CPU, worker="0") >= used, "a counter never goes down"
    if asgi:
        until("the loop", lambda: web.scrape().sum(f"{names.LOOP_DELAY}_count"))


@pytest.mark.real
def test_children_of_the_prefork_pool_and_their_main_process_tell(launch, until):
    celery = launch.worker(OPSCONSOLE_RELEASE="2026.11")
    sidecar = launch.sidecar()
    page = until("all", lambda: (page := sidecar.scrape()) and workers_of(page) == {"main-0", "0", "1"} and page)
    resident = {worker: page.value(names.PROCESS_RESIDENT, worker=worker) for worker in ("main-0", "0", "1")}
    assert min(resident.values()) > 10e6
    assert page.value(names.PROCESS_OPEN_FDS, worker="main-0") > 3
    assert page.value(names.PROCESS_START, worker="main-0") < page.value(names.PROCESS_START, worker="0")
    oldest = page.value(names.PROCESS_START, worker="main-0")
    until("the release's start", lambda: sidecar.scrape().value(names.RELEASE_START, version="2026.11") == oldest)
    assert workers_of(page, [names.LOOP_LAG]) == set(), "it runs no loop of ours"
    celery.stop()
    until("its end", lambda: workers_of(sidecar.scrape()) == set())


@pytest.mark.real
def test_a_pool_that_does_not_fork_is_one_worker_from_the_start(launch, until):
    launch.worker("-P", "threads")
    sidecar = launch.sidecar()
    until("the worker", lambda: workers_of(sidecar.scrape()) == {"0"})


@pytest.mark.real
def test_without_a_shared_directory_the_answering_process_tells_of_itself(launch, until):
    web = launch.web(PROMETHEUS_MULTIPROC_DIR="", workers=1)
    page = web.scrape()
    assert workers_of(page) == {"0"}
    assert page.sum("python_info") == 1, "the other collectors stay"

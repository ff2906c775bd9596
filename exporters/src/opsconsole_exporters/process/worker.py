"""One worker process as metrics."""

from __future__ import annotations

import contextlib
from concurrent.futures import thread as pools

import psutil
from prometheus_client import GC_COLLECTOR, PROCESS_COLLECTOR, REGISTRY

from opsconsole_exporters import metrics, multiprocess
from opsconsole_exporters.catalog import process as names
from opsconsole_exporters.process.garbage import GarbageMetrics
from opsconsole_exporters.process.sampling import every_second
from opsconsole_exporters.process.slot import worker_number
from opsconsole_exporters.service import release

_PART = "process metrics"


class WorkerMetrics:
    """Reads the process it is in.  ``update`` once a second costs well under a millisecond."""

    def __init__(self, worker: str, version: str) -> None:
        self._process = psutil.Process()
        self._garbage = GarbageMetrics(worker)
        self._cpu = metrics.counter(names.PROCESS_CPU).labels(worker)
        self._cpu_told = 0.0
        self._resident = metrics.gauge(names.PROCESS_RESIDENT).labels(worker)
        self._virtual = metrics.gauge(names.PROCESS_VIRTUAL).labels(worker)
        self._open_fds = metrics.gauge(names.PROCESS_OPEN_FDS).labels(worker)
        self._threads = metrics.gauge(names.PROCESS_THREADS).labels(worker)
        self._waiting = metrics.gauge(names.THREADS_WAITED_FOR).labels(worker)
        started = self._process.create_time()
        metrics.gauge(names.PROCESS_START).labels(worker).set(started)
        metrics.gauge(names.PROCESS_MAX_FDS).labels(worker).set(_most_files())
        if version:
            metrics.gauge(names.RELEASE_INFO).labels(version).set(1)
            metrics.gauge(names.RELEASE_START).labels(version).set(started)

    def update(self) -> None:
        with self._process.oneshot():
            times = self._process.cpu_times()
            memory = self._process.memory_info()
            self._threads.set(self._process.num_threads())
        cpu_s = times.user + times.system
        self._cpu.inc(max(0.0, cpu_s - self._cpu_told))
        self._cpu_told = cpu_s
        self._resident.set(memory.rss)
        self._virtual.set(memory.vms)
        self._open_fds.set(self._process.num_fds())
        self._waiting.set(calls_waiting_for_thread())
        self._garbage.update()


def start(*, main: bool = False) -> None:
    """Begin to sample this process; in place of prometheus-client's collectors, which have the same names.

    ``main``: it forks those that do the work, and runs none itself.
    """
    for collector in (PROCESS_COLLECTOR, GC_COLLECTOR):
        with contextlib.suppress(KeyError):  # the service, or an earlier call, has taken it out
            REGISTRY.unregister(collector)
    number = worker_number(multiprocess.directory(), main=main)
    every_second(_PART, WorkerMetrics(number, release()).update)


def calls_waiting_for_thread() -> int:
    """Calls in the queues of all ``ThreadPoolExecutor``s of this process; they keep one table of their threads."""
    queues = {id(queue): queue for queue in list(getattr(pools, "_threads_queues", {}).values())}
    return sum(queue.qsize() for queue in queues.values())


def _most_files() -> float:
    import resource  # late: only POSIX has it

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit

"""Values in shared files that are added to the short way: the same numbers, whoever forks and however many threads add."""

from __future__ import annotations

import os
import subprocess
import sys

from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

# A server that forks without telling Python is what libc's own fork makes of this process.
ADDING = """
import ctypes, os, sys, threading
from prometheus_client import Counter, Gauge, Histogram, values
untouched = values.ValueClass.inc
from opsconsole_exporters import instrument, workerprocess
instrument("adding")
assert values.ValueClass.inc is not untouched
counter, gauge = Counter("things", "Things.", ["kind"]), Gauge("level", "Level.", multiprocess_mode="livesum")
sizes = Histogram("sizes", "Sizes.", buckets=(1, 2))

def add(times):
    for _ in range(times):
        counter.labels("a").inc(0.5)
        sizes.observe(1.5)
        gauge.inc()
        gauge.dec(0.5)

def child(fork):
    pid = fork()
    if not pid:
        workerprocess.ensure_started()
        add(100)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

add(100)
child(os.fork)
child(ctypes.CDLL(None).fork)
threads = [threading.Thread(target=add, args=(500,)) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
counter.labels("a").inc()
"""


def test_nothing_is_lost_and_nothing_doubled(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", ADDING], env=environment, check=True, timeout=60)
    assert len(list(tmp_path.glob("counter_*.db"))) == 3, "each process has a file of its own"
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(tmp_path))
    times = 100 + 100 + 100 + 4 * 500
    assert registry.get_sample_value("things_total", {"kind": "a"}) == times * 0.5 + 1
    assert registry.get_sample_value("sizes_bucket", {"le": "2.0"}) == times
    assert registry.get_sample_value("sizes_bucket", {"le": "1.0"}) == 0
    assert registry.get_sample_value("sizes_sum") == times * 1.5
    assert registry.get_sample_value("level") == times * 0.5


FORKING = """
import os, threading
from prometheus_client import Counter
from opsconsole_exporters import instrument
instrument("forking")
counter = Counter("things", "Things.")

def add():
    while True:
        counter.inc()

threading.Thread(target=add, daemon=True).start()
for _ in range(300):
    pid = os.fork()
    if not pid:
        counter.inc()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_child_forked_while_a_thread_adds_does_not_wait_for_it(tmp_path):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", FORKING], env=environment, check=True, timeout=60)

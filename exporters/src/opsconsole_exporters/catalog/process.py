"""Worker processes, under the names of prometheus-client's own collectors where they have one, for every worker.

Those collectors describe the process that answers the scrape and no other.
"""

from __future__ import annotations

from .metric import Kind, Metric

WORKER = ("worker",)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

PROCESS_CPU = Metric(
    "process_cpu_seconds_total",
    Kind.COUNTER,
    WORKER,
    "Seconds of CPU, user and system, that the worker has used; those of the workers before it included.",
    unit="seconds",
)

PROCESS_RESIDENT = Metric(
    "process_resident_memory_bytes", Kind.GAUGE, WORKER, "Memory of the worker that is in RAM.", unit="bytes"
)

PROCESS_VIRTUAL = Metric(
    "process_virtual_memory_bytes", Kind.GAUGE, WORKER, "Address space of the worker.", unit="bytes"
)

PROCESS_OPEN_FDS = Metric("process_open_fds", Kind.GAUGE, WORKER, "Files and sockets that the worker holds open.")

PROCESS_MAX_FDS = Metric("process_max_fds", Kind.GAUGE, WORKER, "The most files and sockets the worker may open.")

PROCESS_START = Metric(
    "process_start_time_seconds",
    Kind.GAUGE,
    WORKER,
    "When the worker started, in seconds since 1970.",
    unit="seconds",
    merge="livemax",
)

PROCESS_THREADS = Metric("opsconsole_process_threads", Kind.GAUGE, WORKER, "Threads of the worker.")

THREADS_WAITED_FOR = Metric(
    "opsconsole_process_calls_waiting_for_thread",
    Kind.GAUGE,
    WORKER,
    "Calls that wait for a free thread of the worker's thread pools, for example synchronous views under ASGI.",
)

GC_COLLECTIONS = Metric(
    "python_gc_collections_total",
    Kind.COUNTER,
    ("worker", "generation"),
    "Times a generation was collected.",
)

GC_COLLECTED = Metric(
    "python_gc_objects_collected_total", Kind.COUNTER, ("worker", "generation"), "Objects that were collected."
)

GC_UNCOLLECTABLE = Metric(
    "python_gc_objects_uncollectable_total",
    Kind.COUNTER,
    ("worker", "generation"),
    "Objects that could not be collected.",
)

GC_PAUSE = Metric(
    "opsconsole_gc_pause_seconds_total",
    Kind.COUNTER,
    WORKER,
    "Seconds in which the worker collected garbage and did nothing else.",
    unit="seconds",
)

LOOP_LAG = Metric(
    "opsconsole_event_loop_lag_seconds",
    Kind.GAUGE,
    WORKER,
    "How long the event loop lets a callback wait: the latest one, or the one that is still waiting.",
    unit="seconds",
)

LOOP_DELAY = Metric(
    "opsconsole_event_loop_delay_seconds",
    Kind.HISTOGRAM,
    WORKER,
    "How long callbacks waited for the event loop, one a second.",
    LAG_BUCKETS,
    "seconds",
)

RELEASE_INFO = Metric(
    "opsconsole_release_info",
    Kind.GAUGE,
    ("version",),
    "1 for every release that a living worker runs; more than one during a deployment.",
    merge="livemax",
)

RELEASE_START = Metric(
    "opsconsole_release_start_time_seconds",
    Kind.GAUGE,
    ("version",),
    "When the oldest living worker of the release started, in seconds since 1970.",
    unit="seconds",
    merge="livemin",
)

LABELS = {
    "worker": (
        "Number of the worker among those that live, 0 to 63, or `other`: a worker that takes the place of another takes "
        "its number, never a pid. `main-0` to `main-63`: the main processes of Celery workers whose pool forks."
    ),
    "generation": "Generation of Python's garbage collector: `0`, `1` or `2`.",
    "version": "Release of the service as `OPSCONSOLE_RELEASE` says: those that living workers run.",
}

METRICS = (
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START,
    PROCESS_THREADS,
    THREADS_WAITED_FOR,
    GC_COLLECTIONS,
    GC_COLLECTED,
    GC_UNCOLLECTABLE,
    GC_PAUSE,
    LOOP_LAG,
    LOOP_DELAY,
    RELEASE_INFO,
    RELEASE_START,
)

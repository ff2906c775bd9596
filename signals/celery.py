"""The task queues: what waits, who works, how it ends."""

from __future__ import annotations

from opsconsole_exporters.catalog.celery import (
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_RUNTIME,
    CELERY_TASKS,
    CELERY_WORKERS,
)

from .feed import Gauge
from .model import Signal
from .unit import Unit

# The broker's gauges are read by a sidecar that may run twice: two that look at one broker see the same messages
# and workers, so max says the truth where sum would say double.

QUEUE_LENGTH = Signal(
    name="celery_queue_waiting",
    title="Waiting tasks",
    expr=f"max by (job, queue) ({CELERY_QUEUE_LENGTH}{{$selector}})",
    unit=Unit.COUNT,
    by=("job", "queue"),
    help="Messages waiting in the broker, all priorities.",
)
QUEUE_OLDEST = Signal(
    name="celery_queue_oldest",
    title="Oldest waiting task",
    expr=f"max by (job, queue) ({CELERY_QUEUE_OLDEST}{{$selector}})",
    unit=Unit.SECONDS,
    by=("job", "queue"),
    help="Age of the oldest message in the queue: how late the next task starts.",
    feed=Gauge(CELERY_QUEUE_OLDEST),
)
WORKERS = Signal(
    name="celery_queue_workers",
    title="Workers",
    expr=f"max by (job, queue) ({CELERY_WORKERS}{{$selector}})",
    unit=Unit.COUNT,
    by=("job", "queue"),
    help="Workers with a recent heartbeat that consume the queue.",
    feed=Gauge(CELERY_WORKERS),
)
TASK_RATE = Signal(
    name="celery_task_rate",
    title="Tasks",
    expr=f"sum by (state) (rate({CELERY_TASKS}{{$selector}}[$window]))",
    unit=Unit.TASKS_PER_SECOND,
    by=("state",),
    help="Tasks per second that ended, by how they ended.",
)
TASK_RUNTIME_P95 = Signal(
    name="celery_task_runtime_p95",
    title="P95 runtime",
    expr=f"histogram_quantile(0.95, sum by (queue, le) (rate({CELERY_RUNTIME.bucket}{{$selector}}[$window])))",
    unit=Unit.SECONDS,
    by=("queue",),
    help="95 of 100 tasks of the queue ran at most this long, failed ones included.",
)
QUEUE_OLDEST_WORST = QUEUE_OLDEST.fold("max", "Oldest task", "Age of the oldest message of the latest queue.")
WORKERS_WORST = WORKERS.fold("min", "Workers", "Workers of the queue that has the fewest.")

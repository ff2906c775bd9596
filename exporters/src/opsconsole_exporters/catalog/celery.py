"""Celery tasks, queues and workers, after Prometheus' naming rules: no convention exists."""

from __future__ import annotations

from . import labels
from .metric import Kind, Metric

TASK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

CELERY_TASKS = Metric(
    "celery_tasks_total",
    Kind.COUNTER,
    ("task", "queue", "state"),
    "Tasks that ended, by state: succeeded, failed, retried, rejected, revoked, ignored.",
)

CELERY_SENT = Metric(
    "celery_tasks_sent_total",
    Kind.COUNTER,
    ("task", "queue"),
    "Task messages that the broker took from this process; each retry is one more.",
)

CELERY_STARTED = Metric(
    "celery_tasks_started_total", Kind.COUNTER, ("task", "queue"), "Tasks that began to run, redelivered ones again."
)

CELERY_FAILURES = Metric(
    "celery_task_failures_total",
    Kind.COUNTER,
    ("task", "queue", "exception"),
    "Tasks that failed, by the class of the exception.",
)

CELERY_RUNTIME = Metric(
    "celery_task_runtime_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds a task ran, failed ones included.",
    TASK_BUCKETS,
    unit="seconds",
)

CELERY_WAIT = Metric(
    "celery_task_wait_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds between publishing (or the ETA, if later) and the start of a task; redelivered messages are left out.",
    TASK_BUCKETS,
    unit="seconds",
)

CELERY_QUEUE_LENGTH = Metric(
    "celery_queue_length", Kind.GAUGE, ("queue",), "Messages waiting in the broker, all priorities."
)

CELERY_QUEUE_OLDEST = Metric(
    "celery_queue_oldest_message_age_seconds",
    Kind.GAUGE,
    ("queue",),
    "Age of the oldest message waiting in the broker; 0 when the queue is empty, absent when the broker cannot tell.",
    unit="seconds",
)

CELERY_WORKERS = Metric(
    "celery_workers", Kind.GAUGE, ("queue",), "Workers with a recent heartbeat that consume the queue."
)

CELERY_QUEUE_UNACKED = Metric(
    "celery_queue_unacked_messages",
    Kind.GAUGE,
    ("queue",),
    "Messages that workers hold and have not acknowledged: running, prefetched, or waiting for their ETA; "
    "absent when the broker cannot tell.",
)

CELERY_PROCESSES = Metric(
    "celery_worker_processes",
    Kind.GAUGE,
    ("queue",),
    "Processes or threads of the pools of those workers; absent when some of them are where they cannot be seen.",
)

CELERY_BEAT_TICK = Metric(
    "celery_beat_last_tick_timestamp_seconds",
    Kind.GAUGE,
    (),
    "When celery beat last looked at its schedule, in unix seconds; absent once beat has ended.",
    unit="seconds",
    merge="livemax",
)

CELERY_BEAT_MISSED = Metric(
    "celery_beat_missed_runs_total",
    Kind.COUNTER,
    ("entry",),
    "Runs of a schedule entry that beat left out, because it was late by a whole period or could not publish.",
)

LABELS = {
    "task": "Name under which the task is registered: as many as the code has.",
    "queue": "Name of the queue in Celery's configuration and in the workers' `-Q`: as many as are configured.",
    "state": "`succeeded`, `failed`, `retried`, `rejected`, `revoked` or `ignored`.",
    "exception": labels.EXCEPTION,
    "entry": "Name of the entry in beat's schedule: as many as the schedule has.",
}

METRICS = (
    CELERY_SENT,
    CELERY_STARTED,
    CELERY_FAILURES,
    CELERY_TASKS,
    CELERY_RUNTIME,
    CELERY_WAIT,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_QUEUE_UNACKED,
    CELERY_WORKERS,
    CELERY_PROCESSES,
    CELERY_BEAT_TICK,
    CELERY_BEAT_MISSED,
)

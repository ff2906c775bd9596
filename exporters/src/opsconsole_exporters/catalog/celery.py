"""Celery tasks, queues and workers, after Prometheus' naming rules: no convention exists."""

from __future__ import annotations

from .metric import Kind, Metric

TASK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)

CELERY_TASKS = Metric(
    "celery_tasks_total",
    Kind.COUNTER,
    ("task", "queue", "state"),
    "Tasks that ended, by state: succeeded, failed, retried, rejected, revoked, ignored.",
)

CELERY_RUNTIME = Metric(
    "celery_task_runtime_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds a task ran, failed ones included.",
    TASK_BUCKETS,
)

CELERY_WAIT = Metric(
    "celery_task_wait_seconds",
    Kind.HISTOGRAM,
    ("task", "queue"),
    "Seconds between publishing (or the ETA, if later) and the start of a task.",
    TASK_BUCKETS,
)

CELERY_QUEUE_LENGTH = Metric(
    "celery_queue_length", Kind.GAUGE, ("queue",), "Messages waiting in the broker, all priorities."
)

CELERY_QUEUE_OLDEST = Metric(
    "celery_queue_oldest_message_age_seconds",
    Kind.GAUGE,
    ("queue",),
    "Age of the oldest message waiting in the broker; 0 when the queue is empty.",
)

CELERY_WORKERS = Metric(
    "celery_workers", Kind.GAUGE, ("queue",), "Workers with a recent heartbeat that consume the queue."
)

METRICS = (
    CELERY_TASKS,
    CELERY_RUNTIME,
    CELERY_WAIT,
    CELERY_QUEUE_LENGTH,
    CELERY_QUEUE_OLDEST,
    CELERY_WORKERS,
)

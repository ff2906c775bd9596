"""The Overview: is anything wrong, since when, and where to look first."""

from __future__ import annotations

from alerts.rules.celery import CELERY_NO_WORKERS, CELERY_QUEUE_BACKLOG
from alerts.rules.database import DATABASE_POOL_SATURATED
from alerts.rules.http import DJANGO_ERROR_RATE_HIGH, DJANGO_LATENCY_HIGH
from alerts.rules.target import TARGET_DOWN
from dashboards.model import Board, Kind, Panel, Query, Row
from signals import celery, database, http, target

NOW = Row(
    "Now",
    (
        Panel(
            name="requests",
            title="Requests",
            kind=Kind.STAT,
            queries=(Query(http.REQUEST_RATE_TOTAL, "req/s", "d1"),),
            width=2,
            height=4,
        ),
        Panel(
            name="p95",
            title="P95 latency",
            subtitle="slowest service",
            kind=Kind.STAT,
            queries=(Query(http.LATENCY_P95_WORST, "P95", "d1"),),
            width=2,
            height=4,
            alerts=(DJANGO_LATENCY_HIGH,),
        ),
        Panel(
            name="error-share",
            title="Errors",
            subtitle="worst service",
            kind=Kind.STAT,
            queries=(Query(http.ERROR_RATIO_WORST, "5xx", "d1"),),
            width=2,
            height=4,
            alerts=(DJANGO_ERROR_RATE_HIGH,),
        ),
        Panel(
            name="oldest-task",
            title="Oldest task",
            subtitle="latest queue",
            kind=Kind.STAT,
            queries=(Query(celery.QUEUE_OLDEST_WORST, "oldest", "d1"),),
            width=2,
            height=4,
            alerts=(CELERY_QUEUE_BACKLOG,),
        ),
        Panel(
            name="pool",
            title="Database pool",
            subtitle="fullest pool",
            kind=Kind.STAT,
            queries=(Query(database.POOL_USED_WORST, "in use", "d1"),),
            width=2,
            height=4,
            alerts=(DATABASE_POOL_SATURATED,),
        ),
        Panel(
            name="workers",
            title="Workers",
            subtitle="scarcest queue",
            kind=Kind.STAT,
            queries=(Query(celery.WORKERS_WORST, "workers", "d1"),),
            width=2,
            height=4,
            alerts=(CELERY_NO_WORKERS,),
        ),
    ),
)

WEB = Row(
    "Web",
    (
        Panel(
            name="request-rate",
            title="Request rate",
            subtitle="req/s by status",
            kind=Kind.AREA,
            queries=(
                Query(http.RESPONSE_RATE_2XX, "2xx", "d1"),
                Query(http.RESPONSE_RATE_3XX, "3xx", "d7"),
                Query(http.RESPONSE_RATE_4XX, "4xx", "d3"),
                Query(http.RESPONSE_RATE_5XX, "5xx", "crit"),
            ),
            width=4,
            height=7,
            now=None,  # no class stands for the sum, which the row above shows
        ),
        Panel(
            name="latency",
            title="Latency",
            subtitle="seconds, P50 P95 P99",
            kind=Kind.LINE,
            queries=(
                Query(http.LATENCY_P50, "P50 {job}", "d2"),
                Query(http.LATENCY_P95, "P95 {job}", "d1"),
                Query(http.LATENCY_P99, "P99 {job}", "d4"),
            ),
            width=4,
            height=7,
            alerts=(DJANGO_LATENCY_HIGH,),
            now=1,
        ),
        Panel(
            name="errors",
            title="Errors",
            subtitle="5xx share of requests",
            kind=Kind.AREA,
            queries=(Query(http.ERROR_RATIO, "{job}", "crit"),),
            width=4,
            height=7,
            alerts=(DJANGO_ERROR_RATE_HIGH,),
        ),
    ),
)

DISTRIBUTION = Row(
    "Distribution and queues",
    (
        Panel(
            name="latency-distribution",
            title="Latency distribution",
            subtitle="requests by duration",
            kind=Kind.HEATMAP,
            queries=(Query(http.LATENCY_BUCKETS, "{le}"),),
            width=8,
            height=7,
            now=None,
        ),
        Panel(
            name="queues",
            title="Queues",
            subtitle="oldest waiting task",
            kind=Kind.TABLE,
            queries=(
                Query(celery.QUEUE_LENGTH, "waiting"),
                Query(celery.QUEUE_OLDEST, "oldest"),
                Query(celery.WORKERS, "workers"),
            ),
            width=4,
            height=7,
            key="queue",
            alerts=(CELERY_QUEUE_BACKLOG, CELERY_NO_WORKERS),
            now=None,
        ),
    ),
)

VIEWS = Row(
    "Views and database",
    (
        Panel(
            name="views",
            title="Slowest views",
            subtitle="P95, share of all time spent",
            kind=Kind.TABLE,
            queries=(
                Query(http.VIEW_RATE, "req/s"),
                Query(http.VIEW_LATENCY_P95, "P95"),
                Query(http.VIEW_TIME_SHARE, "time spent", "d1", bar=True),
            ),
            width=6,
            height=8,
            key="view",
            now=None,
        ),
        Panel(
            name="database-pool",
            title="Database pool",
            subtitle="share of its size",
            kind=Kind.AREA,
            queries=(
                Query(database.POOL_USED, "{job} {db_client_connection_pool_name} used", "d1"),
                Query(database.POOL_WAITING, "{job} {db_client_connection_pool_name} waiting", "d3"),
            ),
            width=3,
            height=8,
            alerts=(DATABASE_POOL_SATURATED,),
        ),
        Panel(
            name="database-queries",
            title="Database queries",
            subtitle="P95",
            kind=Kind.LINE,
            queries=(Query(database.QUERY_P95, "{job} {alias}"),),
            width=3,
            height=8,
        ),
    ),
)

WORK = Row(
    "Tasks and targets",
    (
        Panel(
            name="tasks",
            title="Tasks",
            subtitle="task/s by state",
            kind=Kind.AREA,
            queries=(Query(celery.TASK_RATE, "{state}"),),
            width=3,
            height=7,
            now=None,
        ),
        Panel(
            name="task-runtime",
            title="Task runtime",
            subtitle="P95 by queue",
            kind=Kind.LINE,
            queries=(Query(celery.TASK_RUNTIME_P95, "{queue}"),),
            width=3,
            height=7,
            now=None,
        ),
        Panel(
            name="exceptions",
            title="Exceptions",
            subtitle="by type",
            kind=Kind.AREA,
            queries=(Query(http.EXCEPTION_RATE, "{type}"),),
            width=3,
            height=7,
            now=None,
        ),
        Panel(
            name="targets",
            title="Targets",
            subtitle="last scrape",
            kind=Kind.TABLE,
            queries=(
                Query(target.UP, "up"),
                Query(target.SCRAPE_DURATION, "took"),
                Query(target.SCRAPE_SAMPLES, "samples"),
            ),
            width=3,
            height=7,
            key="instance",
            alerts=(TARGET_DOWN,),
            now=None,
        ),
    ),
)

OVERVIEW = Board(
    name="overview",
    title="Overview",
    help="Web tier, queues, database pool and targets of the chosen services: is anything wrong, and where to look first.",
    rows=(NOW, WEB, DISTRIBUTION, VIEWS, WORK),
)

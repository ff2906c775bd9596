"""The database as the service sees it: its connection pool and its queries."""

from __future__ import annotations

from opsconsole_exporters.catalog.database import DB_QUERY_DURATION
from opsconsole_exporters.catalog.pools import POOL_CONNECTIONS, POOL_MAX, POOL_PENDING

from .feed import GaugeRatio
from .model import Signal
from .unit import Unit

_POOL = "db_client_connection_pool_name"
_MAX = f"sum by (job, {_POOL}) ({POOL_MAX}{{$selector}})"

POOL_USED = Signal(
    name="database_pool_used",
    title="Pool in use",
    expr=(f'sum by (job, {_POOL}) ({POOL_CONNECTIONS}{{$selector, db_client_connection_state="used"}}) / ({_MAX} > 0)'),
    unit=Unit.RATIO,
    by=("job", _POOL),
    help="Share of the connections the pool may open that are in use.",
    feed=GaugeRatio(POOL_CONNECTIONS, POOL_MAX),
)
POOL_WAITING = Signal(
    name="database_pool_waiting",
    title="Waiting for the pool",
    # Over the size of the pool, so that it stands on one axis with the used share: 110 % is a tenth too much demand.
    expr=f"sum by (job, {_POOL}) ({POOL_PENDING}{{$selector}}) / ({_MAX} > 0)",
    unit=Unit.RATIO,
    by=("job", _POOL),
    help="Threads that wait for a connection, as a share of the pool's size.",
)
QUERY_P95 = Signal(
    name="database_query_p95",
    title="P95 of queries",
    expr=(
        f"histogram_quantile(0.95, sum by (job, alias, le) (rate({DB_QUERY_DURATION.bucket}{{$selector}}[$window])))"
    ),
    unit=Unit.SECONDS,
    by=("job", "alias"),
    help="95 of 100 database queries took at most this long.",
)
POOL_USED_WORST = POOL_USED.fold("max", "Database pool", "Share of connections in use of the fullest pool.")

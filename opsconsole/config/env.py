"""Everything the environment can say, read in one place."""

from __future__ import annotations

from pathlib import Path

import environ

env = environ.Env()

DATA_DIR = Path(env.str("OPSCONSOLE_DATA_DIR", default=".opsconsole")).resolve()
"""Records, telemetry and the secret key of this installation."""

URL_FILE = DATA_DIR / "url"
"""Where a running console says how it is reached, for the commands beside it."""

PUBLIC_URL = env.str(
    "OPSCONSOLE_URL", default=URL_FILE.read_text() if URL_FILE.exists() else "http://127.0.0.1:8000"
).rstrip("/")
"""How people reach the console; links in notifications begin with it."""

TELEMETRY_URL = env.str("TELEMETRY_URL", default="")
"""``clickhouse://user:password@host:port/database``; empty means the embedded engine in ``DATA_DIR``."""

METRICS_URL = env.str("METRICS_URL", default="")
"""``http(s)://user:password@host[/prefix]`` of a Prometheus-compatible server that metrics are read from and PromQL is
evaluated at; empty means the console's own."""

QUERY_SERIES = env.int("OPSCONSOLE_QUERY_SERIES", default=250_000)
"""Series that one selector of a query may mean."""

QUERY_SAMPLES = env.int("OPSCONSOLE_QUERY_SAMPLES", default=50_000_000)
"""Samples a query may hold at one time, 8 bytes each."""

QUERY_POINTS = env.int("OPSCONSOLE_QUERY_POINTS", default=11_000)
"""Instants a range query may have."""

QUERY_SECONDS = env.float("OPSCONSOLE_QUERY_SECONDS", default=30.0)
"""How long a query may take."""

ANSWERS_MEMORY = env.str("OPSCONSOLE_ANSWERS_MEMORY", default=str(32 << 20))
"""Bytes that answers of range queries may take, which are kept to be continued; 0 evaluates every query anew."""

SHELF_MEMORY = env.str("OPSCONSOLE_SHELF_MEMORY", default=str(96 << 20))
"""Bytes that samples may take which were read of the past lately; 0 reads them from the store each time."""

HEAD_MEMORY = env.str("OPSCONSOLE_HEAD_MEMORY", default=str(192 << 20))
"""Bytes that the recent samples of scraped series may take in memory."""

HEAD_SERIES = env.str("OPSCONSOLE_HEAD_SERIES", default="200000")
"""Scraped series that are kept in memory; further ones are refused."""

SAMPLES_DAYS = env.int("OPSCONSOLE_SAMPLES_DAYS", default=30)
"""How long every sample is kept."""

ROLLUPS_DAYS = env.int("OPSCONSOLE_ROLLUPS_DAYS", default=400)
"""How long five-minute rollups of them are kept."""

TRACES_DAYS = env.int("OPSCONSOLE_TRACES_DAYS", default=7)
"""How long traces are kept."""

DATABASE_URL = env.str("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'records.sqlite3'}")
REDIS_URL = env.str("REDIS_URL", default="")

API_TOKEN = env.str("OPSCONSOLE_API_TOKEN", default="")
PROFILE = env.str("OPSCONSOLE_PROFILE", default="production")
TARGETS = env.list("OPSCONSOLE_TARGETS", default=[])
"""What to scrape: ``job=http://host:port/metrics`` a target."""

WEBHOOK_URL = env.str("OPSCONSOLE_WEBHOOK_URL", default="")
"""Where the webhook channel posts; empty means no webhook."""

WEBHOOK_SECRET = env.str("OPSCONSOLE_WEBHOOK_SECRET", default="")
"""Signs webhook bodies with HMAC-SHA256 when set."""

ALLOWED_HOSTS = env.list("OPSCONSOLE_ALLOWED_HOSTS", default=[])
DEBUG = env.bool("OPSCONSOLE_DEBUG", default=False)

"""Where a request's CPU time goes, by samples: ``python -m bench.sampling REQUESTS PATH ...`` prints one line of JSON.

Asks the WSGI application of ``DJANGO_SETTINGS_MODULE`` directly, in one thread.  A timer that runs with the CPU clock
interrupts it; each time the innermost frame with an owner gets the sample.  Libraries that work for whoever calls them
(prometheus-client, OpenTelemetry's SDK, the standard library) own nothing; their callers do.  What owns nothing by name is
the service itself.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import time
from collections import Counter
from itertools import cycle, islice
from types import FrameType
from urllib.parse import urlsplit

INTERVAL_S = 0.001
WARM_UP = 60
SERVICE = "the service"

# The first that a file's path holds.
OWNERS = {
    "/opsconsole_exporters/django/traces": "spans of requests",
    "/opsconsole_exporters/django/statements": "spans of queries",
    "/opsconsole_exporters/django/database": "metrics of queries",
    "/opsconsole_exporters/django/": "metrics of requests",
    "/opsconsole_exporters/pools": "metrics of pools",
    # Called when the collector has run, which the service's objects make it do: a sample that came meanwhile is delivered there.
    "/opsconsole_exporters/process/garbage": SERVICE,
    "/opsconsole_exporters/logs": "logs",
    "/opsconsole_exporters/": "the rest of ours",
    "/opentelemetry/instrumentation/celery/": "spans of tasks",
    "/django_prometheus/": "metrics of requests",
    "/structlog/": "logs",
}
SHARED = ("/opsconsole_exporters/sharedvalues", "/opsconsole_exporters/batch", "/opsconsole_exporters/metrics.")
"""prometheus-client's own work, done in its place."""
PASSIVE = ("/prometheus_client/", "/opentelemetry/", "/wrapt/", "/lib/python", "<frozen", "<string>")


def owner(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        if any(shared in path for shared in SHARED):
            frame = frame.f_back
            continue
        for part, name in OWNERS.items():
            if part in path:
                return name
        if "/site-packages/" in path:
            if not any(passive in path for passive in PASSIVE[:3]):
                return SERVICE
        elif not any(passive in path for passive in PASSIVE[3:]):
            return SERVICE
        frame = frame.f_back
    return SERVICE


def main() -> None:
    requests, paths = int(sys.argv[1]), sys.argv[2:]
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    samples: Counter[str] = Counter()

    def ask(path: str) -> None:
        parts = urlsplit(path)
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "wsgi.input": io.BytesIO(),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "REMOTE_ADDR": "127.0.0.1",
        }
        response = application(environ, lambda *_: None)
        b"".join(response)
        response.close()

    for path in islice(cycle(paths), WARM_UP):
        ask(path)
    signal.signal(signal.SIGPROF, lambda _, frame: samples.update((owner(frame),)))
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    started = time.thread_time()
    for path in islice(cycle(paths), requests):
        ask(path)
    used = time.thread_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    total = samples.total()
    parts = {name: round(used / requests * 1e6 * count / total, 1) for name, count in samples.most_common()}
    print(json.dumps({"all": round(used / requests * 1e6), **parts}))


if __name__ == "__main__":
    main()

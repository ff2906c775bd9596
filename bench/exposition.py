"""What scraping costs: reading expositions, and whole scrapes beside Debian's Prometheus.

    python -m bench.exposition [--seconds 20]

``parse``: samples a CPU second of the first body and of the bodies after it, half of whose values changed, and those of
prometheus_client's parsers.  ``scrape``: CPU milliseconds a scrape (fetch, parse, append to the head) of a real scraper
process and of Prometheus, which scrape the same server every second during the same seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from opsconsole.ingest.exposition import ExpositionParser
from opsconsole.ingest.scrape import Scrape, Scraper
from opsconsole.ingest.target import Target
from opsconsole.series.clock import SystemClock
from opsconsole.series.labels import Labels
from opsconsole.storage.head import Head

RESULT = Path(__file__).with_suffix(".json")
SIZES = (100, 1_000, 8_500, 50_000)
BODIES = 4


def body(samples: int, turn: int, *, openmetrics: bool) -> bytes:
    """Families of 17 counters, of which half moved since the last turn; an exemplar on every fifth, anew each time."""
    chance, lines = random.Random(samples), []
    for number in range(samples):
        family, bucket = divmod(number, 17)
        if not bucket:
            lines += [
                f"# HELP latency_{family}_seconds How long it took.",
                f"# TYPE latency_{family}_seconds counter",
            ]
        count = chance.randrange(10**6) + (turn if number % 2 else 0)
        bound = "+Inf" if bucket == 16 else f"{(bucket + 1) / 20}"
        labels = f'view="/api/items/{family % 50}",method="GET",le="{bound}"'
        exemplar = f' # {{trace_id="{family:016x}{turn:016x}"}} 0.01' if openmetrics and not bucket % 5 else ""
        lines.append(f"latency_{family}_seconds_total{{{labels}}} {count}.0{exemplar}")
    return ("\n".join([*lines, "# EOF"] if openmetrics else lines) + "\n").encode()


def cpu(work: Callable[[], object], repeat: int = 1) -> float:
    begin = time.process_time()
    for _ in range(repeat):
        work()
    return (time.process_time() - begin) / repeat


def parse(samples: int, *, openmetrics: bool) -> dict[str, int]:
    bodies = [body(samples, turn, openmetrics=openmetrics) for turn in range(BODIES)]
    target, read = Labels.of(job="a", instance="b:1"), read_openmetrics if openmetrics else read_text
    first = cpu(lambda: ExpositionParser(target).parse(bodies[0], openmetrics=openmetrics), max(1, 5_000 // samples))
    parser = ExpositionParser(target)
    parser.parse(bodies[-1], openmetrics=openmetrics)  # the first one is measured by itself
    steady = (
        cpu(lambda: [parser.parse(one, openmetrics=openmetrics) for one in bodies], max(3, 50_000 // samples)) / BODIES
    )
    client = cpu(lambda: list(read(bodies[0].decode())), max(1, 2_000 // samples))
    rates = {"first": first, "steady": steady, "prometheus_client": client}
    return {name: round(samples / seconds) for name, seconds in rates.items()}


@contextmanager
def exposing() -> Iterator[int]:
    """A server whose ``/SAMPLES`` changes with every request; its port."""
    kept = {(n, om): [body(n, turn, openmetrics=om) for turn in range(BODIES)] for n in SIZES for om in (False, True)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            openmetrics = "openmetrics" in self.headers.get("Accept", "")
            answer = kept[int(self.path[1:]), openmetrics][int(time.time()) % BODIES]
            kind = "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


class _ToHead:
    def __init__(self) -> None:
        self._head = Head()

    def append(self, scrape: Scrape) -> None:
        self._head.append(scrape.target, scrape.timestamp_ms, scrape.labels, scrape.values)


async def console(url: str) -> None:
    """The scraper alone, until it is ended."""
    scraper = Scraper([Target.parse(f"bench={url}", interval_s=1)], _ToHead(), SystemClock())
    await scraper.start()
    await asyncio.sleep(3600)


def prometheus(url: str, folder: Path) -> subprocess.Popen[bytes] | None:
    if not (binary := shutil.which("prometheus")):
        return None
    host, path = url.removeprefix("http://").split("/")
    job = {"job_name": "bench", "metrics_path": f"/{path}", "static_configs": [{"targets": [host]}]}
    (folder / "prometheus.yml").write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    return subprocess.Popen(
        [
            binary,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=exemplar-storage",
        ],
        stderr=subprocess.DEVNULL,
    )


def scrape(port: int, samples: int, seconds: float) -> dict[str, Any]:
    """CPU milliseconds a scrape, of both during the same seconds."""
    url = f"http://127.0.0.1:{port}/{samples}"
    with tempfile.TemporaryDirectory() as folder:
        ours = subprocess.Popen([sys.executable, "-m", "bench.exposition", "--console", url])
        peer = prometheus(url, Path(folder))
        running = {"console": ours, **({"prometheus": peer} if peer else {})}
        try:
            time.sleep(4)
            before = {name: psutil.Process(process.pid).cpu_times() for name, process in running.items()}
            time.sleep(seconds)
            after = {name: psutil.Process(process.pid).cpu_times() for name, process in running.items()}
        finally:
            for process in running.values():
                process.terminate()
                process.wait(20)
    used = {
        name: (after[name].user - before[name].user) + (after[name].system - before[name].system) for name in running
    }
    result: dict[str, Any] = {name: round(1000 * taken / seconds, 2) for name, taken in used.items()}
    if peer:
        result["ratio"] = round(used["prometheus"] / max(used["console"], 0.01), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=20, help="how long to measure each size (default: %(default)s)"
    )
    parser.add_argument("--console", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.console:
        asyncio.run(console(arguments.console))
        return
    result: dict[str, Any] = {"seconds": arguments.seconds, "parse": {}, "scrape": {}}
    for name, openmetrics in (("text", False), ("openmetrics", True)):
        result["parse"][name] = {str(samples): parse(samples, openmetrics=openmetrics) for samples in SIZES}
    with exposing() as port:
        result["scrape"] = {str(samples): scrape(port, samples, arguments.seconds) for samples in SIZES}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

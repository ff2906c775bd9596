"""What it costs to watch the demo's web service: nothing, django-prometheus alone, and ours with no traces, as it
comes, with 10 % and with all traces.

    python -m bench.instrumentation [--starts 5] [--rounds 24] [--requests 40]

One worker for each way, all up, asked in short turns, so that whatever else the machine does meets them alike; and all
started anew several times, since how a process happens to lie in memory is worth some per cent.  CPU a request is the
figure to trust: it counts the work of the worker and not the wait.  Ratios are of what all rounds took, over ``off``; beside
them, as a measure of what they are worth, the least and the most of the starts, and what a second ``off`` makes of it.  At
the end, where our microseconds go, by samples of one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

from bench.client import Client
from bench.shop import CONTROL, DEFAULT, WATCHED_BY, Shop, collecting, shops, stores

RESULT = Path(__file__).with_suffix(".json")
PATHS = ("/", "/products/", "/search/?q=lamp", "/products/?page=2")
CONNECTIONS = 4
BUDGET_PERCENT = 5.0


@dataclass(slots=True)
class Rounds:
    """What one way of watching cost, a number a round.  ``latencies``: milliseconds, of all rounds together."""

    cpu_us: list[float] = field(default_factory=list)
    a_second: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    def add(self, shop: Shop, requests: int) -> None:
        cpu, started = shop.cpu_seconds(), time.perf_counter()
        self.latencies += ask(shop.url, requests)
        took = time.perf_counter() - started
        self.cpu_us.append((shop.cpu_seconds() - cpu) / requests * 1e6)
        self.a_second.append(requests / took)


def ask(url: str, requests: int) -> list[float]:
    """Milliseconds of each request, over ``CONNECTIONS`` at once."""
    taken: list[float] = []

    def converse() -> None:
        client = Client(url)
        for path in islice(cycle(PATHS), requests // CONNECTIONS):
            started = time.perf_counter()
            client.get(path)
            taken.append((time.perf_counter() - started) * 1000)
        client.close()

    threads = [threading.Thread(target=converse) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(taken) != requests:
        raise SystemExit(f"{requests - len(taken)} of {requests} requests got no answer from {url}")
    return taken


def measured(up: dict[str, Shop], rounds: int, requests: int) -> dict[str, Rounds]:
    for shop in up.values():
        ask(shop.url, 2 * CONNECTIONS * len(PATHS))  # templates, plans, connections
    ways = {name: Rounds() for name in up}
    for number in range(rounds):
        names = list(up)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            ways[name].add(up[name], requests)
    return ways


def summary(starts: list[dict[str, Rounds]]) -> dict[str, dict[str, Any]]:
    """Each way's figures over all starts."""
    found = {}
    for name in starts[0]:
        cpu_us = [ways[name].cpu_us for ways in starts]
        off = [ways["off"].cpu_us for ways in starts]
        each = [over(ours, theirs) for ours, theirs in zip(cpu_us, off, strict=True)]
        latencies = list(chain.from_iterable(ways[name].latencies for ways in starts))
        found[name] = {
            "cpu_us_a_request": round(statistics.fmean(chain.from_iterable(cpu_us))),
            "cpu_over_off_percent": over(list(chain.from_iterable(cpu_us)), list(chain.from_iterable(off))),
            "least_and_most_of_starts": [min(each), max(each)],
            "requests_a_second": round(
                statistics.harmonic_mean(list(chain.from_iterable(ways[name].a_second for ways in starts))), 1
            ),
            "p50_ms": round(statistics.median(latencies), 2),
            "p99_ms": round(statistics.quantiles(latencies, n=100)[98], 2),
        }
    return found


def over(ours: list[float], theirs: list[float]) -> float:
    """By how many per cent the first is more than the second, of all rounds together."""
    return round(100 * (sum(ours) / sum(theirs) - 1), 1)


def where(environment: dict[str, str], requests: int) -> dict[str, dict[str, float]]:
    """The same pages in one thread of one process each: microseconds a request by part."""
    parts = {}
    for name, difference in WATCHED_BY.items():
        if name == CONTROL:
            continue
        command = [sys.executable, "-W", "ignore", "-m", "bench.sampling", str(requests), *PATHS]
        said = subprocess.run(
            command, env={**environment, **difference}, stdout=subprocess.PIPE, text=True, check=True, timeout=300
        ).stdout
        parts[name] = json.loads(said.splitlines()[-1])
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5, help="times all are started (default: %(default)s)")
    parser.add_argument(
        "--rounds", type=int, default=24, help="times each is asked in turn, a start (default: %(default)s)"
    )
    parser.add_argument("--requests", type=int, default=40, help="requests a round (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=600, help="requests to sample, 0: none (default: %(default)s)")
    arguments = parser.parse_args()
    requests = max(1, arguments.requests // CONNECTIONS) * CONNECTIONS
    with tempfile.TemporaryDirectory() as root, collecting() as collector, stores(Path(root)) as environment:
        starts = []
        for number in range(arguments.starts):
            folder = Path(root) / f"start-{number}"
            folder.mkdir()
            with shops(environment, folder, collector) as up:
                starts.append(measured(up, arguments.rounds, requests))
        ways = summary(starts)
        result: dict[str, object] = {
            "starts": arguments.starts,
            "rounds": arguments.rounds,
            "requests_a_round": requests,
            "ways": ways,
        }
        if arguments.samples:
            traces = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector}"}
            shared = Path(root) / "sampled"
            shared.mkdir()
            own = {"PROMETHEUS_MULTIPROC_DIR": str(shared)}
            result["microseconds_by_part"] = where({**environment, **traces, **own}, arguments.samples)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    over_off = ways[DEFAULT]["cpu_over_off_percent"]
    print(
        f"as it comes: {over_off:+} % of CPU, {'within' if over_off < BUDGET_PERCENT else 'OVER'} the {BUDGET_PERCENT:g} %"
    )


if __name__ == "__main__":
    main()

"""``python -m demo_app.traffic http://127.0.0.1:8001``: visit the shop until told to stop.

``SHOP_FAULTS_URL`` says where the switches are.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx

from ..faults.switches import Switches, connect
from .curve import requests_per_second
from .shopper import REQUESTS_PER_ACTION, Shopper

TIMEOUT_S = 20.0
SHOPPERS = 30
"""Visitors at once, at most: when the shop is slow they wait for it, as people do, instead of piling up without end."""


async def visit(base_url: str, switches: Switches, stop: asyncio.Event) -> None:
    """Keep the rate of the curve until ``stop``; each visitor has its own cookies and does one thing at a time."""
    chance = random.Random()  # noqa: S311  behaviour, not a secret
    # One transport, and a connection for each request: kept ones would all stay with the worker that took them first.
    limits = httpx.Limits(max_keepalive_connections=0)
    transport = httpx.AsyncHTTPTransport(verify=False, limits=limits)  # nosec B501  plain HTTP on loopback
    browsers = [httpx.AsyncClient(transport=transport, base_url=base_url, timeout=TIMEOUT_S) for _ in range(SHOPPERS)]
    free = deque(Shopper(browser, chance, switches) for browser in browsers)
    tally = Tally()

    async def act(shopper: Shopper) -> None:
        try:
            made = await shopper.act()
        except httpx.HTTPError as error:
            tally.unanswered += 1
            print(f"no answer: {type(error).__name__}: {error}", flush=True)
        else:
            tally.requests += made
            say_ready()
        free.append(shopper)

    began = next_s = time.monotonic()
    visits: set[asyncio.Task[None]] = set()
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        now_s = time.monotonic()
        tally.report_every(10, now_s)
        rate = requests_per_second(now_s - began) / REQUESTS_PER_ACTION
        # Visits keep to a timetable: what one of them costs us does not delay the next.
        next_s = max(next_s + chance.expovariate(rate), now_s - 1)
        await asyncio.wait({stopped}, timeout=max(next_s - now_s, 0))
        if free:
            visit_task = asyncio.create_task(act(free.popleft()))
            visits.add(visit_task)
            visit_task.add_done_callback(visits.discard)
    for visit_task in visits:
        visit_task.cancel()
    await asyncio.gather(*visits, return_exceptions=True)
    await asyncio.gather(*(browser.aclose() for browser in browsers))


@cache
def say_ready() -> None:
    """Tell whoever started us that the shop has answered; once is enough."""
    if ready_file := os.environ.get("SHOP_READY_FILE"):
        Path(ready_file).touch()


@dataclass(slots=True)
class Tally:
    """What happened since the last line of the log."""

    requests: int = 0
    unanswered: int = 0
    since_s: float = field(default_factory=time.monotonic)

    def report_every(self, seconds: float, now_s: float) -> None:
        if now_s - self.since_s < seconds:
            return
        rate = self.requests / (now_s - self.since_s)
        print(f"{rate:.1f} requests/s, {self.unanswered} without an answer", flush=True)
        self.requests, self.unanswered, self.since_s = 0, 0, now_s


async def main(base_url: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await visit(base_url, connect(os.environ["SHOP_FAULTS_URL"]), stop)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m demo_app.traffic http://HOST:PORT")
    asyncio.run(main(sys.argv[1]))

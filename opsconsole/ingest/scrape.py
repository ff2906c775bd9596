"""The scrape loop: asks every target for its metrics at its interval and hands what came to a sink."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from time import perf_counter
from typing import Protocol

import httpx
import numpy as np
import structlog

from opsconsole.series.clock import Clock
from opsconsole.series.labels import METRIC_NAME, Labels

from .exposition import Exposition, ExpositionParser, MalformedExposition
from .limits import IngestLimits
from .scraped import OWN_SERIES, Scrape
from .target import Target

__all__ = ["Scrape", "ScrapeSink", "Scraper", "Target", "TargetState", "TargetStatus"]

log = structlog.get_logger(__name__)

_ACCEPT = "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5"
_NOTHING = Exposition((), np.empty(0))


class ScrapeSink(Protocol):
    """Who keeps samples.  Called from worker threads, for one target one after the other."""

    def append(self, scrape: Scrape) -> None: ...


class TargetState(StrEnum):
    UNKNOWN = "unknown"  # not scraped yet
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How the last scrape went.  ``error`` is one line, "" when it went well; ``last_scrape_ms`` 0 before the first."""

    target: Target
    state: TargetState = TargetState.UNKNOWN
    error: str = ""
    last_scrape_ms: int = 0
    duration_s: float = 0.0
    samples: int = 0


class ScrapeFailed(Exception):
    """Why a scrape brought nothing; one line."""


class Scraper:
    """Runs a loop a target in the running event loop.  A target that fails, or is slow, never holds up another."""

    def __init__(
        self, targets: Sequence[Target], sink: ScrapeSink, clock: Clock, limits: IngestLimits | None = None
    ) -> None:
        """Raises ``ValueError`` when two targets have the same job and instance: their series could not be told apart."""
        self._sink = sink
        self._clock = clock
        self._limits = limits or IngestLimits()
        self._targets: dict[Labels, Target] = {}
        for target in targets:
            if target.labels in self._targets:
                raise ValueError(f"target {target.job}={target.url} stands in the list twice; remove one")
            self._targets[target.labels] = target
        self._status = {labels: TargetStatus(target) for labels, target in self._targets.items()}
        self._parsers = {labels: ExpositionParser(labels) for labels in self._targets}
        self._own_series = {
            labels: tuple(Labels.of(labels, **{METRIC_NAME: name}) for name in OWN_SERIES) for labels in self._targets
        }
        self._layouts = {labels: _Layout((), own) for labels, own in self._own_series.items()}
        self._loops: list[asyncio.Task[None]] = []
        self._client: httpx.AsyncClient | None = None

    @property
    def status(self) -> Sequence[TargetStatus]:
        """A snapshot, by job and instance."""
        return sorted(self._status.values(), key=lambda status: (status.target.job, status.target.instance))

    async def start(self) -> None:
        self._client = httpx.AsyncClient(
            headers={"Accept": _ACCEPT, "User-Agent": "OpsConsole"},
            follow_redirects=True,
            trust_env=False,  # a proxy for the internet is no way to a target
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        )
        self._loops = [
            asyncio.create_task(self._loop(labels), name=f"scrape {target.job} {target.instance}")
            for labels, target in self._targets.items()
        ]

    async def stop(self) -> None:
        """End the loops; a scrape under way is given up."""
        for loop in self._loops:
            loop.cancel()
        for loop in self._loops:
            with suppress(asyncio.CancelledError):
                await loop
        self._loops = []
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def scrape(self, labels: Labels) -> None:
        """Scrape the target ``labels`` (its job and instance) now and hand the outcome to the sink, whatever it is."""
        target = self._targets[labels]
        timestamp_ms, begin = self._clock.now_ms(), perf_counter()
        error, exposition = "", _NOTHING
        try:
            async with asyncio.timeout(target.timeout_s):
                body, openmetrics = await self._fetch(target)
            # In a thread: 50,000 samples take long enough to be felt by everybody else on the loop.
            exposition = await asyncio.to_thread(self._parse, labels, body, openmetrics=openmetrics)
        except TimeoutError:
            error = f"no answer within {target.timeout_s:g} s"
        except ScrapeFailed as failed:
            error = str(failed)
        duration_s = perf_counter() - begin
        await asyncio.to_thread(self._hand_over, labels, timestamp_ms, exposition, duration_s, up=not error)
        before = self._status[labels]
        self._status[labels] = replace(
            before,
            state=TargetState.DOWN if error else TargetState.UP,
            error=error,
            last_scrape_ms=timestamp_ms,
            duration_s=duration_s,
            samples=len(exposition.labels),
        )
        if error != before.error:
            log.info("target_changed", job=target.job, instance=target.instance, up=not error, error=error)

    async def _loop(self, labels: Labels) -> None:
        """Scrape in the target's own slot of every interval: targets spread out, a target keeps its distance."""
        interval_ms = max(1, round(self._targets[labels].interval_s * 1000))
        slot_ms = labels.fingerprint() % interval_ms
        while True:
            now_ms = self._clock.now_ms()
            await asyncio.sleep((interval_ms - (now_ms - slot_ms) % interval_ms) / 1000)
            try:
                await self.scrape(labels)
            except Exception:
                log.exception("scrape_failed", target=str(labels))  # a defect of ours; the next scrape may do better

    async def _fetch(self, target: Target) -> tuple[bytes, bool]:
        """(the body, whether it is OpenMetrics).  Raises ``ScrapeFailed``."""
        if self._client is None:
            raise RuntimeError("the scraper is not started")
        body = bytearray()
        try:
            async with self._client.stream("GET", target.url, timeout=target.timeout_s) as response:
                if response.status_code != 200:
                    raise ScrapeFailed(f"answered HTTP {response.status_code}")
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > self._limits.scrape_bytes:
                        raise ScrapeFailed(f"exposes more than the limit of {self._limits.scrape_bytes:,} bytes")
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.HTTPError as error:
            raise ScrapeFailed(f"cannot be reached: {_one_line(error)}") from None
        openmetrics = response.headers.get("content-type", "").startswith("application/openmetrics-text")
        return bytes(body), openmetrics

    def _parse(self, labels: Labels, body: bytes, *, openmetrics: bool) -> Exposition:
        try:
            exposition = self._parsers[labels].parse(body, openmetrics=openmetrics)
        except MalformedExposition as error:
            raise ScrapeFailed(f"malformed metrics, {error}") from None
        if (samples := len(exposition.labels)) > self._limits.scrape_samples:
            raise ScrapeFailed(f"exposes {samples:,} samples, over the limit of {self._limits.scrape_samples:,}")
        if exposition.labels is not self._layouts[labels].exposed:  # the parser repeats the tuple of the same series
            own = self._own_series[labels]
            if taken := set(own).intersection(exposition.labels):
                raise ScrapeFailed(f"exposes {taken.pop().metric}, which the scraper writes itself; rename it")
            self._layouts[labels] = _Layout(exposition.labels, (*own, *exposition.labels))
        return exposition

    def _hand_over(
        self, labels: Labels, timestamp_ms: int, exposition: Exposition, duration_s: float, *, up: bool
    ) -> None:
        own = np.array([float(up), duration_s, len(exposition.labels)])
        complete = self._layouts[labels].complete if up else self._own_series[labels]
        self._sink.append(Scrape(labels, timestamp_ms, complete, np.concatenate([own, exposition.values])))


@dataclass(frozen=True, slots=True)
class _Layout:
    """The series of a target's last good scrape, as exposed and with the scraper's own in front."""

    exposed: Sequence[Labels]
    complete: Sequence[Labels]


def _one_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n", 1)[0]

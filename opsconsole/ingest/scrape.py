"""The scrape loop: asks every target for its metrics at its interval and hands what came to a sink."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from time import perf_counter
from typing import Protocol

import aiohttp
import numpy as np
import structlog

from opsconsole.series.clock import Clock
from opsconsole.series.labels import METRIC_NAME, Labels

from .exposition import NO_TIMESTAMP, Exposition, ExpositionParser, MalformedExposition
from .limits import IngestLimits, Malformed, TooLarge, UnsupportedEncoding, unpack
from .scraped import OWN_SERIES, Scrape
from .target import Target

__all__ = ["Scrape", "ScrapeSink", "Scraper", "Target", "TargetState", "TargetStatus"]

log = structlog.get_logger(__name__)

# OpenMetrics first, as Prometheus 3 asks: it alone has exemplars.
_ACCEPT = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
_CHUNK = 1 << 18
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
    """How the last scrape went.  ``error`` is one line, "" when it went well; ``last_scrape_ms`` 0 before the first.

    ``notes``: what was not taken as it was exposed although the scrape went well, a line each.
    """

    target: Target
    state: TargetState = TargetState.UNKNOWN
    error: str = ""
    last_scrape_ms: int = 0
    duration_s: float = 0.0
    samples: int = 0
    notes: Sequence[str] = ()


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
        self._parsers = {labels: ExpositionParser(labels, self._limits) for labels in self._targets}
        self._own_series = {
            labels: tuple(Labels.of(labels, **{METRIC_NAME: name}) for name in OWN_SERIES) for labels in self._targets
        }
        self._layouts = {labels: _Layout((), own) for labels, own in self._own_series.items()}
        self._loops: list[asyncio.Task[None]] = []
        self._client: aiohttp.ClientSession | None = None

    @property
    def status(self) -> Sequence[TargetStatus]:
        """A snapshot, by job and instance."""
        return sorted(self._status.values(), key=lambda status: (status.target.job, status.target.instance))

    async def start(self) -> None:
        self._client = aiohttp.ClientSession(  # a fraction of the CPU that httpx takes for a request
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": _ACCEPT, "Accept-Encoding": "gzip", "User-Agent": "OpsConsole"},
            auto_decompress=False,  # ``unpack`` knows when to stop
            read_bufsize=_CHUNK,
            timeout=aiohttp.ClientTimeout(total=None),  # ``scrape`` minds the time
            trust_env=False,  # a proxy for the internet is no way to a target
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
            await self._client.close()
            self._client = None

    async def scrape(self, labels: Labels) -> None:
        """Scrape the target ``labels`` (its job and instance) now and hand the outcome to the sink, whatever it is."""
        target = self._targets[labels]
        timestamp_ms, begin = self._clock.now_ms(), perf_counter()
        error, exposition = "", _NOTHING
        try:
            async with asyncio.timeout(target.timeout_s):
                answer = await self._fetch(target)
            # In a thread: 50,000 samples take long enough to be felt by everybody else on the loop.
            exposition = await asyncio.to_thread(self._parse, labels, answer, timestamp_ms)
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
            notes=_notes(exposition),
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

    async def _fetch(self, target: Target) -> _Answer:
        """Raises ``ScrapeFailed``."""
        if self._client is None:
            raise RuntimeError("the scraper is not started")
        body = bytearray()
        try:
            async with self._client.get(target.url) as response:
                if response.status != 200:
                    raise ScrapeFailed(f"answered HTTP {response.status}")
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > self._limits.scrape_bytes:
                        raise self._too_large()
        except aiohttp.ClientError as error:
            raise ScrapeFailed(f"cannot be reached: {_reason(error)}") from None
        headers = response.headers
        return _Answer(bytes(body), headers.get("Content-Type", ""), headers.get("Content-Encoding", ""))

    def _parse(self, labels: Labels, answer: _Answer, at_ms: int) -> Exposition:
        try:
            body = unpack(answer.body, answer.encoding, self._limits.scrape_bytes)
            exposition = self._parsers[labels].parse(body, at_ms, openmetrics=answer.openmetrics)
        except TooLarge:
            raise self._too_large() from None
        except (Malformed, UnsupportedEncoding) as error:
            raise ScrapeFailed(str(error)) from None
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
        scraped = len(exposition.labels) + exposition.duplicates
        own = np.array([up, duration_s, scraped, scraped, exposition.added], dtype=np.float64)
        complete = self._layouts[labels].complete if up else self._own_series[labels]
        values = np.concatenate([own, exposition.values])
        self._sink.append(Scrape(labels, timestamp_ms, complete, values, exposition.exemplars, exposition.metadata))

    def _too_large(self) -> ScrapeFailed:
        return ScrapeFailed(f"exposes more than the limit of {self._limits.scrape_bytes:,} bytes")


@dataclass(frozen=True, slots=True)
class _Answer:
    """The body as it came, and how its headers say that it is to be read."""

    body: bytes
    content_type: str
    encoding: str

    @property
    def openmetrics(self) -> bool:
        return self.content_type.strip().lower().startswith("application/openmetrics-text")


@dataclass(frozen=True, slots=True)
class _Layout:
    """The series of a target's last good scrape, as exposed and with the scraper's own in front."""

    exposed: Sequence[Labels]
    complete: Sequence[Labels]


def _reason(error: aiohttp.ClientError) -> str:
    """One line; in the system's words where it is the system that says so."""
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        known = cause.errno is not None and cause.errno > 0  # names that cannot be resolved have numbers of their own
        return os.strerror(cause.errno or 0) if known else cause.strerror or str(cause)
    return (str(error) or type(error).__name__).split("\n", 1)[0]


def _notes(exposition: Exposition) -> Sequence[str]:
    notes = []
    if exposition.timestamps is not None:
        dated = int((exposition.timestamps != NO_TIMESTAMP).sum())
        notes.append(f"samples with a timestamp of their own, kept at the instant of the scrape: {dated:,}")
    if exposition.duplicates:
        notes.append(f"samples left out because their series stands further up already: {exposition.duplicates:,}")
    if exposition.long_exemplars:
        notes.append(f"exemplars left out because their labels are over 128 characters: {exposition.long_exemplars:,}")
    return tuple(notes)

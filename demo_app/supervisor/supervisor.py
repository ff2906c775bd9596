"""Start parts as soon as what they need is ready, notice when one dies, and end them all."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from . import group
from .guard import Guard
from .part import Part, PartError
from .progress import Progress

POLL_S = 0.05
LOG_TAIL_LINES = 15


class Supervisor:
    """One log file a part in ``log_dir``.  Use it in one thread: a child's parent-death signal follows the thread."""

    def __init__(self, parts: Iterable[Part], log_dir: Path, progress: Progress, guard: Guard) -> None:
        self._parts: Mapping[str, Part] = {part.name: part for part in parts}
        self._log_dir = log_dir
        self._progress = progress
        self._guard = guard
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        group.adopt_orphans()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the parts that run, each also the id of its process group."""
        return {name: process.pid for name, process in self._running.items()}

    async def start(self, names: Collection[str] | None = None) -> None:
        """Start the parts, all or those named, in the order of their needs; independent ones at once.

        Returns when all are ready.  Raises ``PartError`` for the first that fails; the caller then calls ``stop``.
        """
        parts = [part for name, part in self._parts.items() if names is None or name in names]
        done = {part.name: asyncio.Event() for part in parts}
        for part in parts:
            self._progress.queued(part.name, part.after)
        ticking = asyncio.create_task(self._tick())
        try:
            async with asyncio.TaskGroup() as starting:
                for part in parts:
                    starting.create_task(self._start(part, done))
        except* PartError as failures:
            raise failures.exceptions[0] from None
        finally:
            ticking.cancel()
            self._progress.close()

    def check(self) -> None:
        """Raise ``PartError`` if a part has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise self._failure(name, f"ended unexpectedly ({_ending(process.returncode)})")

    def stop(self, names: Collection[str] | None = None) -> None:
        """End the parts, all or those named, and whatever they started."""
        these = [name for name in self._running if names is None or name in names]
        group.end(self._group(name) for name in these)
        for name in these:
            self._forget(name)

    async def _start(self, part: Part, done: Mapping[str, asyncio.Event]) -> None:
        for need in part.after:
            if need in done:
                await done[need].wait()
        self._progress.starting(part.name, part.waits_for)
        try:
            await self._bring_up(part)
        except PartError:
            self._progress.failed(part.name)
            raise
        self._progress.ready(part.name)
        done[part.name].set()

    async def _bring_up(self, part: Part) -> None:
        try:
            if part.prepare:
                part.prepare()
            process = group.spawn(part.command, part.env, self._log_file(part.name), part.stop_signal)
        except OSError as error:
            raise PartError(part.name, f"could not be started: {error}") from error
        self._running[part.name] = process
        self._guard.add(self._group(part.name))
        deadline = time.monotonic() + part.timeout_s
        while True:
            code = process.poll()
            if part.ready is None and code == 0:
                self._forget(part.name)
                return
            if code is not None:
                raise self._failure(part.name, f"ended before {part.waits_for} ({_ending(code)})")
            if part.ready and await part.ready():
                return
            if time.monotonic() > deadline:
                raise self._failure(part.name, f"waited {part.timeout_s:.0f} s in vain until {part.waits_for}")
            await asyncio.sleep(POLL_S)

    async def _tick(self) -> None:
        while True:
            self._progress.tick()
            await asyncio.sleep(0.2)

    def _group(self, name: str) -> group.Group:
        part = self._parts[name]
        return group.Group(self._running[name].pid, part.stop_signal, part.stop_order)

    def _forget(self, name: str) -> None:
        process = self._running.pop(name)
        process.poll()
        self._guard.remove(process.pid)

    def _log_file(self, name: str) -> Path:
        return self._log_dir / f"{name}.log"

    def _failure(self, name: str, reason: str) -> PartError:
        try:
            lines = self._log_file(name).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return PartError(name, reason, "\n".join(lines[-LOG_TAIL_LINES:]))


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"

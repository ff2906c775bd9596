"""What Python's garbage collector does and how long everything stands still for it."""

from __future__ import annotations

import gc
from time import perf_counter
from typing import Any

from opsconsole_exporters import metrics
from opsconsole_exporters.catalog.process import GC_COLLECTED, GC_COLLECTIONS, GC_PAUSE, GC_UNCOLLECTABLE


class GarbageClock:
    """Adds up what the collector says of itself.

    Not into metrics at once: the collector may run while this very thread holds a metric's lock.
    """

    def __init__(self) -> None:
        self.pause_s = 0.0
        # By generation.
        generations = len(gc.get_threshold())
        self.collections = [0] * generations
        self.collected = [0] * generations
        self.uncollectable = [0] * generations
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = perf_counter()
            return
        if self._began:  # else it was under way when the clock was put up
            self.pause_s += perf_counter() - self._began
        generation = info["generation"]
        self.collections[generation] += 1
        self.collected[generation] += info["collected"]
        self.uncollectable[generation] += info["uncollectable"]


class GarbageMetrics:
    """One worker's collector as counters."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._clock = GarbageClock()
        self._told = GarbageClock()
        # A forked child brings its parent's clock along.
        gc.callbacks[:] = [callback for callback in gc.callbacks if not isinstance(callback, GarbageClock)]
        gc.callbacks.append(self._clock)

    def update(self) -> None:
        """Add what is new since the last call."""
        clock, told = self._clock, self._told
        pause_s = clock.pause_s
        metrics.counter(GC_PAUSE).labels(self._worker).inc(pause_s - told.pause_s)
        told.pause_s = pause_s
        for metric, now, before in (
            (GC_COLLECTIONS, clock.collections, told.collections),
            (GC_COLLECTED, clock.collected, told.collected),
            (GC_UNCOLLECTABLE, clock.uncollectable, told.uncollectable),
        ):
            for generation, count in enumerate(list(now)):
                metrics.counter(metric).labels(self._worker, str(generation)).inc(count - before[generation])
                before[generation] = count

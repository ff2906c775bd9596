"""What one moment adds to many metrics, gathered and then written at once: a request adds to two dozen values."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from time import time
from typing import Any

from prometheus_client.samples import Exemplar

from opsconsole_exporters import sharedvalues
from opsconsole_exporters.sharedvalues import Addition

# The parts of a metric's child that hold its numbers are private to prometheus-client 0.22 to 0.26; ``inc`` and ``observe``
# go through them too, one by one.


class Batch:
    """Not for several threads."""

    __slots__ = ("_additions",)

    def __init__(self) -> None:
        self._additions: list[Addition] = []

    def count(self, child: Any, amount: float = 1.0) -> None:
        """Add to a counter or a gauge."""
        self._additions.append((child._value, amount))  # noqa: SLF001 - see above

    def extend(self, additions: Iterable[Addition]) -> None:
        self._additions += additions

    def observe(self, child: Any, value: float, exemplar: dict[str, str] | None = None) -> None:
        """Add to a histogram; the exemplar is there at once.  ``value`` is a number, not NaN."""
        bucket = child._buckets[bisect_left(child._upper_bounds, value)]  # noqa: SLF001 - see above
        self._additions.append((child._sum, value))  # noqa: SLF001 - see above
        self._additions.append((bucket, 1.0))
        if exemplar:
            bucket.set_exemplar(Exemplar(exemplar, value, time()))

    def write(self) -> None:
        """Add all of it, once."""
        additions, self._additions = self._additions, []
        sharedvalues.add(additions)


def counted(children: Iterable[Any]) -> tuple[Addition, ...]:
    """One more for each of these counters, to be remembered and added often."""
    return tuple((child._value, 1.0) for child in children)  # noqa: SLF001 - see above

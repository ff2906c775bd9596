"""Label sets looked up once: ``labels()`` takes a lock and builds a tuple each time, which a request does a dozen times."""

from __future__ import annotations

from typing import Any

from opsconsole_exporters.batch import counted
from opsconsole_exporters.sharedvalues import Addition


class Children(dict[tuple[str, ...], Any]):
    """Label values to the metric's child for them."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self._metric.labels(*labels)
        if self._metric.holds(labels):  # one that is folded is counted each time
            self[labels] = child
        return child


class Together(dict[tuple[str, ...], tuple[Addition, ...]]):
    """What one more adds to several counters, by all label values that any of them has.

    ``counters``: each with the places of its labels among those values, in the order of its own.
    """

    def __init__(self, *counters: tuple[Children, tuple[int, ...]]) -> None:
        super().__init__()
        self._counters = counters

    def __missing__(self, values: tuple[str, ...]) -> tuple[Addition, ...]:
        chosen = [(children, tuple(values[at] for at in places)) for children, places in self._counters]
        additions = counted(children[labels] for children, labels in chosen)
        if all(labels in children for children, labels in chosen):  # none is folded
            self[values] = additions
        return additions

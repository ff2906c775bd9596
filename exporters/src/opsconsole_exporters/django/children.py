"""Label sets looked up once: ``labels()`` takes a lock and builds a tuple each time, which a request does a dozen times."""

from __future__ import annotations

from typing import Any


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

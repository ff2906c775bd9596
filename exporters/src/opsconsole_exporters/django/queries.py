"""What one request asks of its databases: how many queries, and which of them again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opsconsole_exporters.django.fingerprint import Fingerprint, fingerprint

REPEATED = 5
"""A shape that runs this often in one request is a repetition, as for Sentry and Scout."""

SHAPES = 200  # remembered of one request; later ones only count in its total


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a query comes from; what is not known is empty.

    ``model`` as ``shop.Product``; ``relation`` the attribute whose access ran it, on ``relation_model``; ``kind`` how:
    ``forward`` (what select_related fetches), ``reverse`` and ``many`` (what prefetch_related fetches), ``deferred``.
    ``file``, ``line``, ``function``: the innermost frame of the application.  ``template`` as ``shop/list.html:12``.
    """

    model: str = ""
    relation: str = ""
    relation_model: str = ""
    kind: str = ""
    file: str = ""
    line: int = 0
    function: str = ""
    template: str = ""


@dataclass(slots=True)
class Shape:
    """One fingerprint in one request.  ``seconds``: spent in all its queries.  ``origin``: of the one that made it repeated."""

    fingerprint: Fingerprint
    count: int = 0
    seconds: float = 0.0
    origin: Origin | None = None


class RequestQueries:
    """Counts the queries of one request.

    ``task`` is the one that runs its async view, None for a sync one.
    """

    __slots__ = ("_shapes", "count", "seconds", "task")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.task: asyncio.Task[Any] | None = None
        self._shapes: dict[str, Shape] = {}

    def add(self, sql: str, seconds: float) -> Shape | None:
        """Count a query; its shape at the moment it becomes a repeated one, so that its origin can be looked up once."""
        self.count += 1
        self.seconds += seconds
        found = fingerprint(sql)
        if not found.is_of_rows:
            return None
        shape = self._shapes.get(found.id)
        if shape is None:
            if len(self._shapes) >= SHAPES:
                return None
            shape = self._shapes[found.id] = Shape(found)
        shape.count += 1
        shape.seconds += seconds
        return shape if shape.count == REPEATED else None

    @property
    def repeated(self) -> int:
        """Queries beyond the first of each repeated shape: what fetching them together would save."""
        if self.count < REPEATED:
            return 0
        return sum(shape.count - 1 for shape in self._shapes.values() if shape.count >= REPEATED)

    def worst(self, most: int) -> Sequence[Shape]:
        """The repeated shapes that took longest, ``most`` at most."""
        found = [shape for shape in self._shapes.values() if shape.count >= REPEATED]
        return sorted(found, key=lambda shape: -shape.seconds)[:most]

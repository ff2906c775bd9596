"""Warnings and infos: what an answer does not say by itself, each with the place in the query that gave rise to it."""

from __future__ import annotations

from .place import place

_SHOWN = 10  # of each kind, as Prometheus' API


class Annotations:
    """Collects the remarks on one evaluation, each once, in the order in which they came up."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    def warn(self, message: str, position: int) -> None:
        """The answer may be wrong.  ``position`` counts characters from 0."""
        self._warnings[f"PromQL warning: {message} ({place(self._query, position)})"] = None

    def info(self, message: str, position: int) -> None:
        """The query may not mean what its author thinks."""
        self._infos[f"PromQL info: {message} ({place(self._query, position)})"] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """The first ten, and how many more there are."""
        return _first(self._warnings, "warning")

    @property
    def infos(self) -> tuple[str, ...]:
        return _first(self._infos, "info")


def _first(messages: dict[str, None], kind: str) -> tuple[str, ...]:
    shown = tuple(messages)[:_SHOWN]
    more = len(messages) - len(shown)
    return (*shown, f"{more} more {kind} annotations omitted") if more else shown

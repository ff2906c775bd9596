"""Errors that a person who wrote a query reads."""

from __future__ import annotations

from .place import place


class PromQLError(Exception):
    """One line: what is wrong, in Prometheus' words where it has them.  ``position`` counts characters from 0, -1 where unknown."""

    def __init__(self, message: str, position: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class ParseError(PromQLError):
    """The text is no query, or one that is not supported; shown with its place: ``1:8: parse error: ...``."""

    def __init__(self, message: str, position: int, query: str) -> None:
        super().__init__(message, position)
        self._place = place(query, position)

    def __str__(self) -> str:
        return f"{self._place}: parse error: {self.message}"

"""Errors that a person who wrote a query reads."""

from __future__ import annotations


class PromQLError(Exception):
    """One line: what is wrong, where, and what to do.  ``position`` counts characters from 0, -1 where unknown."""

    def __init__(self, message: str, position: int = -1) -> None:
        super().__init__(message if position < 0 else f"{position + 1}: {message}")
        self.message = message
        self.position = position

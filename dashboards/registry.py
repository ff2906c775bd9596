"""Every board.  A new one is a file in ``boards/`` and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .boards.overview import OVERVIEW
from .model import Board

BOARDS: tuple[Board, ...] = (OVERVIEW,)


def by_name(boards: Iterable[Board]) -> Mapping[str, Board]:
    """Raises ``ValueError`` when two boards have one name."""
    named: dict[str, Board] = {}
    for board in boards:
        if board.name in named:
            raise ValueError(f"two boards are named {board.name}: rename one of them")
        named[board.name] = board
    return named


BY_NAME: Mapping[str, Board] = by_name(BOARDS)

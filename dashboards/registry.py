"""Every board.  A new one is a file in ``boards/`` and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from signals.naming import by_name

from .boards.overview import OVERVIEW
from .model import Board

BOARDS: tuple[Board, ...] = (OVERVIEW,)

BY_NAME: Mapping[str, Board] = by_name("boards", BOARDS)

"""The order in which an instant query shows its series; a range query has none of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.labels import Labels

from ..plan import Call
from ..vector import Vector
from .function import text

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_DIGITS = re.compile(r"(\d+)")


def by_value(evaluation: Evaluation, node: Call, *, direction: int) -> Vector:
    """NaN last."""
    vector = evaluation.vector(node.args[0])
    if vector.values.shape[1] != 1:
        return vector
    values = vector.values[:, 0]
    return vector.rows(np.lexsort((direction * values, np.isnan(values))))


def by_label(evaluation: Evaluation, node: Call, *, descending: bool) -> Vector:
    """By the named labels, numbers in them by size; what is equal there, by all labels."""
    vector = evaluation.vector(node.args[0])
    names = [text(arg) for arg in node.args[1:]]

    def key(row: int) -> tuple[list[list[tuple[bool, int, str]]], Labels]:
        labels = vector.labels[row]
        return [_natural(labels.get(name)) for name in names], labels

    order = sorted(range(len(vector.labels)), key=key, reverse=descending)
    return vector.rows(np.array(order, dtype=np.intp))


def _natural(value: str) -> list[tuple[bool, int, str]]:
    """Sorts ``4m5`` before ``4m600``; digits before other characters."""
    pieces = [piece for piece in _DIGITS.split(value) if piece]
    return [(False, int(piece), piece) if piece.isdecimal() else (True, 0, piece) for piece in pieces]

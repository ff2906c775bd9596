"""What a function of the language is to the evaluator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..plan import Call, Expr, Text
from ..vector import Vector

if TYPE_CHECKING:
    from ..evaluate import Evaluation

Numbers = NDArray[np.float64]
"""float64[T]: a scalar at every instant."""

Function = Callable[["Evaluation", Call], Vector | Numbers]


def text(expr: Expr) -> str:
    """The string that an argument is; the parser lets nothing else stand there.  Bytes that are no UTF-8 are surrogates."""
    if not isinstance(expr, Text):
        raise TypeError(f"expected a string, not a {expr.kind.value}")
    return expr.value

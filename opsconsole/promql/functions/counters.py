"""``rate`` and ``increase``, which mean something for counters only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.labels import quote

from ..plan import Call, start
from ..vector import Vector
from ..windows import RangeFunction

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_SUFFIXES = ("_total", "_sum", "_count", "_bucket")


def per_counter(evaluation: Evaluation, node: Call, *, function: RangeFunction) -> Vector:
    """With a remark where the name of a series is not that of a counter."""
    (over,) = node.args
    result = evaluation.over_range(over, function)
    answered = np.logical_or.reduce(result.present, axis=1)
    for name in sorted({labels.metric for labels, some in zip(result.labels, answered, strict=True) if some}):
        if name and not name.endswith(_SUFFIXES):
            evaluation.annotations.info(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: " + quote(name),
                start(over),
            )
    return result.without_metric()

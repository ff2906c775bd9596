"""What an evaluation returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Timestamps, Values
from opsconsole.series.labels import Labels


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number without labels at one instant, Unix milliseconds; ``warnings`` and ``infos`` as for a matrix."""

    timestamp_ms: int
    value: float
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class String:
    """A text at one instant, which is all that a query of a string alone can say."""

    timestamp_ms: int
    value: str
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """S series at T evaluation instants.

    ``timestamps``: int64[T], Unix milliseconds.  ``values``: float64[S, T].
    ``present``: bool[S, T]; a NaN that is present is a result (0/0), one that is not is a gap.
    An instant query is a matrix with T = 1.  Series without a single present value are left out.
    ``warnings``, ``infos``: remarks on the answer, as Prometheus' API prints them.
    """

    labels: Sequence[Labels]
    timestamps: Timestamps
    values: Values
    present: NDArray[np.bool_]
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()

    @property
    def last(self) -> Values:
        """float64[S]: the newest column, NaN where absent."""
        return np.where(self.present[:, -1], self.values[:, -1], np.nan)


@dataclass(frozen=True, slots=True)
class Samples(Matrix):
    """A range vector at one instant: ``timestamps`` are those of its samples."""

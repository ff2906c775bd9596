"""Parts of the UTC date of Unix seconds, int64 of any shape, as float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opsconsole.series.block import Timestamps, Values

_THURSDAY = 4  # 1 January 1970; Sunday is 0


def minute(seconds: Timestamps) -> Values:
    return (seconds // 60 % 60).astype(np.float64)


def hour(seconds: Timestamps) -> Values:
    return (seconds // 3600 % 24).astype(np.float64)


def day_of_week(seconds: Timestamps) -> Values:
    return ((seconds // 86_400 + _THURSDAY) % 7).astype(np.float64)


def day_of_month(seconds: Timestamps) -> Values:
    return _days(seconds, seconds.astype("datetime64[s]").astype("datetime64[M]")) + 1


def day_of_year(seconds: Timestamps) -> Values:
    return _days(seconds, seconds.astype("datetime64[s]").astype("datetime64[Y]")) + 1


def days_in_month(seconds: Timestamps) -> Values:
    months = seconds.astype("datetime64[s]").astype("datetime64[M]")
    days: Values = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.float64)
    return days


def month(seconds: Timestamps) -> Values:
    return (seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64) % 12 + 1).astype(np.float64)


def year(seconds: Timestamps) -> Values:
    return (seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970).astype(np.float64)


def _days(seconds: Timestamps, since: NDArray[np.datetime64]) -> Values:
    dates = seconds.astype("datetime64[s]").astype("datetime64[D]")
    days: Values = (dates - since.astype("datetime64[D]")).astype(np.float64)
    return days

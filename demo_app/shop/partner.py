"""Firms the shop asks while somebody waits: the warehouse and the payment gateway.

They are outside, so here they are only the time they take: lognormal, as answer times over a network are.
"""

from __future__ import annotations

import math
import random
import time
from enum import Enum


class Partner(Enum):
    """Median seconds of an answer, the spread (sigma of its logarithm), and the longest wait in seconds."""

    WAREHOUSE = (0.012, 0.6, 0.4)
    GATEWAY = (0.09, 0.5, 1.5)
    MAIL = (0.05, 0.4, 1.0)


def ask(partner: Partner) -> None:
    median_s, sigma, longest_s = partner.value
    time.sleep(min(random.lognormvariate(math.log(median_s), sigma), longest_s))

"""Drift as PromQL over the counters of ``ServedModel``: right over workers and pods, and for any window.

Each function answers a query; the window is PromQL's (``1h``, ``24h``).  Rules of thumb for the PSI: under 0.1 nothing,
over 0.25 a lot; with fewer than ``ENOUGH`` predictions it is noise.
"""

from __future__ import annotations

from opsconsole_exporters.catalog.models import ML_BINS, ML_CUMULATIVE, ML_REFERENCE_BINS, ML_REFERENCE_CUMULATIVE

# Ten bins and 500 predictions without drift stay under a PSI of 0.056 in 999 of 1000 windows.
ENOUGH = 500

_REFERENCE = f"max by (model, version, bin) ({ML_REFERENCE_BINS})"


def predictions(window: str) -> str:
    """How many predictions the window has: the gate of every rule about drift."""
    return f"sum by (model, version) (increase({ML_BINS}[{window}]))"


def share(window: str) -> str:
    """Each bin's share of the predictions; half a count more in each bin, so that none is 0 and has no logarithm."""
    bins = f"sum by (model, version, bin) (increase({ML_BINS}[{window}]))"
    total = f"({predictions(window)} + 0.5 * count by (model, version) ({bins}))"
    return f"(({bins}) + 0.5) / on (model, version) group_left () {total}"


def psi(window: str) -> str:
    """Population stability index: the sum of (share - reference) * ln(share / reference)."""
    seen = f"({share(window)})"
    return f"sum by (model, version) (({seen} - {_REFERENCE}) * ln({seen} / {_REFERENCE}))"


def js_distance(window: str) -> str:
    """Jensen-Shannon distance to base 2, 0 to 1."""
    seen = f"({share(window)})"
    middle = f"({seen} + {_REFERENCE})"
    parts = f"{seen} * log2(2 * {seen} / {middle}) + {_REFERENCE} * log2(2 * {_REFERENCE} / {middle})"
    return f"sqrt(clamp_min(0.5 * sum by (model, version) ({parts}), 0))"


def ks(window: str) -> str:
    """Kolmogorov-Smirnov distance at the reference's edges: never more than the exact one.  For numeric scores."""
    below = f"sum by (model, version, le) (increase({ML_CUMULATIVE}[{window}]))"
    at = f"({below} / on (model, version) group_left () {predictions(window)})"
    return f"max by (model, version) (abs({at} - max by (model, version, le) ({ML_REFERENCE_CUMULATIVE})))"

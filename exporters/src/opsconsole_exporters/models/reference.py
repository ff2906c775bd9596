"""The distribution that predictions are compared with: a small JSON file that is shipped beside the model.

Written once, from the scores of training or of a validation set; edges are that distribution's deciles and never move, so
that the shares of any two windows can be compared.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

BINS = 10
# No share is 0: its logarithm would be no number.
FLOOR = 1e-4
MOST_FEATURES = 20
MOST_CLASSES = 50
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares by bin.  Numeric if it has ``edges``: bin i ends at ``edges[i]``, the last one holds what is above them all.

    ``bins``: the label values; ``ratios``: their shares, each at least ``FLOOR``; ``cumulative``: the share at or below
    each edge, empty for classes.
    """

    bins: tuple[str, ...]
    ratios: tuple[float, ...]
    edges: tuple[float, ...] = ()
    cumulative: tuple[float, ...] = ()

    def place(self, value: object) -> int:
        """The index of the bin of a value; the last one for a class that the reference has not, and for NaN.

        A model that begins to answer NaN shall be seen to drift, upwards.
        """
        if self.edges:
            number = float(value)  # type: ignore[arg-type]
            return len(self.edges) if math.isnan(number) else bisect_left(self.edges, number)
        name = str(value)
        return self.bins.index(name) if name in self.bins else len(self.bins) - 1


@dataclass(frozen=True, slots=True)
class Reference:
    """``rows``: how many scores it was made of.  ``sha``: of the scores' file content, to tell two references apart."""

    scores: Distribution
    features: Mapping[str, Distribution]
    rows: int
    sha: str
    created_at: str


def write_reference(
    path: Path,
    scores: Sequence[Any],
    features: Mapping[str, Sequence[Any]] | None = None,
    *,
    at: datetime | None = None,
) -> None:
    """Write ``reference.json`` from the scores (numbers, or names of classes) of a data set, and its features' values.

    Watch few features: each is ``BINS`` + 2 series a version.  Raises ``ValueError`` for no scores or too many features.
    """
    features = features or {}
    if len(features) > MOST_FEATURES:
        raise ValueError(f"{len(features)} features are too many to watch: choose the {MOST_FEATURES} that matter most")
    content = {
        "scores": _describe("scores", scores),
        "features": {name: _describe(name, values) for name, values in features.items()},
        "rows": len(scores),
    }
    sha = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    stamp = (at or datetime.now(UTC)).isoformat(timespec="seconds")
    path.write_text(json.dumps({**content, "sha": sha, "created_at": stamp}, indent=1) + "\n")


def read_reference(path: Path) -> Reference:
    """Read it.  Raises ``OSError`` or, naming the file and what is wrong in it, ``ValueError``."""
    try:
        data = json.loads(path.read_text())
        features = {name: _distribution(given) for name, given in data.get("features", {}).items()}
        return Reference(
            _distribution(data["scores"]), features, int(data["rows"]), str(data["sha"]), str(data["created_at"])
        )
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing; write it anew with write_reference()") from error
    except (TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{path}: {error}; write it anew with write_reference()") from error


def _describe(what: str, values: Sequence[Any]) -> dict[str, Any]:
    if not len(values):
        raise ValueError(f"{what}: a reference needs at least one value")
    if isinstance(values[0], str | bool):
        counts = Counter(str(value) for value in values)
        kept = dict(counts.most_common(MOST_CLASSES))
        kept[OTHER] = kept.get(OTHER, 0) + sum(counts.values()) - sum(kept.values())
        return {"bins": list(kept), "ratios": _shares(kept.values(), len(values))}
    ordered = sorted(float(value) for value in values)
    if not all(math.isfinite(value) for value in ordered):
        raise ValueError(f"{what}: a value is not a finite number")
    last = len(ordered) - 1
    # The lowest edge ends the bin of what is below the reference; equal deciles (many equal scores) are one edge.
    edges = sorted({float(f"{ordered[round(last * i / BINS)]:.6g}") for i in range(BINS + 1)})
    counts_by_bin = Counter(bisect_left(edges, value) for value in ordered)
    counts_in_order = [counts_by_bin[i] for i in range(len(edges) + 1)]
    cumulative = [sum(counts_in_order[: i + 1]) / len(ordered) for i in range(len(edges))]
    return {"edges": edges, "ratios": _shares(counts_in_order, len(ordered)), "cumulative": cumulative}


def _shares(counts: Iterable[int], total: int) -> list[float]:
    return [max(FLOOR, count / total) for count in counts]


def _distribution(given: Mapping[str, Any]) -> Distribution:
    edges = tuple(float(edge) for edge in given.get("edges", ()))
    names = [f"{edge:g}" for edge in edges]
    bins = (
        (f"<={names[0]}", *(f"{a}..{b}" for a, b in pairwise(names)), f">{names[-1]}")
        if edges
        else tuple(str(name) for name in given["bins"])
    )
    ratios = tuple(max(FLOOR, float(ratio)) for ratio in given["ratios"])
    cumulative = tuple(float(share) for share in given.get("cumulative", ()))
    if len(ratios) != len(bins) or len(cumulative) != len(edges) or list(edges) != sorted(edges):
        raise ValueError("edges, bins and ratios do not fit each other")
    return Distribution(bins, ratios, edges, cumulative)

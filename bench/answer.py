"""Whether two answers of Prometheus' HTTP API are the same: series, points and values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 3  # problems of one query


@dataclass(slots=True)
class Comparison:
    """``worst``: the largest relative difference of two values."""

    points: int = 0
    worst: float = 0.0
    problems: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        if len(self.problems) < _SHOWN:
            self.problems.append(text)


Points = dict[float, float]


def compared(ours: Any, theirs: Any, tolerance: float) -> Comparison:
    found = Comparison()
    mine, other = _series(ours), _series(theirs)
    for labels in mine.keys() ^ other.keys():
        found.problem(f"only {'the console' if labels in mine else 'Prometheus'} has {dict(labels)}")
    for labels in mine.keys() & other.keys():
        _points(found, dict(labels), mine[labels], other[labels], tolerance)
    return found


def _series(answer: Any) -> dict[tuple[tuple[str, str], ...], Points]:
    data = answer["data"]
    rows = data["result"]
    if data["resultType"] == "scalar":
        rows = [{"metric": {}, "value": rows}]
    return {
        tuple(sorted(row["metric"].items())): {
            float(at): float(value) for at, value in row.get("values") or [row["value"]]
        }
        for row in rows
    }


def _points(found: Comparison, labels: dict[str, str], ours: Points, theirs: Points, tolerance: float) -> None:
    if odd := sorted(ours.keys() ^ theirs.keys()):
        found.problem(f"{labels}: {len(odd)} points in one answer only, first at {odd[0]}")
    for at in ours.keys() & theirs.keys():
        mine, other = ours[at], theirs[at]
        found.points += 1
        if mine == other or (math.isnan(mine) and math.isnan(other)):
            continue
        apart = abs(mine - other) / max(abs(mine), abs(other))
        if not apart <= tolerance:
            found.problem(f"{labels} at {at}: {mine!r} here, {other!r} in Prometheus")
        found.worst = max(found.worst, apart)

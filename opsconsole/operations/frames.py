"""Frames: what evaluated queries look like to a panel, as plain data that JSON can carry.

Pure: matrices in, lists of numbers out.  A gap, a NaN and an infinity are all ``None``, because JSON knows none of them
and a chart draws none of them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import accumulate
from typing import Any

import numpy as np

from dashboards.model import Kind, Panel
from opsconsole.promql.result import Matrix
from opsconsole.series.block import Values
from opsconsole.series.labels import Labels, derived
from opsconsole.series.stack import Index

MAX_SERIES = 20
"""Series one panel draws, or rows of a table: more cannot be told apart.  A heatmap shows every bucket."""

MAX_BUCKETS = 200
"""Rows of a heatmap; a histogram with more is a mistake of its exporter."""

_DIGITS = 6
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: which of its queries, which label set, and the words of the legend."""

    query: int
    labels: Labels
    name: str = field(compare=False)

    def as_json(self) -> dict[str, Any]:
        return {"query": self.query, "name": self.name, "labels": self.labels.as_dict()}


@dataclass(frozen=True, slots=True)
class Source:
    """Where cells are from: the ``labels`` of the results, and the row of each series, were these laid one behind the
    other.
    """

    labels: tuple[Sequence[Labels], ...]
    rows: Index


@dataclass(frozen=True, slots=True)
class Cells:
    """A panel at T instants: ``values`` is float64[S, T], NaN where there is nothing; ``hidden`` series are not among
    them, because the panel was full.  ``source``: None where the next choice may be another.
    """

    series: tuple[Series, ...]
    values: Values
    hidden: int = 0
    source: Source | None = None

    def columns(self) -> list[list[float | None]]:
        """One list of T numbers a series."""
        return [_numbers(row) for row in _rounded(self.values)]

    def newest(self) -> list[float | None]:
        """One number a series: its value at the last instant."""
        return newest([self])[0]


def newest(panels: Sequence[Cells]) -> list[list[float | None]]:
    """What ``Cells.newest`` says of each of many panels."""
    values = [cells.values[:, -1] for cells in panels if cells.series]
    numbers = _numbers(_rounded(np.concatenate(values))) if values else []
    ends = list(accumulate(len(cells.series) for cells in panels))
    return [numbers[end - len(cells.series) : end] for cells, end in zip(panels, ends, strict=True)]


def shape(panel: Panel, matrices: Sequence[Matrix], known: Sequence[Series] = (), before: Cells | None = None) -> Cells:
    """The cells of ``panel`` from the results of its queries, in their order, all over the same T instants.

    ``known`` are the series the viewer has already: they keep their place while they have one, so that lines do not
    jump in and out of a full panel.  ``before``: the panel at an earlier instant, which mostly looked the same.
    Raises ``ValueError`` when a heatmap has too many buckets.
    """
    if before is not None and (again := _again(before, matrices, known)) is not None:
        return again
    rows = _rows(panel, matrices)
    instants = matrices[0].timestamps.size if matrices else 1
    if panel.kind is Kind.TABLE:
        chosen, hidden = _ranked_rows(panel, rows)
    elif panel.kind is Kind.HEATMAP:
        chosen, hidden = _buckets({*rows, *known}), 0
    else:
        chosen, hidden = _fullest(rows, known)
    absent = np.full(instants, np.nan)
    values = np.array([rows.get(series, absent) for series in chosen], dtype=np.float64).reshape(len(chosen), instants)
    if panel.kind is Kind.HEATMAP:
        values = _without_cumulation(values)
    return Cells(tuple(chosen), values, hidden, _source(panel, matrices, rows, chosen, hidden))


@lru_cache(maxsize=16_384)
def legend(template: str, labels: Labels) -> str:
    """``template`` with each ``{label}`` filled; the label set itself where there is no template."""
    if not template:
        return str(labels)
    return _PLACEHOLDER.sub(lambda match: labels.get(match[1]), template)


def _again(before: Cells, matrices: Sequence[Matrix], known: Sequence[Series]) -> Cells | None:
    """The same series as before; None where others may have to be chosen."""
    source = before.source
    if source is None or (known is not before.series and tuple(known) != before.series):
        return None
    if any(one is not matrix.labels for one, matrix in zip(source.labels, matrices, strict=True)):
        return None
    values = _shown(matrices)[source.rows]
    if before.hidden and np.isnan(values[:, -1]).any():
        return None
    return Cells(before.series, values, before.hidden, source)


def _source(
    panel: Panel, matrices: Sequence[Matrix], rows: Mapping[Series, Values], chosen: Sequence[Series], hidden: int
) -> Source | None:
    """None where a series was known that has no row, or two rows are one series: next time the choice may be another."""
    if panel.kind in (Kind.TABLE, Kind.HEATMAP) or not chosen:
        return None
    place = {series: row for row, series in enumerate(rows)}
    if not sum(len(matrix.labels) for matrix in matrices) == len(place) == len(chosen) + hidden:
        return None
    index = np.array([place[series] for series in chosen], dtype=np.intp)
    return Source(tuple(matrix.labels for matrix in matrices), index)


def _shown(matrices: Sequence[Matrix]) -> Values:
    """float64[R, T]: the rows of all, NaN where there is nothing to show."""
    parts = [np.where(matrix.present & np.isfinite(matrix.values), matrix.values, np.nan) for matrix in matrices]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(panel: Panel, matrices: Sequence[Matrix]) -> dict[Series, Values]:
    rows: dict[Series, Values] = {}
    for index, (query, matrix) in enumerate(zip(panel.queries, matrices, strict=True)):
        values = _shown([matrix])
        naming = partial(_named, index, "{le}" if panel.kind is Kind.HEATMAP else query.legend)
        rows.update(zip(derived(matrix.labels, ("series", naming.args), naming), values, strict=True))
    return rows


def _named(query: int, template: str, labels: Sequence[Labels]) -> Sequence[Series]:
    return [Series(query, each, legend(template, each)) for each in labels]


def _fullest(rows: Mapping[Series, Values], known: Collection[Series]) -> tuple[list[Series], int]:
    """At most ``MAX_SERIES``: those already shown that still have a value, then newcomers by value, then shown ones that
    fell silent.  The order is that of queries and labels, whatever the values do, so that colours stay where they are.
    """

    def place(series: Series) -> tuple[int, float]:
        newest = rows[series][-1] if series in rows else np.nan
        if np.isnan(newest):
            return 2, 0.0
        return (0, 0.0) if series in known else (1, -newest)

    everything = {*rows, *known}
    chosen = sorted(everything, key=place)[:MAX_SERIES] if len(everything) > MAX_SERIES else everything
    return sorted(chosen, key=lambda series: (series.query, series.labels)), len(everything) - len(chosen)


def _ranked_rows(panel: Panel, rows: Mapping[Series, Values]) -> tuple[list[Series], int]:
    """The cells of the highest rows, highest first, as many as the panel has units of height: they fit, and a table that
    grows would move what is below it.  A row is a value of ``panel.key``, and as high as the column with the bar, or
    the first one.
    """
    column = next((index for index, query in enumerate(panel.queries) if query.bar), 0)
    rank: dict[str, float] = {}
    for series, row in rows.items():
        key = series.labels.get(panel.key)
        value = row[-1] if series.query == column and not np.isnan(row[-1]) else -np.inf
        rank[key] = max(value, rank.get(key, -np.inf))
    keys = sorted(rank, key=lambda key: (-rank[key], key))
    place = {key: index for index, key in enumerate(keys[: panel.height])}
    shown = [series for series in rows if series.labels.get(panel.key) in place]
    order = sorted(shown, key=lambda series: (series.query, place[series.labels.get(panel.key)]))
    return order, len(keys) - len(place)


def _buckets(everything: Collection[Series]) -> list[Series]:
    if len(everything) > MAX_BUCKETS:
        raise ValueError(f"{len(everything)} buckets; a heatmap shows at most {MAX_BUCKETS}: aggregate the query by le")
    return sorted(everything, key=lambda series: (_bound(series.labels), series.labels))


def _bound(labels: Labels) -> float:
    try:
        return float(labels.get("le"))
    except ValueError:
        return np.inf


def _without_cumulation(values: Values) -> Values:
    """What each bucket holds alone.  A bucket below its lower neighbour (scrapes catch them apart) counts as equal."""
    if not len(values):
        return values
    rising = np.fmax.accumulate(values, axis=0)
    below = np.vstack([np.zeros_like(rising[:1]), np.nan_to_num(rising[:-1])])
    return np.where(np.isnan(values), np.nan, rising - below)


def _rounded(values: Values) -> Values:
    """Six significant digits: more than a chart can show, and half the bytes."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        exponent = np.floor(np.log10(np.abs(values))) - (_DIGITS - 1)
        # Multiply by a whole power of ten on either side of 1, because 10**-k is not exact and would bring digits back.
        up, down = 10.0 ** np.maximum(-exponent, 0), 10.0 ** np.maximum(exponent, 0)
        rounded = np.rint(values * up / down) * down / up
    return np.where(np.isfinite(rounded), rounded, values)


def _numbers(row: Values) -> list[float | None]:
    return [None if value != value else value for value in row.tolist()]  # noqa: PLR0124  NaN alone differs from itself

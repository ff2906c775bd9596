"""Board, Row, Panel, Query: what is drawn and in which order, without a word on how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alerts.model import Alert
from signals.model import Signal
from signals.unit import Unit


class Kind(StrEnum):
    """How a panel is drawn.  ``TABLE`` joins its queries' newest values by the panel's ``key`` label."""

    STAT = "stat"  # the number that matters and a sparkline
    LINE = "line"
    AREA = "area"  # filled; stacked where the values add up
    HEATMAP = "heatmap"  # one query by ``le``
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """``legend`` names a series, with ``{label}`` placeholders; in a table it is the column's heading.

    ``colour`` is a token of the visual language (``d1`` .. ``d8``, ``ok``, ``warn``, ``crit``), or empty: by order.
    ``bar`` asks a table to draw the column as a bar of its share of the column's sum.
    """

    signal: Signal
    legend: str
    colour: str = ""
    bar: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """``width`` of 12 columns, ``height`` in units of 30 px; ``alerts`` give the threshold lines and firing bands.

    ``now`` is the index of the query whose newest value stands at the right of the title; None shows none.
    """

    name: str  # kebab-case, unique on its board; part of URLs and ids
    title: str
    kind: Kind
    queries: tuple[Query, ...]
    width: int
    height: int
    subtitle: str = ""
    key: str = ""
    alerts: tuple[Alert, ...] = ()
    now: int | None = 0

    @property
    def stacked(self) -> bool:
        """Whether the areas stand on each other: rates and counts add up, shares and seconds do not."""
        return self.kind is Kind.AREA and self.queries[0].signal.unit not in (Unit.RATIO, Unit.SECONDS)


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """``variables`` are the labels a viewer may choose by; ``job`` is always one."""

    name: str
    title: str
    help: str
    rows: tuple[Row, ...]
    variables: tuple[str, ...] = ("job",)

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for row in self.rows for panel in row.panels)

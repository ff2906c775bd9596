"""Boards: what a page needs to know of one, its data as a snapshot, and then step by step as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from alerts.model import Alert, Direction
from alerts.profile import Profile
from dashboards.model import Board, Panel
from opsconsole.series.duration import format_duration
from opsconsole.series.labels import quote
from opsconsole.series.timerange import TimeRange
from signals.unit import Unit, format_value

from .alerting import Band, firing_bands
from .console import Console
from .panels import LivePanel, Queries, newest

log = structlog.get_logger(__name__)

MAX_POINTS = 450
"""Instants a chart gets: about one for every two pixels of a wide one."""

_STEPS_MS = tuple(1000 * seconds for seconds in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600))
_MAX_VALUE = 200  # characters of a variable
_LAST_MS = 7_258_118_400_000  # the year 2200


@dataclass(frozen=True, slots=True)
class Watch:
    """What somebody looks at: a board over a range, for these variables, a point every ``step_ms``.

    Two equal watches see the same frames; made by ``watch``, which checks it.
    """

    board: str
    range: TimeRange
    variables: tuple[tuple[str, str], ...]
    step_ms: int


def describe(board: Board, profile: Profile) -> dict[str, Any]:
    """The board without its data: titles, kinds, units, sizes, threshold lines, in the order of its rows."""
    return {
        "board": board.name,
        "title": board.title,
        "help": board.help,
        "variables": list(board.variables),
        "scrape": profile.scrape.total_seconds(),
        "rows": [{"title": row.title, "panels": [panel.name for panel in row.panels]} for row in board.rows],
        "panels": [_describe_panel(panel) for panel in board.panels],
    }


def watch(console: Console, board: Board, range_: TimeRange, variables: Mapping[str, str]) -> Watch:
    """Check what a viewer asks for.  Raises ``ValueError`` in words for the viewer."""
    for name, value in variables.items():
        if name not in board.variables:
            raise ValueError(f"variable {name!r} is unknown; this board has {', '.join(board.variables)}")
        if len(value) > _MAX_VALUE:
            raise ValueError(f"variable {name!r} is longer than {_MAX_VALUE} characters; shorten it")
    start_ms, end_ms = _resolve(range_, console.clock.now_ms())
    return Watch(
        board=board.name,
        range=range_,
        variables=tuple(sorted((name, value) for name, value in variables.items() if value)),
        step_ms=step_for(end_ms - start_ms, _scrape_ms(console)),
    )


def snapshot(console: Console, board: Board, range_: TimeRange, variables: Mapping[str, str]) -> dict[str, Any]:
    """The snapshot frame of a board over a range.  Raises ``ValueError`` for a range or variable that makes no sense."""
    return LiveBoard(console, watch(console, board, range_, variables)).snapshot()


def step_for(duration_ms: int, scrape_ms: int) -> int:
    """Milliseconds between two points: a round number that gives at most ``MAX_POINTS``, never finer than scrapes."""
    fits = (step for step in _STEPS_MS if duration_ms <= MAX_POINTS * step)
    longest = _STEPS_MS[-1]
    return max(scrape_ms, next(fits, -(-duration_ms // (MAX_POINTS * longest)) * longest))


def settled_ms(now_ms: int, scrape_ms: int) -> int:
    """The newest instant whose samples are all in: a scrape that began before it may still be on its way."""
    return now_ms - min(500, scrape_ms // 4)


def selector(board: Board, variables: Mapping[str, str]) -> str:
    """Label matchers for ``$selector``.  Values come from outside and are quoted; no value means any."""
    chosen = [f"{name}={quote(variables[name])}" for name in board.variables if variables.get(name)]
    if not variables.get("job"):
        chosen.insert(0, 'job=~".+"')
    return ", ".join(chosen)


class LiveBoard:
    """One watch as it goes on: a snapshot at any time, a delta for each step.

    Frames agree with each other: a delta's values stand in the order of the series that the last frame named.  Calls
    block, and must not overlap.  A panel whose query fails carries ``error``; the others do not notice.
    """

    def __init__(self, console: Console, watch: Watch) -> None:
        self._console = console
        self._watch = watch
        self._board = console.boards[watch.board]
        self._shown_bands: dict[str, list[Any]] | None = None
        self._at_ms = self._newest_ms(console.clock.now_ms())
        matchers = selector(self._board, dict(watch.variables))
        window = format_duration(round(console.profile.window.total_seconds() * 1000))
        self._panels = [
            LivePanel(panel, tuple(query.signal.promql(window=window, selector=matchers) for query in panel.queries))
            for panel in self._board.panels
        ]
        self._texts = tuple(text for live in self._panels for text in live.texts)

    @property
    def at_ms(self) -> int:
        """The instant of the last frame."""
        return self._at_ms

    def due_ms(self, now_ms: int) -> int:
        """The instant a frame could be made for; ``at_ms`` while there is none newer."""
        return max(self._at_ms, self._newest_ms(now_ms)) if self._watch.range.live else self._at_ms

    def snapshot(self, at_ms: int | None = None) -> dict[str, Any]:
        """Everything in the range up to ``at_ms`` (the instant of the last frame when None)."""
        if at_ms is not None:
            self._at_ms = at_ms
        step = self._watch.step_ms
        start_ms = self._start_ms()
        queries = Queries(self._console, self._texts, start_ms, self._at_ms, step)
        panels = {live.panel.name: live.whole(queries) for live in self._panels}
        self._shown_bands = self._read_bands(start_ms)
        return {
            "type": "snapshot",
            "board": self._board.name,
            **self._stamp(),
            "step": step / 1000,
            "t": [instant / 1000 for instant in range(start_ms, self._at_ms + 1, step)],
            "panels": panels,
            "bands": self._shown_bands,
        }

    def delta(self, at_ms: int) -> dict[str, Any]:
        """The column at ``at_ms``, one step after the last frame."""
        self._at_ms = at_ms
        queries = Queries(self._console, self._texts, at_ms, at_ms, self._watch.step_ms)
        start_ms = self._start_ms()
        frame = {
            "type": "delta",
            **self._stamp(),
            "t": at_ms / 1000,
            "panels": newest(self._panels, queries, at_ms, start_ms),
        }
        bands = self._read_bands(start_ms)
        if bands != self._shown_bands:
            frame["bands"] = self._shown_bands = bands
        return frame

    def _stamp(self) -> dict[str, Any]:
        # Counting steps from the epoch makes ``seq`` rise by one a step, whoever looks, for how long, through whichever
        # process: a viewer that misses one knows it.
        return {"seq": self._at_ms // self._watch.step_ms, "now": self._console.clock.now_ms() / 1000}

    def _newest_ms(self, now_ms: int) -> int:
        _, end_ms = _resolve(self._watch.range, now_ms)
        if self._watch.range.live:
            end_ms = settled_ms(end_ms, _scrape_ms(self._console))
        return end_ms - end_ms % self._watch.step_ms

    def _start_ms(self) -> int:
        """The first instant: the range is (start, end], so that its points are never one more than they may be."""
        start_ms, end_ms = _resolve(self._watch.range, self._console.clock.now_ms())
        step = self._watch.step_ms
        points = min(MAX_POINTS, max(1, (end_ms - start_ms) // step))
        return self._at_ms - (points - 1) * step

    def _read_bands(self, start_ms: int) -> dict[str, list[Any]]:
        names = {alert.name for live in self._panels for alert in live.panel.alerts}
        if not names:
            return {}
        try:
            fired = firing_bands(names, start_ms, self._at_ms)
        except Exception:
            log.exception("firing bands are missing from a frame", board=self._board.name)
            return {}
        return {
            live.panel.name: bands
            for live in self._panels
            if (bands := [_band(alert, span) for alert in live.panel.alerts for span in fired.get(alert.name, ())])
        }


def _describe_panel(panel: Panel) -> dict[str, Any]:
    return {
        "name": panel.name,
        "title": panel.title,
        "subtitle": panel.subtitle,
        "kind": panel.kind.value,
        "stacked": panel.stacked,
        "unit": panel.queries[0].signal.unit.value if panel.queries else Unit.COUNT.value,
        "width": panel.width,
        "height": panel.height,
        "key": panel.key,
        "now": panel.now,
        "queries": [
            {
                "legend": query.legend,
                "unit": query.signal.unit.value,
                "colour": query.colour,
                "bar": query.bar,
            }
            for query in panel.queries
        ],
        "thresholds": [_threshold(alert, panel) for alert in panel.alerts],
        "help": " ".join(dict.fromkeys(query.signal.help for query in panel.queries)),
    }


def _threshold(alert: Alert, panel: Panel) -> dict[str, Any]:
    """``query`` is the index of the query that draws what the alert watches; None when the panel shows it otherwise."""
    side = "above" if alert.direction is Direction.ABOVE else "below"
    drawn = (index for index, query in enumerate(panel.queries) if query.signal == alert.signal)
    return {
        "query": next(drawn, None),
        "value": alert.threshold,
        "direction": alert.direction.value,
        "label": f"alert {side} {format_value(alert.threshold, alert.signal.unit)}",
        "severity": alert.severity.value,
    }


def _band(alert: Alert, span: Band) -> dict[str, Any]:
    from_ms, to_ms, severity = span
    return {
        "from": from_ms / 1000,
        "to": None if to_ms is None else to_ms / 1000,
        "severity": severity,
        "alert": alert.name,
    }


def _resolve(range_: TimeRange, now_ms: int) -> tuple[int, int]:
    start_ms, end_ms = range_.resolve(now_ms)
    if start_ms < 0 or end_ms > _LAST_MS:
        raise ValueError(f"from={range_.start!r} to={range_.end!r} is outside 1970 to 2200; choose nearer times")
    return start_ms, end_ms


def _scrape_ms(console: Console) -> int:
    return round(console.profile.scrape.total_seconds() * 1000)

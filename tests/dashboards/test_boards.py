from __future__ import annotations

import re

import pytest

from alerts.registry import ALERTS
from dashboards.model import Board, Kind, Panel
from dashboards.registry import BOARDS
from signals.naming import by_name
from signals.registry import SIGNALS

COLOURS = {"", *(f"d{number}" for number in range(1, 9)), "ok", "warn", "crit"}

every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
every_panel = pytest.mark.parametrize(
    "panel", [pytest.param(panel, id=f"{board.name}/{panel.name}") for board in BOARDS for panel in board.panels]
)


@every_board
def test_the_panels_of_a_row_fill_twelve_columns_and_stand_equally_tall(board: Board) -> None:
    for row in board.rows:
        assert sum(panel.width for panel in row.panels) == 12, row.title
        assert len({panel.height for panel in row.panels}) == 1, row.title


@every_board
def test_panels_have_names_that_are_unique_and_fit_a_url(board: Board) -> None:
    names = [panel.name for panel in board.panels]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in names)


@every_board
def test_every_board_can_be_narrowed_to_a_service(board: Board) -> None:
    assert "job" in board.variables


def test_the_overview_shows_ten_or_more_panels_of_every_kind_and_every_alert() -> None:
    overview = by_name("boards", BOARDS)["overview"]
    assert len(overview.panels) >= 10
    assert {panel.kind for panel in overview.panels} == set(Kind)
    assert {alert.name for panel in overview.panels for alert in panel.alerts} == {alert.name for alert in ALERTS}


def test_every_alert_leads_to_a_board_that_draws_it() -> None:
    boards = by_name("boards", BOARDS)
    for alert in ALERTS:
        assert any(alert in panel.alerts for panel in boards[alert.board].panels), alert.name


def test_two_boards_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two boards are named overview"):
        by_name("boards", (*BOARDS, BOARDS[0]))


@every_panel
def test_a_panel_shows_registered_signals_and_alerts(panel: Panel) -> None:
    assert all(query.signal in SIGNALS for query in panel.queries)
    assert all(alert in ALERTS for alert in panel.alerts)
    assert {query.colour for query in panel.queries} <= COLOURS


@every_panel
def test_a_threshold_is_drawn_over_the_very_signal_that_its_alert_watches(panel: Panel) -> None:
    """A stat shows the worst of the alert's series, which crosses the threshold when any of them does."""
    for alert in panel.alerts:
        expressions = [query.signal.expr for query in panel.queries if query.signal.unit is alert.signal.unit]
        folded = "max" if alert.direction == ">" else "min"
        wanted = f"{folded}({alert.signal.expr})" if panel.kind is Kind.STAT else alert.signal.expr
        assert wanted in expressions


@every_panel
def test_the_newest_value_beside_the_title_is_of_a_query_that_exists(panel: Panel) -> None:
    assert panel.now is None or 0 <= panel.now < len(panel.queries)


@every_panel
def test_a_chart_has_one_unit(panel: Panel) -> None:
    if panel.kind is not Kind.TABLE:
        assert len({query.signal.unit for query in panel.queries}) == 1


@every_panel
def test_no_two_series_of_a_chart_share_a_legend(panel: Panel) -> None:
    legends = [query.legend for query in panel.queries]
    assert len(set(legends)) == len(legends)
    for query in panel.queries:
        named = set(re.findall(r"\{(\w+)\}", query.legend))
        assert named == (set() if panel.kind is Kind.TABLE else set(query.signal.by))


@every_panel
def test_a_stat_is_one_number_and_a_heatmap_one_query_by_bucket(panel: Panel) -> None:
    if panel.kind is Kind.STAT:
        assert [query.signal.by for query in panel.queries] == [()]
    if panel.kind is Kind.HEATMAP:
        assert [query.signal.by for query in panel.queries] == [("le",)]


@every_panel
def test_a_table_joins_its_columns_on_labels_they_all_have(panel: Panel) -> None:
    assert bool(panel.key) == (panel.kind is Kind.TABLE)
    if panel.kind is Kind.TABLE:
        assert len({frozenset(query.signal.by) for query in panel.queries}) == 1
        assert panel.key in panel.queries[0].signal.by


@every_panel
def test_only_what_adds_up_is_stacked(panel: Panel) -> None:
    stacked = {"request-rate", "tasks", "exceptions"}
    assert panel.stacked == (panel.name in stacked)

"""The Grafana boards, read back by Grafana's own models and by a PromQL parser."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as sdk
from grafana_foundation_sdk.models import heatmap, stat, table, timeseries

from dashboards.grafana import to_json
from dashboards.grafana.field import COLOURS
from dashboards.model import Board, Kind, Panel
from dashboards.registry import BOARDS
from opsconsole.promql.parse import parse

OPTIONS = {"heatmap": heatmap.Options, "stat": stat.Options, "table": table.Options, "timeseries": timeseries.Options}
TYPES = {
    Kind.STAT: "stat",
    Kind.LINE: "timeseries",
    Kind.AREA: "timeseries",
    Kind.HEATMAP: "heatmap",
    Kind.TABLE: "table",
}

every_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def written(board: Board, **options: str) -> dict[str, Any]:
    return dict(json.loads(to_json(board, **options)))


def charts(board: Board) -> list[tuple[Panel, dict[str, Any]]]:
    """Each of our panels with its panel of Grafana, rows left out."""
    panels = [panel for panel in written(board)["panels"] if panel["type"] != "row"]
    return list(zip(board.panels, panels, strict=True))


every_chart = pytest.mark.parametrize(
    ("panel", "chart"),
    [pytest.param(panel, chart, id=f"{board.name}/{panel.name}") for board in BOARDS for panel, chart in charts(board)],
)


@every_board
def test_grafanas_models_read_the_whole_board(board: Board) -> None:
    register_default_plugins()
    decoded = sdk.Dashboard.from_json(written(board))
    assert decoded.uid == f"opsconsole-{board.name}"
    assert decoded.schema_version >= 39
    assert decoded.graph_tooltip == sdk.DashboardCursorSync.CROSSHAIR.value
    assert decoded.panels is not None
    for panel in decoded.panels:
        if isinstance(panel, sdk.Panel):
            assert type(panel.options) is OPTIONS[panel.type_val]


@every_board
def test_what_the_models_read_is_what_we_wrote(board: Board) -> None:
    """Nothing of a panel is lost on the way through the models, so nothing in it is unknown to Grafana."""
    register_default_plugins()
    ours = written(board)
    theirs = json.loads(json.dumps(sdk.Dashboard.from_json(ours), cls=JSONEncoder))
    for mine, read in zip(ours["panels"], theirs["panels"], strict=True):
        assert read["gridPos"].items() >= mine["gridPos"].items()
        for field in ("title", "type", "id", "description", "transformations"):
            assert read.get(field, mine.get(field)) == mine.get(field)
        if mine["type"] != "row":
            newer = [".tooltip.mode: 'single' became None"] if mine["type"] == "heatmap" else []
            assert lost(mine["options"], read["options"]) == newer, "the installed models are those of Grafana 10.1"
            assert lost(mine["fieldConfig"]["defaults"], read["fieldConfig"]["defaults"]) == []


def lost(mine: Any, read: Any, path: str = "") -> list[str]:
    """The fields of ``mine`` that ``read`` lacks or changed."""
    if isinstance(mine, dict) and isinstance(read, dict):
        return [fault for key, value in mine.items() for fault in lost(value, read.get(key), f"{path}.{key}")]
    return [] if mine == read or mine is None else [f"{path}: {mine!r} became {read!r}"]


@every_board
def test_a_board_fills_the_grid_without_overlap(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in written(board)["panels"]:
        position = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(position["x"], position["x"] + position["w"])
            for y in range(position["y"], position["y"] + position["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken
        taken |= cells
    assert len(taken) == 24 * (max(y for _, y in taken) + 1)


@every_board
def test_a_board_can_be_pointed_at_a_data_source_and_at_services(board: Board) -> None:
    variables = {variable["name"]: variable for variable in written(board)["templating"]["list"]}
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["job"]["query"] == "label_values(up, job)"
    assert variables["job"]["allValue"] == ".+"


@every_board
def test_panel_ids_are_unique(board: Board) -> None:
    ids = [panel["id"] for panel in written(board)["panels"]]
    assert len(set(ids)) == len(ids)


@every_board
def test_the_firing_alerts_are_marked_on_every_chart(board: Board) -> None:
    (annotation,) = written(board)["annotations"]["list"]
    parse(annotation["expr"].replace("$job", ".+"))
    assert 'alertstate="firing"' in annotation["expr"]


@every_board
def test_links_lead_to_the_console_it_was_generated_for(board: Board) -> None:
    text = to_json(board, console_url="https://ops.example")
    assert "https://ops.example/runbooks/DjangoLatencyHigh/" in text
    assert f"https://ops.example/boards/{board.name}/" in text
    assert "localhost" not in text


@every_chart
def test_every_query_parses_once_grafana_has_filled_its_variables(panel: Panel, chart: dict[str, Any]) -> None:
    assert len(chart["targets"]) == len(panel.queries)
    for query, target in zip(panel.queries, chart["targets"], strict=True):
        assert 'job=~"$job"' in target["expr"]
        filled = target["expr"].replace("$__rate_interval", "5m").replace("$job", ".+")
        parse(filled)
        assert "$" not in filled
        assert filled == query.signal.promql(window="5m")


@every_chart
def test_every_panel_has_a_unit_a_description_and_our_data_source(panel: Panel, chart: dict[str, Any]) -> None:
    assert chart["type"] == TYPES[panel.kind]
    assert chart["fieldConfig"]["defaults"]["unit"]
    assert chart["description"].endswith(".")
    datasource = {"type": "prometheus", "uid": "${datasource}"}
    assert chart["datasource"] == datasource
    assert all(target["datasource"] == datasource for target in chart["targets"])


@every_chart
def test_every_threshold_is_the_one_of_the_alert(panel: Panel, chart: dict[str, Any]) -> None:
    fields = chart["fieldConfig"]
    columns = {override["matcher"]["options"]: override["properties"] for override in fields["overrides"]}
    for alert in panel.alerts:
        if panel.kind is Kind.TABLE:
            legend = next(query.legend for query in panel.queries if query.signal == alert.signal)
            steps = next(each["value"]["steps"] for each in columns[legend] if each["id"] == "thresholds")
        else:
            steps = fields["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None
        (step,) = [step for step in steps if step["value"] == alert.threshold]
        healthy_above = alert.direction == "<"
        assert (step["color"] == COLOURS["ok"]) == healthy_above
        assert (steps[0]["color"] == COLOURS["ok"]) != healthy_above
    if panel.kind in (Kind.LINE, Kind.AREA):
        assert fields["defaults"]["custom"]["thresholdsStyle"]["mode"] == ("dashed" if panel.alerts else "off")


@every_chart
def test_every_panel_leads_to_the_console_and_to_its_runbooks(panel: Panel, chart: dict[str, Any]) -> None:
    titles = [link["title"] for link in chart["links"]]
    assert titles == ["Open in OpsConsole", *(f"Runbook: {alert.name}" for alert in panel.alerts)]


@every_chart
def test_charts_of_a_histogram_show_exemplars(panel: Panel, chart: dict[str, Any]) -> None:
    for query, target in zip(panel.queries, chart["targets"], strict=True):
        over_time = panel.kind in (Kind.LINE, Kind.HEATMAP)
        assert target["exemplar"] == (over_time and "_bucket{" in query.signal.expr)


@every_chart
def test_tables_ask_for_an_instant_and_charts_for_a_range(panel: Panel, chart: dict[str, Any]) -> None:
    for target in chart["targets"]:
        assert target["instant"] == (panel.kind is Kind.TABLE)
        assert target["range"] != target["instant"]

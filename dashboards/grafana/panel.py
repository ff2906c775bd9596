"""One panel of ours as a panel of Grafana."""

from __future__ import annotations

import re
from string import ascii_uppercase
from typing import Any

from grafanalib import core

from alerts.annotations import runbook_url
from dashboards.model import Board, Kind, Panel, Query
from signals.unit import Unit

from .field import COLOURS, UNITS, Json, column_override, series_override, thresholds

DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMN = 2
"""A board has 12 columns, Grafana 24."""

_LABEL = re.compile(r"\{(\w+)\}")


def grafana_panel(panel: Panel, board: Board, *, x: int, y: int, id: int, console_url: str) -> Any:  # noqa: A002
    """``x`` and ``y`` in Grafana's grid.  Returns grafanalib's object."""
    build = {
        Kind.STAT: _stat,
        Kind.LINE: _time_series,
        Kind.AREA: _time_series,
        Kind.HEATMAP: _heatmap,
        Kind.TABLE: _table,
    }[panel.kind]
    return build(
        panel,
        id=id,
        title=panel.title,
        description=_description(panel),
        dataSource=DATASOURCE,
        gridPos=core.GridPos(h=panel.height, w=panel.width * COLUMN, x=x, y=y),
        links=_links(panel, board, console_url),
        targets=[_target(panel, board, query, ref) for query, ref in _with_ref(panel)],
    )


def _stat(panel: Panel, **common: Any) -> core.Stat:
    colour = (
        {"mode": "thresholds"} if panel.alerts else {"mode": "fixed", "fixedColor": COLOURS[panel.queries[0].colour]}
    )
    return core.Stat(
        **common,
        format=UNITS[_unit(panel)],
        reduceCalc="lastNotNull",
        graphMode="area",
        textMode="value",
        noValue="no data",
        color=colour,
        extraJson={"fieldConfig": {"defaults": {"thresholds": thresholds(panel.alerts)}}},
    )


def _time_series(panel: Panel, **common: Any) -> core.TimeSeries:
    return core.TimeSeries(
        **common,
        unit=UNITS[_unit(panel)],
        lineWidth=2,
        fillOpacity=14 if panel.kind is Kind.AREA else 0,
        stacking={"mode": "normal" if panel.stacked else "none", "group": "A"},
        showPoints="never",
        tooltipMode="multi",
        tooltipSort="desc",
        legendCalcs=["lastNotNull"],
        thresholdsStyleMode="dashed" if panel.alerts else "off",
        axisSoftMin=0,
        overrides=[series_override(ref, query) for query, ref in _with_ref(panel) if query.colour],
        extraJson={"fieldConfig": {"defaults": {"thresholds": thresholds(panel.alerts)}}},
    )


def _heatmap(panel: Panel, **common: Any) -> core.Heatmap:
    return core.Heatmap(
        **common,
        options={
            "calculate": False,
            "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Blues", "exponent": 0.5, "steps": 64, "fill": "dark-blue"},
            "exemplars": {"color": COLOURS["d3"]},
            "filterValues": {"le": 1e-9},
            "legend": {"show": False},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "show": True, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": UNITS[Unit.SECONDS]},
        },
        extraJson={
            "fieldConfig": {
                "defaults": {"unit": UNITS[_unit(panel)], "thresholds": thresholds(panel.alerts)},
                "overrides": [],
            }
        },
    )


def _table(panel: Panel, **common: Any) -> core.Table:
    """Joins the instant values by their labels; the key's column comes first."""
    values = {f"Value #{ref}": query.legend for query, ref in _with_ref(panel)}
    others = [label for label in panel.queries[0].signal.by if label != panel.key]
    columns = [panel.key, *others, *values]
    first = next((query for query in panel.queries if query.bar), None)
    return core.Table(
        **common,
        unit=UNITS[_unit(panel)],
        overrides=[column_override(panel, query) for query in panel.queries],
        transformations=[
            {"id": "merge", "options": {}},
            {
                "id": "organize",
                "options": {
                    "excludeByName": {"Time": True},
                    "indexByName": {name: index for index, name in enumerate(columns)},
                    "renameByName": {"job": "service", **values},
                },
            },
        ],
        extraJson={
            "options": {
                "sortBy": [{"displayName": first.legend if first else panel.key, "desc": first is not None}],
            },
            "fieldConfig": {
                "defaults": {"thresholds": thresholds([]), "custom": {"cellOptions": {"type": "auto"}}},
            },
        },
    )


def _target(panel: Panel, board: Board, query: Query, ref: str) -> Json:
    table, heatmap = panel.kind is Kind.TABLE, panel.kind is Kind.HEATMAP
    target: Json = core.Target(
        expr=expr(board, query),
        datasource=DATASOURCE,
        format="table" if table else "heatmap" if heatmap else "time_series",
        instant=table,
        legendFormat=_LABEL.sub(r"{{\1}}", query.legend),
        refId=ref,
    ).to_json_data()
    # Exemplars ride on the buckets of a histogram, and only charts over time show them.
    exemplar = not table and panel.kind is not Kind.STAT and "_bucket{" in query.signal.expr
    return {**target, "range": not table, "exemplar": exemplar, "editorMode": "code"}


def expr(board: Board, query: Query) -> str:
    """The query's PromQL with Grafana's variables in place of selector and window."""
    selector = ", ".join(f'{label}=~"${label}"' for label in board.variables)
    return query.signal.promql(window="$__rate_interval", selector=selector)


def _with_ref(panel: Panel) -> list[tuple[Query, str]]:
    return list(zip(panel.queries, ascii_uppercase, strict=False))


def _unit(panel: Panel) -> Unit:
    return panel.queries[0].signal.unit


def _description(panel: Panel) -> str:
    """What the numbers mean, a line for each query; Grafana reads it as Markdown."""
    if len(panel.queries) == 1:
        return panel.queries[0].signal.help
    return "\n".join(f"- **{query.signal.title}**: {query.signal.help}" for query in panel.queries)


def _links(panel: Panel, board: Board, console_url: str) -> list[Json]:
    live = f"{console_url}/boards/{board.name}/?from=${{__from:date:seconds}}&to=${{__to:date:seconds}}#{panel.name}"
    links = [("Open in OpsConsole", live)]
    links += [(f"Runbook: {alert.name}", runbook_url(alert, console_url)) for alert in panel.alerts]
    return [{"title": title, "url": url, "targetBlank": True} for title, url in links]

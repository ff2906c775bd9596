"""The board as a page, as data and as a Grafana dashboard."""

from __future__ import annotations

import json
import re

from dashboards.registry import BY_NAME

OVERVIEW = BY_NAME["overview"]


def described(text: str) -> dict:
    return json.loads(re.search(r'<script id="board" type="application/json">(.*?)</script>', text, re.DOTALL)[1])


def test_home_is_the_first_board_at_the_range_that_was_asked_for(person):
    assert person.get("/")["Location"] == "/boards/overview/"
    assert person.get("/?from=now-1h&to=now")["Location"] == "/boards/overview/?from=now-1h&to=now"


def test_the_board_has_an_element_for_every_panel_in_the_order_of_its_definition(person):
    text = person.get("/boards/overview/").text
    names = [panel.name for panel in OVERVIEW.panels]
    assert re.findall(r"<ops-\w+ data-panel=\"([\w-]+)\"", text) == names
    assert [panel["name"] for panel in described(text)["panels"]] == names


def test_panels_keep_their_place_before_any_data_comes(person):
    text = person.get("/boards/overview/").text
    for panel in OVERVIEW.panels:
        assert f"panel w{panel.width} h{panel.height}" in text


def test_a_range_that_makes_no_sense_is_said_on_the_page(person):
    answer = person.get("/boards/overview/?from=yesterday")
    assert answer.status_code == 400
    assert "from=&#x27;yesterday&#x27; is no time" in answer.text
    assert (
        'href="?job=shop-web">Show the last 15 minutes'
        in person.get("/boards/overview/?from=yesterday&job=shop-web").text
    )
    backwards = person.get("/boards/overview/?from=now&to=now-1h")
    assert "must be before" in backwards.text


def test_the_menu_offers_the_jobs_that_are_scraped_and_keeps_the_range(person):
    text = person.get("/boards/overview/?from=now-1h&to=now").text
    assert 'href="?from=now-1h&amp;to=now&amp;job=shop-web"' in text


def test_other_pages_open_at_the_same_range(person):
    text = person.get("/boards/overview/?from=now-1h&to=now&job=shop-web").text
    assert 'href="/traces/?from=now-1h&amp;to=now&amp;job=shop-web"' in text


def test_a_fixed_range_comes_as_one_frame(person, now_ms):
    now = now_ms // 1000
    frame = person.get(f"/boards/overview/frame.json?from={now - 300}&to={now}").json()
    assert frame["type"] == "snapshot"
    assert frame["t"][-1] == now
    rates = frame["panels"]["request-rate"]
    assert rates["columns"][0][-1] == 49


def test_a_frame_that_cannot_be_made_says_why(person):
    answer = person.get("/boards/overview/frame.json?from=never")
    assert answer.status_code == 400
    assert "is no time" in answer.json()["error"]


def test_a_board_comes_as_a_grafana_dashboard_that_links_back(person):
    answer = person.get("/boards/overview/grafana.json")
    assert answer["Content-Disposition"] == 'attachment; filename="opsconsole-overview.json"'
    assert answer.json()["title"] == "OpsConsole / Overview"
    assert "http://console.example" in answer.text


def test_a_board_nobody_defined_is_not_there(person):
    assert person.get("/boards/nothing/").status_code == 404
    assert person.get("/boards/nothing/frame.json").status_code == 404


def test_what_fires_stands_above_the_charts_with_what_to_do(person, make_incident):
    incident = make_incident()
    text = person.get("/boards/overview/").text
    assert "shop-web: P95 latency is 1.42 s, over 0.5 s" in text
    assert 'href="/runbooks/DjangoLatencyHigh/"' in text
    assert f'hx-post="/alerts/{incident.pk}/"' in text
    assert re.search(r'href="/traces/\?from=\d+&amp;to=now&amp;tab=slowest"', text)


def test_the_banner_refetches_itself_alone(person, make_incident):
    make_incident()
    answer = person.get("/boards/overview/", headers={"hx-request": "true"})
    assert answer.text.lstrip().startswith("<article")
    assert "HX-Request" in answer["Vary"]


def test_resolved_alerts_leave_the_banner(person, make_incident):
    make_incident(resolved=True)
    assert "P95 latency is 1.42 s" not in person.get("/boards/overview/").text


def test_many_alerts_do_not_push_the_charts_away(person, make_incident):
    for number in range(8):
        make_incident(f"alert {number}")
    text = person.get("/boards/overview/").text
    assert text.count('<article class="incident') == 3
    assert "and 5 more" in text

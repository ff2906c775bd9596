"""How the board behaves under whatever comes over its socket."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.real

NOW = 1_764_000_000
HOSTILE = '<img src=x onerror="document.title=1">'


def delta(seq: int, at: int, panels: dict) -> dict:
    return {"type": "delta", "seq": seq, "now": at, "t": at, "panels": panels}


def test_a_chart_shows_its_numbers_and_moves_when_a_delta_comes(desk, snapshot, line):
    desk.open()
    wanted = desk.heard("subscribe")
    assert wanted == {"type": "subscribe", "board": "overview", "from": "now-15m", "to": "now", "variables": {}}
    desk.send(snapshot({"latency": line({"P50 shop": 0.06, "P95 shop": 0.31, "P99 shop": 0.55}, job="shop")}))
    readings = desk.panel("latency").locator(".legend b")
    expect(readings).to_have_text(["60 ms", "310 ms", "550 ms"])
    expect(desk.panel("latency").locator(".legend .alert")).to_have_text("alert above 0.5 s")
    title = desk.page.locator("#title-latency output")
    expect(title).to_have_text("310 ms")
    desk.send(delta(8, NOW + 2, {"latency": {"values": [0.07, 1.42, None]}}))
    expect(readings).to_have_text(["70 ms", "1.42 s", "550 ms"])
    expect(title).to_have_text("1.42 s")
    expect(title).to_have_class("warning")
    expect(desk.panel("latency").locator(".u-over")).to_be_visible()


def test_nothing_jumps_when_data_come(desk, snapshot, line):
    def boxes() -> list:
        return desk.page.evaluate(
            "[...document.querySelectorAll('.panel, .panel h2 span')].map(p => JSON.stringify(p.getBoundingClientRect()))"
        )

    desk.open()
    desk.heard("subscribe")
    before = boxes()
    desk.send(
        snapshot(
            {"latency": line({"P50": 0.06, "P95": 0.31, "P99": 0.55}, job="shop"), "queues": {"error": "no engine"}}
        )
    )
    expect(desk.page.locator("#title-latency output")).to_have_text("310 ms")
    assert boxes() == before


def test_a_lost_frame_makes_the_page_ask_for_all_again(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"errors": line({"shop": 0.01}, job="shop")}))
    number = desk.page.locator("#title-errors output")
    expect(number).to_have_text("1.00 %")
    desk.send(delta(10, NOW + 6, {"errors": {"values": [0.5]}}))
    desk.heard("resync")
    expect(number).to_have_text("1.00 %")
    desk.send(snapshot({"errors": line({"shop": 0.02}, job="shop")}, seq=10))
    expect(number).to_have_text("2.00 %")


def test_a_pause_holds_the_page_still_and_going_on_catches_up(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"errors": line({"shop": 0.01}, job="shop")}))
    badge, number = desk.page.locator("[data-live]"), desk.page.locator("#title-errors output")
    expect(badge).to_contain_text("Live")
    desk.page.keyboard.press(" ")
    expect(badge).to_have_text("Paused")
    desk.heard("unsubscribe")
    desk.send(delta(8, NOW + 2, {"errors": {"values": [0.5]}}))
    desk.page.keyboard.press(" ")
    desk.heard("subscribe", times=2)
    expect(number).to_have_text("1.00 %")
    desk.send(snapshot({"errors": line({"shop": 0.03}, job="shop")}, seq=20))
    expect(number).to_have_text("3.00 %")


def test_keys_do_nothing_while_somebody_types(desk):
    desk.open()
    desk.heard("subscribe")
    desk.page.click("[data-range] summary")
    desk.page.fill("[data-range] [name=from]", "now-")
    desk.page.keyboard.type("6 h?t")
    assert desk.page.input_value("[data-range] [name=from]") == "now-6 h?t"
    expect(desk.page.locator("[data-live]")).not_to_have_text("Paused")
    expect(desk.page.locator("#keys")).not_to_be_visible()


def test_a_typed_range_goes_to_the_address_and_a_bad_one_is_said(desk):
    desk.open()
    desk.heard("subscribe")
    desk.page.click("[data-range] summary")
    desk.page.fill("[data-range] [name=from]", "some day")
    desk.page.click("[data-range] form button")
    expect(desk.page.locator("[data-range] [data-error]")).to_contain_text("Write now, now-6h, or a date")
    desk.page.fill("[data-range] [name=from]", "now-6h")
    desk.page.click("[data-range] form button")
    assert desk.heard("subscribe", times=2)["from"] == "now-6h"
    assert "from=now-6h&to=now" in desk.page.url
    desk.page.go_back()
    assert desk.heard("subscribe", times=3)["from"] == "now-15m"


def test_a_drag_over_a_chart_fetches_that_time_and_one_click_leads_back(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.frame = snapshot({"errors": line({"shop": 0.04}, job="shop")})
    desk.send(snapshot({"errors": line({"shop": 0.01}, job="shop")}))
    box = desk.panel("errors").locator(".u-over").bounding_box()
    desk.page.mouse.move(box["x"] + 40, box["y"] + 30)
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + 160, box["y"] + 30, steps=5)
    desk.page.mouse.up()
    expect(desk.page.locator("#title-errors output")).to_have_text("4.00 %")
    expect(desk.page.locator("[data-live]")).to_have_text("Fixed range")
    assert len(desk.fetched) == 1
    assert "from=17639" in desk.fetched[0]
    desk.page.click("[data-pause]")
    desk.heard("subscribe", times=2)


def test_a_socket_that_closes_comes_back_by_itself(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"errors": line({"shop": 0.01}, job="shop")}))
    desk.page.evaluate(
        """() => {
            window.badge = [];
            const element = document.querySelector("[data-live]");
            new MutationObserver(() => badge.push(element.textContent)).observe(element, { subtree: true, childList: true });
        }"""
    )
    desk.sockets[-1].close()
    desk.heard("subscribe", times=2)
    desk.send(snapshot({"errors": line({"shop": 0.02}, job="shop")}, seq=1))
    expect(desk.page.locator("#title-errors output")).to_have_text("2.00 %")
    assert "Reconnecting…" in desk.page.evaluate("badge")


def test_a_session_that_ended_leads_to_the_sign_in_page(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"errors": line({"shop": 0.01}, job="shop")}))
    expect(desk.page.locator("#title-errors output")).to_have_text("1.00 %")
    with desk.page.expect_navigation():  # the server knows where to send somebody who is not signed in
        desk.sockets[-1].close(code=4401)


def test_a_table_joins_rows_sorts_and_takes_names_as_text(desk, snapshot):
    def view(query: int, name: str) -> dict:
        return {"query": query, "name": "", "labels": {"view": name}}

    rows = {
        "series": [view(query, name) for query in range(3) for name in ("cart", HOSTILE)],
        "values": [91.7, 12.4, 0.06, 1.42, 0.2, 0.6],
    }
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"views": rows}))
    table = desk.panel("views").locator("tbody tr")
    expect(table).to_have_text([f"{HOSTILE}12.41.42 s", "cart91.760 ms"])
    assert desk.panel("views").locator("img").count() == 0
    desk.panel("views").get_by_role("button", name="req/s").click()
    expect(table.first).to_contain_text("cart")
    widths = desk.page.evaluate(
        "[...document.querySelectorAll('[data-panel=views] .meter i')].map(bar => bar.style.width)"
    )
    assert widths == ["20%", "60%"]  # each its share of everything, shown or not


def test_a_panel_says_when_it_has_nothing_and_when_it_failed_and_the_others_go_on(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    desk.send(
        snapshot({"latency": {"error": "unknown function rated at 4"}, "errors": line({"shop": 0.01}, job="shop")})
    )
    expect(desk.panel("latency").locator(".note.error")).to_contain_text("unknown function rated at 4")
    expect(desk.panel("exceptions").locator(".note")).to_contain_text("No data in this range")
    expect(desk.panel("requests")).to_contain_text("no data")
    expect(desk.page.locator("#title-errors output")).to_have_text("1.00 %")
    desk.send(delta(8, NOW + 2, {"latency": {"values": [0.1], "series": [{"query": 1, "name": "P95", "labels": {}}]}}))
    expect(desk.panel("latency").locator(".note")).to_have_count(0)


def test_each_panel_says_its_last_values_to_those_who_do_not_see_it(desk, snapshot, line):
    desk.open()
    desk.heard("subscribe")
    bands = {"latency": [{"from": NOW - 20, "to": None, "severity": "warning", "alert": "DjangoLatencyHigh"}]}
    desk.send(snapshot({"latency": line({"P50": 0.06, "P95": 0.7, "P99": 0.9}, job="shop")}, bands=bands))
    expect(desk.panel("latency")).to_have_attribute(
        "aria-label", "Latency: P50 60 ms, P95 700 ms, P99 900 ms, alert above 0.5 s, an alert is firing"
    )


def test_an_alert_becomes_a_toast_a_count_and_a_title(desk):
    desk.open()
    desk.heard("subscribe")
    toast = {
        "state": "firing",
        "severity": "critical",
        "title": HOSTILE,
        "text": "People feel it.",
        "url": "/alerts/12/",
    }
    desk.send({"type": "alerts", "firing": 2, "changed": False, "toast": toast})
    box = desk.page.get_by_role("status").locator(".toast")
    expect(box).to_contain_text(HOSTILE)
    expect(box.locator("a")).to_have_attribute("href", "/alerts/12/")
    expect(desk.page.locator(".nav [data-firing]")).to_have_text("2")
    assert desk.page.title() == "(2) Overview · OpsConsole"
    box.get_by_role("button", name="Close").click()
    expect(box).to_have_count(0)


def test_what_the_server_refuses_is_said_in_every_panel(desk):
    desk.open()
    desk.heard("subscribe")
    desk.send({"type": "error", "message": "from='x' is no time"})
    expect(desk.panel("latency").locator(".note.error")).to_contain_text("is no time")


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_scrolls_sideways(desk, snapshot, line, width):
    desk.page.set_viewport_size({"width": width, "height": 844})
    desk.open()
    desk.heard("subscribe")
    desk.send(snapshot({"latency": line({"P50 " + "long" * 20: 0.06}, job="shop")}))
    expect(desk.panel("latency").locator(".u-over")).to_be_visible()
    assert desk.page.evaluate("document.documentElement.scrollWidth") == width


def test_the_theme_is_chosen_and_remembered(desk):
    desk.open()
    before = desk.page.evaluate("document.documentElement.dataset.theme")
    desk.page.keyboard.press("t")
    after = desk.page.evaluate("document.documentElement.dataset.theme")
    assert {before, after} == {"dark", "light"}
    desk.open()
    assert desk.page.evaluate("document.documentElement.dataset.theme") == after


def test_values_read_as_people_write_them(desk):
    desk.open()
    said = desk.page.evaluate(
        """async () => {
            const { text, long, axisLabels } = await import("ops/format");
            return [text(0.0004, "s"), text(0.31, "s"), text(1.42, "s"), text(130, "s"), text(0.0063, "ratio"), text(1204, "count"),
                    text(411.6, "req/s"), text(8.21, "task/s"), text(0, "s"), long(44), long(400), long(9000),
                    axisLabels([0, 0.25, 0.5], "s").join(), axisLabels([0, 1, 2], "s").join(), axisLabels([0, 0.02], "ratio").join()];
        }"""
    )
    assert said == [
        "400 µs", "310 ms", "1.42 s", "2 m 10 s", "0.63 %", "1,204", "412 req/s", "8.21 tasks/s", "0 s", "44 s", "7 min", "3 h",
        "0 ms,250 ms,500 ms", "0 s,1 s,2 s", "0 %,2 %",
    ]  # fmt: skip

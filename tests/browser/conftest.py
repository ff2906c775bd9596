"""A real browser on the real board page, with a console at the other end whose every word the test chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Browser, Page, Route, WebSocketRoute, sync_playwright

from alerts.profile import DEMO
from dashboards.registry import BOARDS
from opsconsole.operations.boards import describe
from opsconsole.series.timerange import TimeRange
from opsconsole.web import vendor
from opsconsole.web.choice import Choice
from opsconsole.web.page import Shell

ORIGIN = "http://console.test"
POLICY = "default-src 'none'; script-src 'self' 'nonce-once'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self' ws:"
NOW = 1_764_000_000
STEP = 2


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    path = program("chromium")
    if not (Path(vendor.__file__).parent / "static/vendor/uPlot.esm.js").is_file():
        program("npm")
        vendor.fill(Path(vendor.__file__).parent)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        browser.close()


@dataclass
class Desk:
    """The page, what it said over its sockets, and a hand on the other end."""

    page: Page
    said: list[dict[str, Any]] = field(default_factory=list)
    sockets: list[WebSocketRoute] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)  # of the browser: errors, policy violations
    fetched: list[str] = field(default_factory=list)
    frame: dict[str, Any] = field(default_factory=dict)  # what frame.json answers

    def open(self, query: str = "") -> None:
        self.page.goto(f"{ORIGIN}/boards/overview/{query}")

    def heard(self, kind: str, times: int = 1) -> dict[str, Any]:
        """Wait until the page said ``kind`` that often; the last of these messages."""
        for _ in range(500):
            found = [message for message in self.said if message["type"] == kind]
            if len(found) >= times:
                return found[-1]
            self.page.wait_for_timeout(20)
        raise AssertionError(f"the page never said {kind} {times} times; it said {self.said}")

    def send(self, frame: dict[str, Any]) -> None:
        self.sockets[-1].send(json.dumps(frame))

    def panel(self, name: str) -> Any:
        return self.page.locator(f"[data-panel={name}]")


@pytest.fixture
def desk(browser: Browser) -> Iterator[Desk]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, timezone_id="UTC")
    desk = Desk(context.new_page())
    desk.page.on("pageerror", lambda error: desk.complaints.append(str(error)))
    desk.page.on("console", lambda message: desk.complaints.append(message.text) if message.type == "error" else None)

    def listen(socket: WebSocketRoute) -> None:
        desk.sockets.append(socket)
        socket.on_message(lambda text: desk.said.append(json.loads(text)))

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        if path.startswith("/static/"):
            found = finders.find(path.removeprefix("/static/"))
            route.fulfill(path=found) if found else route.fulfill(status=404)
        elif path.endswith("frame.json"):
            desk.fetched.append(route.request.url)
            route.fulfill(json=desk.frame)
        else:
            route.fulfill(body=_board(), content_type="text/html", headers={"Content-Security-Policy": POLICY})

    desk.page.route(f"{ORIGIN}/**", answer)
    desk.page.route_web_socket("**/ws/live", listen)
    yield desk
    context.close()
    assert desk.complaints == []


@pytest.fixture
def snapshot() -> Callable[..., dict[str, Any]]:
    """``snapshot({panel: P})``: a frame of a minute, with nothing in the panels that are not named."""

    def make(panels: dict[str, Any], seq: int = 7, bands: dict[str, Any] | None = None) -> dict[str, Any]:
        nothing = {panel.name: {"series": [], "columns": []} for panel in BOARDS[0].panels}
        return {
            "type": "snapshot",
            "seq": seq,
            "board": "overview",
            "now": NOW,
            "step": STEP,
            "t": list(range(NOW - 58, NOW + 1, STEP)),
            "panels": {**nothing, **panels},
            "bands": bands or {},
        }

    return make


@pytest.fixture
def line() -> Callable[..., dict[str, Any]]:
    """``line({"P95": 0.3})``: a flat line a name, in the order of the panel's queries."""

    def make(values: dict[str, float | None], **labels: str) -> dict[str, Any]:
        series = [{"query": index, "name": name, "labels": labels} for index, name in enumerate(values)]
        return {"series": series, "columns": [[value] * 30 for value in values.values()]}

    return make


def _board() -> str:
    from django.contrib.auth.models import AnonymousUser  # late: this file is read before Django is set up

    request = RequestFactory().get("/boards/overview/")
    request.user = AnonymousUser()
    request.csp_nonce = "once"  # type: ignore[attr-defined]
    board = BOARDS[0]
    context = {
        "shell": Shell(board.name, BOARDS, 0, ""),
        "choice": Choice(TimeRange(), {}),
        "description": describe(board, DEMO),
        "variables": [Choice(TimeRange(), {}).variable("job", ["shop-web"])],
    }
    return render_to_string("web/board.html", context, request)

"""What a newcomer does with the demo: watch, break, be told, mend, stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.acceptance.conftest import Demo, WebhookSink

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
RATE = 'ops-chart[data-panel="request-rate"]'


@pytest.fixture(scope="module")
def page(demo: Demo, program: Callable[[str], str]) -> Iterator[Page]:
    """A browser that came in by the printed link; what a page reports as an error fails the test that ends with it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1010})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(demo.ready["sign_in_url"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/boards/overview/**")
        yield page
        browser.close()
        assert errors == []


def test_the_printed_link_lets_in_once_only(demo: Demo, page: Page) -> None:
    answer = httpx.get(demo.ready["console_url"] + "/", follow_redirects=True)
    assert "/sign-in/" in str(answer.url), "a stranger is asked to sign in"
    with httpx.Client(follow_redirects=True) as stranger:
        stranger.get(demo.ready["sign_in_url"])
        token = stranger.cookies.get("opsconsole_csrf") or ""
        used = stranger.post(
            demo.ready["sign_in_url"],
            data={"csrfmiddlewaretoken": token},
            headers={"Referer": demo.ready["sign_in_url"]},
        )
        assert "/boards/" not in str(used.url)
        assert "opsconsole_session" not in stranger.cookies


def test_the_request_rate_moves_by_itself(page: Page, eventually: Callable[..., Any]) -> None:
    page.wait_for_selector(f"{RATE} .legend b")
    eventually(lambda: "Live" in page.locator("[data-live]").inner_text(), 30, "the page says that it is live")
    seen = page.locator(f"{RATE} .legend").inner_text()
    eventually(lambda: page.locator(f"{RATE} .legend").inner_text() != seen, 30, "the numbers of the chart changed")
    drawn = page.locator(f"{RATE} canvas").evaluate("canvas => canvas.width * canvas.height")
    assert drawn > 0


def test_at_least_ten_panels_show_data(page: Page, eventually: Callable[..., Any]) -> None:
    panels = page.locator("ops-board [data-panel]")
    assert panels.count() >= 10
    eventually(
        lambda: panels.count() - page.locator("ops-board [data-panel] .note").count() >= 10,
        60,
        "ten panels without a note that there is no data",
    )


def test_a_pause_keeps_the_page_still_and_live_resumes(page: Page, eventually: Callable[..., Any]) -> None:
    page.keyboard.press("Space")
    eventually(lambda: "Paused" in page.locator("[data-live]").inner_text(), 5, "the page says that it is paused")
    page.keyboard.press("Space")
    eventually(lambda: "Live" in page.locator("[data-live]").inner_text(), 15, "the page is live again")


def test_a_fault_fires_on_the_page_and_at_the_webhook_and_resolves_at_both(
    demo: Demo, page: Page, webhook_sink: WebhookSink, eventually: Callable[..., Any]
) -> None:
    name = "DjangoErrorRateHigh"
    banner = page.locator("#incidents .incident", has_text="shop-web").filter(has_text="5xx")
    demo.fault("exceptions", "on")
    try:
        eventually(lambda: webhook_sink.alerts(name, "firing"), 90, "the webhook heard that it fires")
        eventually(lambda: banner.count() == 1, 15, "the page shows the incident without a reload")
        (posted, *_) = webhook_sink.alerts(name, "firing")
        assert posted["labels"]["job"] == "shop-web"
        assert posted["labels"]["severity"] in ("critical", "warning")
        assert posted["annotations"]["summary"] in banner.inner_text()
    finally:
        demo.fault("exceptions", "off")
    eventually(lambda: webhook_sink.alerts(name, "resolved"), 120, "the webhook heard that it is resolved")
    eventually(lambda: banner.count() == 0, 15, "the incident is gone from the page")


def test_a_toast_says_that_an_alert_fires(demo: Demo, page: Page, eventually: Callable[..., Any]) -> None:
    demo.fault("stopped-workers", "on")
    try:
        toast = page.locator("#toasts .toast", has_text="worker")
        eventually(lambda: toast.count() >= 1, 90, "a toast about the missing workers")
    finally:
        demo.fault("stopped-workers", "off")
    eventually(
        lambda: min((float(row["value"][1]) for row in demo.query("celery_workers")), default=0) >= 1, 60, "workers"
    )


def test_slow_and_failed_requests_are_found_as_traces_with_a_waterfall(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.ready['console_url']}/traces/?tab=errors")
    page.locator("a[href^='/traces/']:not([href*='?'])").first.wait_for()
    page.goto(f"{demo.ready['console_url']}/traces/?tab=slowest")
    page.locator("tbody a[href^='/traces/']").first.click()
    page.wait_for_url(re.compile(r"/traces/[0-9a-f]{32}/"))
    assert page.get_by_text("SELECT").count() or page.get_by_text("shop-w").count()


def test_an_unknown_function_a_wrong_token_and_a_truncated_body_get_one_line_each(demo: Demo) -> None:
    console = demo.ready["console_url"]
    bearer = {"Authorization": f"Bearer {demo.ready['api_token']}"}
    unknown = httpx.get(f"{console}/api/v1/query", params={"query": "no_such_function(up)"}, headers=bearer)
    assert unknown.status_code == 400
    assert unknown.json()["errorType"] == "bad_data"
    assert "no_such_function" in unknown.json()["error"]

    wrong = httpx.post(f"{console}/v1/traces", headers={"Authorization": "Bearer wrong"}, content=b"")
    assert wrong.status_code == 401

    protobuf = bearer | {"Content-Type": "application/x-protobuf"}
    truncated = httpx.post(f"{console}/v1/traces", headers=protobuf, content=b"\x0a\xff\x01truncated")
    assert truncated.status_code == 400
    assert demo.query("up"), "and everything else goes on"

"""Pictures of the running demo, for the README and for looking at.

    python -m bench.screenshots [--out docs/pictures] [--quiet-s 60] [--all]

The first picture is the Overview after a fault has fired.  ``--all`` takes every page at 1440 and 390 pixels, dark and light.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from bench.demo import fault, running_demo

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PAGES = {
    "overview": "/boards/overview/?from=now-5m&to=now",
    "alerts": "/alerts/",
    "traces": "/traces/?tab=slowest",
    "ingest": "/ingest/",
}


def settle(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_load_state("load")
    page.wait_for_timeout(3500)  # a frame or two, so that nothing is caught half drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--quiet-s", type=float, default=250, help="seconds of history before the fault")
    parser.add_argument("--fault-s", type=float, default=40, help="seconds the fault has been on")
    parser.add_argument("--all", action="store_true", help="every page, both widths, both themes")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    with running_demo() as demo, sync_playwright() as playwright:
        time.sleep(arguments.quiet_s)
        fault(demo, "slow-database", "on")
        time.sleep(arguments.fault_s)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 1010})
        page.goto(demo["sign_in_url"])
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/boards/**")
        console = demo["console_url"]
        settle(page, f"{console}/traces/?tab=slowest")
        trace = page.locator("a[href^='/traces/']").first.get_attribute("href") or "/traces/"
        pages = PAGES | {"trace": trace}
        for theme in ("dark", "light"):
            page.emulate_media(color_scheme=theme)
            for width, suffix in ((1440, ""), (390, "-phone")):
                page.set_viewport_size({"width": width, "height": 1010 if width == 1440 else 844})
                for name, path in pages.items() if arguments.all else [("overview", PAGES["overview"])]:
                    settle(page, f"{console}{path}")
                    page.screenshot(path=arguments.out / f"{name}-{theme}{suffix}.png", full_page=arguments.all)
                    print(arguments.out / f"{name}-{theme}{suffix}.png")
        browser.close()


if __name__ == "__main__":
    main()

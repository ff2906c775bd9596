"""What arrives, and what does not."""

from __future__ import annotations

import asyncio

from opsconsole.series.labels import Labels


def test_a_target_that_was_not_scraped_yet_is_no_failure(person):
    text = person.get("/ingest/").text
    assert "not yet scraped" in text
    assert "http://127.0.0.1:1/metrics" in text


def test_a_target_that_cannot_be_reached_says_why(person, console):
    async def scrape() -> None:
        await console.scraper.start()
        await console.scraper.scrape(Labels.of(job="shop-web", instance="127.0.0.1:1"))
        await console.scraper.stop()

    asyncio.run(scrape())
    text = person.get("/ingest/", headers={"hx-request": "true"}).text
    assert "cannot be reached" in text
    assert "1 down" in text
    assert "<nav" not in text


def test_before_the_first_span_the_page_says_where_to_send_them(person):
    text = person.get("/ingest/").text
    assert "pushed over HTTP to http://console.example/v1/traces" in text

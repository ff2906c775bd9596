"""What arrives, and what does not."""

from __future__ import annotations

import asyncio

import numpy as np

from opsconsole.ingest.push import Push
from opsconsole.ingest.scraped import Scrape
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


def test_samples_that_were_refused_are_shown_with_the_reason(person, console):
    assert "8 series" in person.get("/ingest/").text
    labels = Labels.of(job="shop-web", instance="127.0.0.1:1")
    console.recorder.append(Scrape(labels, 1, [Labels.of(labels, __name__="up")], np.array([1.0])))
    assert "because of out_of_order" in person.get("/ingest/").text


def test_before_the_first_span_the_page_says_where_to_send_them(person):
    text = person.get("/ingest/").text
    assert "pushed over HTTP to http://console.example/v1/traces" in text


def test_what_is_pushed_is_counted_and_what_is_refused_is_shown_with_the_reason(person, console):
    assert "Nothing was pushed yet" in person.get("/ingest/").text
    intake = console.receivers.intake
    member = intake.roster.member(Labels.of(__name__="pushed", job="j"))
    now_ms = console.clock.now_ms()
    instants = np.array([now_ms, now_ms + 3_600_000], dtype=np.int64)
    intake.offer(Push([member, member], instants, np.array([1.0, 2.0]))).stored.result(20)
    text = person.get("/ingest/").text
    assert "1 series in" in text
    assert "1 because of future" in text
    assert "Nothing was pushed yet" not in text

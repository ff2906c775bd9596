"""What arrives, and what does not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from opsconsole.ingest.push import Push
from opsconsole.ingest.scrape import Scraper
from opsconsole.ingest.scraped import Scrape
from opsconsole.ingest.target import Target
from opsconsole.operations.console import install
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


@contextmanager
def exposing(body: bytes) -> Iterator[str]:
    """The address of a target that says ``body``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the test's output to the test."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/metrics"
        finally:
            server.shutdown()
            thread.join()


def test_what_was_not_taken_as_it_was_exposed_is_said_under_its_target(person, console):
    with exposing(b'hits{view="/a"} 1 1764000000000\nhits{view="/b"} 1\nhits{view="/b"} 2\n') as url:
        target = Target.parse(f"shop-web={url}", interval_s=2)
        scraper = Scraper([target], console.recorder, console.clock)

        async def scrape() -> None:
            await scraper.start()
            await scraper.scrape(target.labels)
            await scraper.stop()

        asyncio.run(scrape())
    install(replace(console, scraper=scraper))
    text = person.get("/ingest/").text
    assert "samples with a timestamp of their own, kept at the instant of the scrape: 1" in text
    assert "samples left out because their series stands further up already: 1" in text
    assert "exemplars left out" not in text

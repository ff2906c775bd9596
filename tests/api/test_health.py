"""Health and the console's own metrics: for machines, without a token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from opsconsole import __version__
from opsconsole.live.tick import FRAME_SECONDS
from opsconsole.operations import alerting
from opsconsole.operations.console import install

pytestmark = pytest.mark.django_db

NOW_MS = 1_764_000_000_000


def test_live_answers_whatever_else_is_missing(console):
    install(None)
    assert Client().get("/healthz/live").status_code == 200


def test_not_ready_without_a_console_and_the_line_says_how_to_start_one(console):
    install(None)
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.content == b"no console is running in this process; start it with: opsconsole serve\n"


def test_ready_after_the_first_evaluation(console):
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    assert b"wait for their first evaluation" in answer.content
    alerting.evaluate(console, NOW_MS)
    assert (Client().get("/healthz/ready").status_code, Client().get("/healthz/ready").content) == (200, b"ok\n")


def test_without_targets_there_is_nothing_to_wait_for(without_targets):
    assert Client().get("/healthz/ready").status_code == 200


def test_not_ready_while_the_store_does_not_answer(console):
    class Silent:
        def services(self, *_: int) -> list[str]:
            raise OSError("password=hunter2")

    install(replace(console, spans=cast("Any", Silent())))
    answer = Client().get("/healthz/ready")
    assert answer.status_code == 503
    assert answer.content == b"the telemetry store does not answer; see the console's log\n"


def test_metrics_are_what_a_scraper_reads(console):
    answer = Client().get("/metrics")
    assert answer["Content-Type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    assert families["opsconsole_build_info"].samples[0].labels == {"version": __version__}
    for name in (
        "opsconsole_live_sockets",
        FRAME_SECONDS._name,
        "opsconsole_live_frames_sent",
        "opsconsole_spans",
        "process_resident_memory_bytes",
    ):
        assert name in families
    (up,) = families["opsconsole_target_up"].samples
    assert (up.labels, up.value) == ({"job": "web", "instance": "127.0.0.1:8001"}, 0.0)


async def test_metrics_count_sockets_and_frames(console):
    mailbox = console.hub.open()
    console.hub.broadcast("{}")
    await mailbox.take()
    text = (await sync_to_async(Client().get)("/metrics")).content.decode()
    assert "opsconsole_live_sockets 1.0" in text
    assert "opsconsole_live_frames_sent_total 1.0" in text


def test_metrics_come_as_openmetrics_to_who_asks(console):
    answer = Client().get("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert answer.content.endswith(b"# EOF\n")


def test_metrics_of_a_process_that_does_not_serve_are_its_own(console):
    install(None)
    assert b"opsconsole_build_info" in Client().get("/metrics").content

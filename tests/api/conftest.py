"""A console behind its API: a real engine over a real head, a real embedded trace store, real tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from django.test import Client

from alerts.profile import DEMO
from alerts.registry import ALERTS
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import RuleBook
from opsconsole.ingest.otlp_metrics import OtlpMetricsDecoder
from opsconsole.ingest.remote_write import RemoteWriteDecoder
from opsconsole.ingest.scrape import Scraper
from opsconsole.ingest.target import Target
from opsconsole.live.hub import Hub
from opsconsole.operations.console import Console, install
from opsconsole.operations.ingest import Receivers
from opsconsole.promql.engine import Engine
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.storage.clickhouse import ClickHouse
from opsconsole.storage.commit import CommitPolicy
from opsconsole.storage.exemplars import ExemplarStore
from opsconsole.storage.head import Head
from opsconsole.storage.history import History
from opsconsole.storage.intake import Intake
from opsconsole.storage.metadata import MetadataStore
from opsconsole.storage.pushed import PushedStore
from opsconsole.storage.samples import SampleStore, StoredScrape
from opsconsole.storage.spans import SpanStore

NOW_MS = 1_764_000_000_000
WEB = Labels.of(job="web", instance="127.0.0.1:8001")


@pytest.fixture
def head() -> Head:
    """``up`` is 1 and ``requests_total`` rises by 1 a second, for ten minutes every 15 s; the last sample is now."""
    head = Head()
    series = [Labels.of(WEB, __name__="up"), Labels.of(WEB, __name__="requests_total", path='/a"b\\')]
    for second in range(-600, 1, 15):
        head.append(WEB, NOW_MS + second * 1000, series, np.array([1.0, 600.0 + second]))
    return head


@pytest.fixture
def console(span_store: SpanStore, head: Head, settings) -> Iterator[Console]:
    settings.ROOT_URLCONF = "opsconsole.api.urls"
    clock = ManualClock(NOW_MS)
    target = Target.parse("web=http://127.0.0.1:8001/metrics", interval_s=15)
    console = Console(
        clock=clock,
        profile=DEMO,
        boards={},
        alerts={alert.name: alert for alert in ALERTS},
        engine=Engine(head),
        spans=span_store,
        scraper=Scraper([target], _Nowhere(), clock),
        hub=Hub(),
        public_url="http://testserver",
        rules=RuleBook(Rule.of(alert, DEMO) for alert in ALERTS),
    )
    install(console)
    yield console
    install(None)


@pytest.fixture
def pushed_into(console: Console, embedded_engine: ClickHouse) -> Iterator[Console]:
    """The console with empty receivers over the same engine; ``web`` is scraped, so ``up`` of it is not to be pushed."""
    for table in ("series", "samples"):
        embedded_engine.command(f"TRUNCATE TABLE {table}")
    samples = SampleStore(embedded_engine)
    samples.append([StoredScrape(NOW_MS, (Labels.of(WEB, __name__="up"),), np.array([1.0]))], batch_id="scraped")
    pushed = PushedStore(targets=[WEB], scraped=samples.scraped)
    intake = Intake(
        pushed, samples, console.clock, CommitPolicy(what="pushed samples", batch=100_000, pending=200_000, delay_s=0.0)
    )
    changed = replace(
        console,
        engine=Engine(History(Head(), samples, pushed)),
        receivers=Receivers(
            intake, RemoteWriteDecoder(intake.roster), OtlpMetricsDecoder(intake.roster, pushed.newest)
        ),
        exemplars=ExemplarStore(),
        metadata=MetadataStore(),
    )
    install(changed)
    yield changed
    intake.close()


@pytest.fixture
def without_targets(console: Console) -> Console:
    changed = replace(console, scraper=Scraper([], _Nowhere(), console.clock))
    install(changed)
    return changed


@pytest.fixture
def machine(console: Console, db) -> Callable[[str], Client]:
    """``machine(scope)`` calls with a token of that scope."""
    from opsconsole.operations.access import create_token  # late: this file is read before Django is set up

    return lambda scope: Client(headers={"authorization": f"Bearer {create_token(scope, scope, NOW_MS)}"})


@pytest.fixture
def reader(machine: Callable[[str], Client]) -> Client:
    return machine("read")


@pytest.fixture
def pusher(machine: Callable[[str], Client]) -> Client:
    return machine("ingest")


@pytest.fixture
def person(console: Console, db) -> Client:
    """Somebody who is signed in, with a browser that has CSRF to mind."""
    from django.contrib.auth.models import User  # late, too

    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("ada"))
    return client


class _Nowhere:
    """The sink of a scraper that is not started."""

    def append(self, scrape: object) -> None:
        raise AssertionError(f"nothing is scraped here, but this came: {scrape}")

"""Beat's last tick, and the runs that it left out: counted from real schedules, and from a beat that runs."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import crontab, schedule
from opsconsole_exporters.catalog.celery import CELERY_BEAT_TICK, CELERY_QUEUE_LENGTH, CELERY_SENT
from opsconsole_exporters.celery.beat import MOST_MISSED, missed_runs


@pytest.fixture
def missed():
    with Celery("beating", set_as_current=False) as app:

        def of(kind, seconds_ago):
            last = app.now() - timedelta(seconds=seconds_ago)
            return missed_runs(ScheduleEntry(name="e", task="t", schedule=kind, last_run_at=last, app=app))

        yield of


def test_an_entry_that_is_due_or_late_by_less_than_a_period_has_missed_nothing(missed):
    assert missed(schedule(1000), 1) == 0
    assert missed(schedule(1000), 1001) == 0
    assert missed(schedule(1000), 1900) == 0
    assert missed(crontab(minute="*"), 59) == 0


def test_every_period_that_passed_beside_the_one_that_is_due_is_missed(missed):
    assert missed(schedule(1000), 3500) == 2
    assert missed(crontab(minute=0), 3 * 3600 + 10) in (2, 3)  # as many full hours as lie between


def test_what_was_missed_is_counted_in_bounded_time(missed):
    assert missed(schedule(1), 10**6) == MOST_MISSED


@pytest.mark.real
def test_a_beat_that_lives_ticks_and_its_messages_are_counted_as_sent(launch, until):
    sidecar = launch.sidecar()
    assert sidecar.scrape().value(CELERY_BEAT_TICK) is None
    before = time.time()
    beat = launch.run("-m", "celery", "-A", "watched.celery:app", "beat", "-s", "beat", BEAT_EVERY_S="0.2")
    page = until("a tick", lambda: (page := sidecar.scrape()).sum(CELERY_SENT) >= 2 and page)
    assert before <= page.value(CELERY_BEAT_TICK) <= time.time()
    assert page.value(CELERY_SENT, task="watched.tasks.add", queue="fast") >= 2
    beat.stop()
    gone = sidecar.scrape()
    assert gone.value(CELERY_BEAT_TICK) is None, "of a dead beat nothing is known"
    sent = gone.sum(CELERY_SENT)
    until("its messages", lambda: sidecar.scrape().value(CELERY_QUEUE_LENGTH, queue="fast") == sent)

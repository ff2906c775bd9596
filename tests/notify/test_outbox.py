from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from opsconsole.alerting.notification import Status
from opsconsole.notify import outbox
from opsconsole.notify.channel import Outcome, Verdict
from opsconsole.records.instant import to_ms
from opsconsole.records.models import Delivery

pytestmark = pytest.mark.django_db
NOW = 1_764_000_000_000
HOUR = 3_600_000


def told(parcel: outbox.Parcel) -> list[tuple[str, Status, bool]]:
    return [(each.labels.get("queue"), each.status, each.changed) for each in parcel.message.notification.notices]


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


class TestClaiming:
    def test_an_empty_outbox_has_nothing(self):
        assert outbox.claim("webhook", NOW) is None
        assert outbox.next_due_ms("webhook") is None

    def test_what_is_claimed_is_leased(self, fire):
        fire("mail")
        parcel = outbox.claim("webhook", NOW)
        row = Delivery.objects.get()
        assert (row.state, row.lease, row.attempts) == ("leased", parcel.lease, 1)
        assert to_ms(row.leased_until) == NOW + outbox.LEASE_MS

    def test_what_is_leased_cannot_be_claimed(self, fire):
        fire("mail")
        outbox.claim("webhook", NOW)
        assert outbox.claim("webhook", NOW + outbox.LEASE_MS - 1) is None

    def test_after_a_lease_ran_out_it_can_and_is_the_same_message(self, fire):
        fire("mail")
        first = outbox.claim("webhook", NOW)
        assert outbox.next_due_ms("webhook") == NOW + outbox.LEASE_MS
        second = outbox.claim("webhook", NOW + outbox.LEASE_MS)
        assert second.message == first.message
        assert (second.attempt, second.lease == first.lease) == (2, False)

    def test_each_channel_has_rows_of_its_own(self, fire):
        fire("mail", channels=("webhook", "browser"))
        assert outbox.claim("webhook", NOW)
        assert outbox.claim("browser", NOW)
        assert outbox.claim("pager", NOW) is None

    def test_one_alert_at_a_time_the_oldest_first(self, fire):
        fire("mail", alert="A")
        fire("web", alert="B")
        fire("sms", alert="A")
        assert told(outbox.claim("webhook", NOW)) == [("mail", "firing", True), ("sms", "firing", True)]
        assert told(outbox.claim("webhook", NOW)) == [("web", "firing", True)]

    def test_news_of_an_alert_wait_while_it_is_being_told(self, fire, resolve):
        fire("mail")
        parcel = outbox.claim("webhook", NOW)
        resolve("mail", now_ms=NOW + 1)
        assert outbox.claim("webhook", NOW + 2) is None
        outbox.settle(parcel, Outcome.delivered(), NOW + 3, 0)
        assert told(outbox.claim("webhook", NOW + 4)) == [("mail", "resolved", True)]

    def test_an_incident_that_ended_before_it_was_told_is_told_once_as_ended(self, fire, resolve):
        fire("mail")
        resolve("mail", now_ms=NOW + 60_000)
        parcel = outbox.claim("webhook", NOW + 60_000)
        assert told(parcel) == [("mail", "resolved", True)]
        (notice,) = parcel.message.notification.notices
        assert (notice.starts_at_ms, notice.ends_at_ms) == (NOW, NOW + 60_000)
        outbox.settle(parcel, Outcome.delivered(), NOW + 60_001, 0)
        assert states() == ["done", "done"]
        assert outbox.claim("webhook", NOW + HOUR) is None

    def test_one_that_waits_to_be_tried_again_travels_with_the_news(self, fire, resolve):
        fire("mail")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.retry("answered 500", 200_000), NOW, 0)
        assert outbox.claim("webhook", NOW + 1_000) is None
        resolve("mail", now_ms=NOW + 2_000)
        assert told(outbox.claim("webhook", NOW + 2_000)) == [("mail", "resolved", True)]

    def test_the_ones_that_still_fire_stand_beside(self, fire, resolve):
        fire("mail")
        fire("sms")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.delivered(), NOW, 0)
        resolve("mail", now_ms=NOW + 2_000)
        assert told(outbox.claim("webhook", NOW + 2_000)) == [("mail", "resolved", True), ("sms", "firing", False)]

    @pytest.mark.django_db(transaction=True)
    def test_of_many_workers_one_gets_a_row(self, fire):
        for number in range(6):
            fire(f"q{number}", alert=f"Alert{number}")

        def work(_: int) -> list[str]:
            try:
                taken = iter(lambda: outbox.claim("webhook", NOW), None)
                return [parcel.message.notification.alert for parcel in taken]
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            taken = [alert for each in pool.map(work, range(4)) for alert in each]
        assert sorted(taken) == [f"Alert{number}" for number in range(6)]


class TestSettling:
    def test_delivered_is_done(self, fire):
        fire("mail")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.delivered(), NOW + 40, 0)
        row = Delivery.objects.get()
        assert (row.state, to_ms(row.delivered_at), row.lease, row.last_error) == ("done", NOW + 40, "", "")

    def test_refused_is_dead_and_says_why(self, fire):
        fire("mail")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.dead("answered 404"), NOW, 0)
        row = Delivery.objects.get()
        assert (row.state, row.last_error) == ("dead", "answered 404")
        assert outbox.claim("webhook", NOW + HOUR) is None

    def test_a_retry_waits_as_long_as_it_was_asked_to(self, fire):
        fire("mail")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.retry("answered 429", 17_000), NOW, 0.5)
        assert outbox.next_due_ms("webhook") == NOW + 17_000
        assert outbox.claim("webhook", NOW + 16_999) is None
        assert outbox.claim("webhook", NOW + 17_000).attempt == 2

    def test_a_retry_that_may_be_at_once_waits_all_the_same(self, fire):
        fire("mail")
        outbox.settle(outbox.claim("webhook", NOW), Outcome.retry("answered 429", 0), NOW, 0)
        assert outbox.next_due_ms("webhook") == NOW + 1_000

    def test_a_worker_whose_lease_ran_out_cannot_settle_for_the_one_that_took_over(self, fire):
        fire("mail")
        slow = outbox.claim("webhook", NOW)
        outbox.claim("webhook", NOW + outbox.LEASE_MS)
        outbox.settle(slow, Outcome.dead("answered 404"), NOW + outbox.LEASE_MS + 1, 0)
        assert states() == ["leased"]

    def test_a_firing_one_is_tried_for_a_day(self, fire):
        fire("mail")
        before = outbox.claim("webhook", NOW + 23 * HOUR)
        assert outbox.settle(before, Outcome.retry("answered 500"), NOW + 23 * HOUR, 0).verdict is Verdict.RETRY
        after = outbox.claim("webhook", NOW + 24 * HOUR)
        settled = outbox.settle(after, Outcome.retry("answered 500"), NOW + 24 * HOUR, 0)
        assert settled == Outcome.dead("answered 500")
        assert states() == ["dead"]

    def test_a_resolved_one_is_tried_for_an_hour_and_its_beginning_goes_with_it(self, fire, resolve):
        fire("mail")
        resolve("mail", now_ms=NOW + HOUR)
        parcel = outbox.claim("webhook", NOW + 2 * HOUR)
        outbox.settle(parcel, Outcome.retry("answered 500"), NOW + 2 * HOUR, 0)
        assert states() == ["dead", "dead"]


@pytest.mark.parametrize(
    ("attempt", "chance", "pause_ms"),
    [(1, 0, 1_000), (1, 0.5, 1_500), (4, 0, 1_000), (4, 0.5, 8_500), (9, 0.5, 150_500), (900, 0.5, 150_500)],
)
def test_the_pause_grows_to_five_minutes_and_falls_anywhere_below(attempt, chance, pause_ms):
    assert outbox.backoff_ms(attempt, chance) == pause_ms


def test_rows_of_a_channel_that_is_gone_are_given_up_with_what_to_do(fire):
    fire("mail", channels=("webhook", "pager"))
    assert outbox.bury_unconfigured(["webhook"]) == 1
    row = Delivery.objects.get(channel="pager")
    assert (row.state, row.last_error) == (
        "dead",
        "this channel is no longer configured; configure it and send again",
    )
    assert Delivery.objects.get(channel="webhook").state == "waiting"

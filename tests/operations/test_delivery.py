from __future__ import annotations

import pytest

from opsconsole.alerting.state import Instance, Reason, State, Transition
from opsconsole.notify import outbox
from opsconsole.notify.channel import Outcome
from opsconsole.operations import delivery
from opsconsole.records import ledger
from opsconsole.records.models import Delivery
from opsconsole.series.labels import Labels

pytestmark = pytest.mark.django_db
NOW = 1_764_000_000_000


@pytest.fixture
def letters() -> None:
    """One delivered by browser, one dead by webhook."""
    labels = Labels.of(alertname="Down", severity="critical")
    fired = Instance(labels, State.FIRING, NOW, NOW, None, 0.0, "It is down", "Look.")
    fact = Transition(fired, State.INACTIVE, State.FIRING, NOW, Reason.HELD)
    ledger.record({}, {"Down": {labels: fired}}, [fact], ("browser", "webhook"), NOW)
    outbox.settle(outbox.claim("browser", NOW), Outcome.delivered(), NOW, 0)
    outbox.settle(outbox.claim("webhook", NOW), Outcome.dead("answered 404"), NOW, 0)


def test_recent_shows_what_became_of_each_with_its_incident(letters, django_assert_num_queries):
    with django_assert_num_queries(1):
        rows = [(row.channel, row.state, row.transition.incident.summary) for row in delivery.recent()]
    assert rows == [("webhook", "dead", "It is down"), ("browser", "done", "It is down")]
    assert len(delivery.recent(limit=1)) == 1


def test_dead_letters_say_why(letters):
    (row,) = delivery.dead()
    assert (row.channel, row.last_error) == ("webhook", "answered 404")


def test_a_dead_letter_can_be_sent_again(letters):
    (row,) = delivery.dead()
    assert delivery.redeliver(row.id, NOW + 1)
    parcel = outbox.claim("webhook", NOW + 1)
    assert parcel.attempt == 1
    outbox.settle(parcel, Outcome.delivered(), NOW + 2, 0)
    assert delivery.dead() == []


def test_only_a_dead_letter_can(letters):
    done = Delivery.objects.get(state="done")
    assert not delivery.redeliver(done.id, NOW)
    assert not delivery.redeliver(10_000, NOW)

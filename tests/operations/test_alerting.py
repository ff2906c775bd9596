from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError

from alerts.profile import DEMO
from alerts.registry import BY_NAME
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import Health, RuleBook
from opsconsole.alerting.state import Reason, State
from opsconsole.operations import alerting
from opsconsole.operations.console import Console
from opsconsole.promql.engine import Engine
from opsconsole.promql.error import PromQLError
from opsconsole.promql.result import Matrix, Scalar
from opsconsole.records import ledger
from opsconsole.records.instant import to_ms
from opsconsole.records.models import AlertState, Delivery, Incident, Transition
from opsconsole.series.block import Block
from opsconsole.series.clock import ManualClock
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import select

pytestmark = pytest.mark.django_db

START = 1_764_000_000_123
TICK = 2_000  # of the demo profile, where CeleryQueueBacklog holds for one tick and keeps for two
BACKLOG = "CeleryQueueBacklog"
DOWN = "TargetDown"


@dataclass
class Answers:
    """An engine that is told what to answer: by the name of the alert, label sets with values, or an error."""

    rules: dict[str, Rule]
    results: dict[str, dict[Labels, float] | Exception] = field(default_factory=dict)

    def instant(self, query: str, at_ms: int) -> Matrix:
        name = next(name for name, rule in self.rules.items() if rule.query == query)
        result = self.results.get(name, {})
        if isinstance(result, Exception):
            raise result
        values = np.array(list(result.values()), dtype=np.float64).reshape(len(result), 1)
        return Matrix(list(result), np.array([at_ms]), values, np.ones_like(values, dtype=bool))


@pytest.fixture
def start():
    """``start()`` is a console as after a start of the process: the records are all it remembers."""

    def build(names: tuple[str, ...] = (BACKLOG, DOWN), channels: tuple[str, ...] = ("webhook", "browser")):
        alerts = {name: BY_NAME[name] for name in names}
        rules = {name: Rule.of(alert, DEMO) for name, alert in alerts.items()}
        nothing = cast("object", None)
        return Console(
            clock=ManualClock(START),
            profile=DEMO,
            boards={},
            alerts=alerts,
            engine=Answers(rules),
            spans=nothing,
            scraper=nothing,
            hub=nothing,
            public_url="http://127.0.0.1:8000",
            rules=RuleBook(rules.values()),
            channels=dict.fromkeys(channels, nothing),
        )

    return build


@pytest.fixture
def console(start) -> Console:
    return start()


def mail(value: float = 90.0) -> dict[Labels, float]:
    return {Labels.of(job="shop-celery", queue="mail"): value}


def sms(value: float = 90.0) -> dict[Labels, float]:
    return {Labels.of(job="shop-celery", queue="sms"): value}


def run(console: Console, *results: object, alert: str = BACKLOG, from_tick: int = 0) -> alerting.Evaluation:
    """One evaluation a result, a tick apart."""
    for number, result in enumerate(results, from_tick):
        console.engine.results[alert] = result
        evaluation = alerting.evaluate(console, START + number * TICK)
    return evaluation


def instances(console: Console) -> dict:
    return {name: status.instances for name, status in console.rules.statuses().items() if status.instances}


class TestEvaluation:
    def test_a_pending_alert_is_kept_and_told_to_nobody(self, console):
        evaluation = run(console, mail())
        assert (evaluation.changed, evaluation.told, evaluation.pending, evaluation.firing) == (True, False, 1, 0)
        assert AlertState.objects.get().state == "pending"
        assert not Incident.objects.exists()
        assert not Delivery.objects.exists()

    def test_when_it_fires_the_incident_the_fact_and_a_row_for_every_channel_are_stored(self, console):
        evaluation = run(console, mail(), mail(95.5))
        assert (evaluation.told, evaluation.firing, evaluation.pending) == (True, 1, 0)
        incident = Incident.objects.get()
        assert (incident.alert, incident.severity, incident.value) == (BACKLOG, "warning", 95.5)
        assert incident.labels == {
            "alertname": BACKLOG,
            "job": "shop-celery",
            "owner": "queues",
            "queue": "mail",
            "severity": "warning",
        }
        assert (to_ms(incident.started_at), to_ms(incident.fired_at)) == (START, START + TICK)
        assert "mail" in incident.summary
        fact = incident.transitions.get()
        assert (fact.before, fact.after, fact.reason) == ("pending", "firing", Reason.HELD)
        assert set(fact.deliveries.values_list("channel", "state", "group")) == {
            ("webhook", "waiting", BACKLOG),
            ("browser", "waiting", BACKLOG),
        }

    def test_when_it_ends_the_incident_is_resolved_and_told_and_the_state_forgotten(self, console):
        evaluation = run(console, mail(), mail(95), {}, {}, {})
        assert evaluation.told
        incident = Incident.objects.get()
        assert to_ms(incident.resolved_at) == START + 4 * TICK
        assert incident.value == 95
        assert list(incident.transitions.values_list("after", flat=True)) == ["firing", "inactive"]
        assert Delivery.objects.count() == 4
        assert not AlertState.objects.exists()
        assert instances(console) == {}

    def test_the_same_alert_again_is_a_new_incident(self, console):
        run(console, mail(), mail(), {}, {}, {}, mail(), mail())
        assert [incident.firing for incident in alerting.incidents()] == [True, False]

    def test_a_blip_within_the_keep_time_is_the_same_incident_and_told_once(self, console):
        run(console, mail(), mail(), {}, mail(), {}, mail())
        assert Incident.objects.count() == 1
        assert Delivery.objects.count() == 2

    def test_an_incident_follows_the_value_while_it_fires(self, console):
        run(console, mail(), mail(91), mail(300))
        assert Incident.objects.get().value == 300
        assert alerting.active()[0].incident.summary == AlertState.objects.get().summary

    def test_a_value_that_is_no_number_survives_the_records(self, console, start):
        run(console, mail(math.nan))
        again = start()
        alerting.restore(again, START)
        ((instance,),) = [each.values() for each in instances(again).values()]
        assert math.isnan(instance.value)

    def test_nothing_is_written_while_nothing_happens(self, console, django_assert_num_queries):
        with django_assert_num_queries(0):
            run(console, {}, {})

    def test_a_result_that_is_a_gap_is_no_result(self, console):
        class Gap(Answers):
            def instant(self, query, at_ms):
                return Matrix([Labels.of(queue="mail")], np.array([at_ms]), np.array([[1.0]]), np.array([[False]]))

        console = replace(console, engine=Gap({}))
        assert alerting.evaluate(console, START).pending == 0


class TestAnEvaluationThatFails:
    def test_it_keeps_the_state_and_says_why_and_the_others_go_on(self, console):
        run(console, mail(), mail())
        console.engine.results[DOWN] = {Labels.of(job="shop-web", instance="a:1"): 0.0}
        evaluation = run(console, PromQLError("unknown function: rat", 3), from_tick=2)
        assert evaluation.failed == (BACKLOG,)
        broken, healthy = alerting.rules(console)
        assert (broken.health, broken.error, broken.state) == (Health.ERR, "unknown function: rat", State.FIRING)
        assert (healthy.health, healthy.error) == (Health.OK, "")
        assert healthy.state is not State.INACTIVE
        assert Incident.objects.get(alert=BACKLOG).firing

    def test_a_store_that_is_gone_resolves_nothing_however_long(self, console):
        run(console, mail(), mail(), *[OSError("no connection")] * 50)
        assert Incident.objects.get().firing
        assert Delivery.objects.count() == 2

    def test_a_scalar_is_no_answer_for_an_alert(self, console):
        class Number(Answers):
            def instant(self, query, at_ms):
                return Scalar(at_ms, 1.0)

        console = replace(console, engine=Number({}))
        assert alerting.evaluate(console, START).failed == (BACKLOG, DOWN)
        assert "must return a vector" in alerting.rules(console)[0].error

    def test_records_that_cannot_be_written_change_nothing_and_the_next_evaluation_makes_up_for_it(
        self, console, monkeypatch
    ):
        run(console, mail())
        before = instances(console)
        with monkeypatch.context() as patch:
            patch.setattr(Delivery.objects, "bulk_create", _refuse)
            with pytest.raises(DatabaseError):
                run(console, mail(), from_tick=1)
        assert instances(console) == before
        assert not Incident.objects.exists()
        assert not Transition.objects.exists()
        assert run(console, mail(), from_tick=2).told
        assert Delivery.objects.count() == 2


def _refuse(*args, **kwargs):
    raise DatabaseError("disk full")


class TestARestart:
    @pytest.mark.parametrize("script", [["x"], ["x", "x"], ["x", "x", "."]], ids=["pending", "firing", "kept"])
    def test_it_restores_every_instance_exactly(self, console, start, script):
        run(console, *[mail() | sms(77.7) if letter == "x" else {} for letter in script])
        again = start()
        assert alerting.restore(again, START + 60_000) == ()
        assert instances(again) == instances(console)
        assert ledger.load() == instances(console)

    def test_a_pending_one_keeps_the_time_it_has_held(self, console, start):
        run(console, mail())
        again = start()
        alerting.restore(again, START + TICK)
        run(again, mail(), from_tick=1)
        assert to_ms(Incident.objects.get().started_at) == START

    def test_a_firing_one_is_not_told_again(self, console, start):
        run(console, mail(), mail())
        again = start()
        alerting.restore(again, START + 2 * TICK)
        assert not run(again, mail(), from_tick=2).told
        assert Delivery.objects.count() == 2

    def test_one_that_ended_meanwhile_is_resolved_after_its_keep_time(self, console, start):
        run(console, mail(), mail())
        again = start()
        alerting.restore(again, START + 2 * TICK)
        run(again, {}, {}, {}, from_tick=2)
        assert not Incident.objects.get().firing

    def test_an_alert_that_was_removed_ends_and_is_told(self, console, start):
        run(console, mail(), mail())
        again = start(names=(DOWN,))
        (ended,) = alerting.restore(again, START + 60_000)
        assert ended.reason is Reason.RULE_REMOVED
        assert not Incident.objects.get().firing
        assert Delivery.objects.count() == 4
        assert not AlertState.objects.exists()


class TestOnTheRealEngine:
    """Two targets, of which one fails its scrapes from the tenth second on for twenty seconds."""

    @pytest.fixture
    def watching(self, start) -> Console:
        class Scrapes:
            def select(self, matchers, start_ms, end_ms):
                ages = np.arange(0, 60_000, TICK)
                labels = [Labels.of(__name__="up", job="shop-web", instance=name) for name in ("a:1", "b:1")]
                values = np.array([np.where((ages >= 10_000) & (ages < 30_000), 0.0, 1.0), np.ones(len(ages))])
                inside = (START + ages > start_ms) & (START + ages <= end_ms)
                if not all(select(label, matchers) for label in labels):
                    return []
                return [Block(labels, START + ages[inside], values[:, inside])]

        return replace(start(), engine=Engine(Scrapes()))

    def test_a_target_that_is_down_fires_after_its_hold_and_resolves(self, watching):
        hold_ms = watching.rules.statuses()[DOWN].rule.hold_ms
        keep_ms = watching.rules.statuses()[DOWN].rule.keep_ms
        for age_ms in range(0, 60_000, TICK):
            assert alerting.evaluate(watching, START + age_ms).failed == ()
        incident = Incident.objects.get()
        assert (incident.labels["instance"], incident.severity) == ("a:1", "critical")
        assert to_ms(incident.started_at) == START + 10_000
        assert to_ms(incident.fired_at) == START + 10_000 + hold_ms
        assert to_ms(incident.resolved_at) == START + 30_000 + keep_ms

    @pytest.mark.parametrize("name", BY_NAME)
    def test_every_alert_can_be_evaluated(self, start, name):
        class Nothing:
            def select(self, matchers, start_ms, end_ms):
                return []

        console = replace(start(names=(name,)), engine=Engine(Nothing()))
        assert alerting.evaluate(console, START).failed == ()


class TestLists:
    def test_active_ones_stand_firing_first_then_the_newest(self, console):
        run(console, mail(), mail() | sms(), mail() | sms())
        run(console, {Labels.of(job="shop-web", instance="a:1"): 0.0}, alert=DOWN, from_tick=3)
        rows = alerting.active()
        assert [(row.labels.get("queue"), row.state) for row in rows[:2]] == [("sms", "firing"), ("mail", "firing")]
        assert rows[0].incident.labels == rows[0].labels

    def test_incidents_are_found_by_whether_they_fire_and_by_alert(self, console):
        run(console, mail(), mail() | sms(), mail() | sms(), mail(), mail(), mail())
        assert [each.labels["queue"] for each in alerting.incidents(firing=True)] == ["mail"]
        assert [each.labels["queue"] for each in alerting.incidents(firing=False)] == ["sms"]
        assert len(alerting.incidents(alert=BACKLOG)) == 2
        assert alerting.incidents(alert=DOWN) == []
        assert len(alerting.incidents(limit=1)) == 1

    def test_one_comes_with_its_story_and_what_was_told(self, console, django_assert_num_queries):
        run(console, mail(), mail())
        number = Incident.objects.get().id
        with django_assert_num_queries(3):
            incident = alerting.one(number)
            told = [each.channel for fact in incident.transitions.all() for each in fact.deliveries.all()]
        assert sorted(told) == ["browser", "webhook"]
        assert alerting.one(number + 1) is None


class TestAcknowledging:
    def test_the_first_who_takes_care_is_written_down(self, console):
        run(console, mail(), mail())
        number = Incident.objects.get().id
        ada, bob = (User.objects.create_user(name) for name in ("ada", "bob"))
        assert alerting.acknowledge(number, ada, START + 5_000)
        assert not alerting.acknowledge(number, bob, START + 6_000)
        incident = alerting.one(number)
        assert (incident.acknowledged_by, to_ms(incident.acknowledged_at)) == (ada, START + 5_000)

    def test_what_is_resolved_needs_nobody(self, console):
        run(console, mail(), mail(), {}, {}, {})
        ada = User.objects.create_user("ada")
        assert not alerting.acknowledge(Incident.objects.get().id, ada, START)


class TestFiringBands:
    def test_a_firing_alert_has_an_open_band_and_a_quiet_one_none(self, console):
        run(console, mail(), mail())
        assert alerting.firing_bands([BACKLOG, DOWN], START, START + 60_000) == {
            BACKLOG: [(START + TICK, None, "warning")],
            DOWN: [],
        }

    def test_a_resolved_one_ends(self, console):
        run(console, mail(), mail(), {}, {}, {})
        assert alerting.firing_bands([BACKLOG], START, START + 60_000) == {
            BACKLOG: [(START + TICK, START + 4 * TICK, "warning")]
        }

    def test_only_what_fired_within_the_range_counts(self, console):
        run(console, mail(), mail(), {}, {}, {})
        assert alerting.firing_bands([BACKLOG], START + 4 * TICK, START + 60_000) == {BACKLOG: []}
        assert alerting.firing_bands([BACKLOG], 0, START + TICK) == {BACKLOG: []}
        assert len(alerting.firing_bands([BACKLOG], START + 3 * TICK, START + 60_000)[BACKLOG]) == 1

    def test_instances_that_overlap_make_one_band_and_others_two(self, console):
        both = mail() | sms()
        run(console, mail(), both, both, sms(), sms(), sms(), {}, {}, {}, {}, mail(), mail())
        assert alerting.firing_bands([BACKLOG], START, START + 60_000)[BACKLOG] == [
            (START + TICK, START + 8 * TICK, "warning"),
            (START + 11 * TICK, None, "warning"),
        ]

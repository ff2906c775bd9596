from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rules.celery import CELERY_QUEUE_BACKLOG
from alerts.sentence import Sentence
from opsconsole.alerting.machine import DuplicateLabelsError, retire, step
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.state import Reason, State
from opsconsole.series.labels import Labels

MAIL = Labels.of(job="shop", queue="mail")
SMS = Labels.of(job="shop", queue="sms")


# One evaluation every 30 s, as in Prometheus' compliance suite for alert generators, whose cases these follow.
@pytest.mark.parametrize(
    ("hold_s", "keep_s", "script", "states"),
    [
        pytest.param(0, 0, ".x.", "-F-", id="without a hold it fires on the first evaluation"),
        pytest.param(15, 0, "xx.", "pF-", id="a hold shorter than the interval fires on the second"),
        pytest.param(60, 0, "xxxx", "ppFF", id="the hold is inclusive: 60 s are over at the third of 30 s"),
        pytest.param(90, 0, ".xxxxx..", "-pppFF--", id="pending, firing and resolved"),
        pytest.param(90, 0, "xxx.xxx.", "ppp-ppp-", id="pending that ends is inactive, and never fired"),
        pytest.param(60, 0, "xx.xxx", "pp-ppF", id="one evaluation without it starts the hold again"),
        pytest.param(60, 0, "xxx.xxx", "ppF-ppF", id="it fires again after it resolved, after a new hold"),
        pytest.param(60, 0, "....", "----", id="always inactive"),
        pytest.param(0, 60, "x...", "FFF-", id="kept firing for the keep time, which is exclusive"),
        pytest.param(
            0, 60, "x..x...", "FFFFFF-", id="a return within the keep time goes on, and the next keep is whole"
        ),
        pytest.param(60, 60, "x.", "p-", id="the keep time does not hold a pending one"),
        pytest.param(0, 90, "x.x.x.x....", "FFFFFFFFFF-", id="it flaps under one incident while kept"),
    ],
)
def test_a_rule_walks_as_in_prometheus(make_rule, play, hold_s, keep_s, script, states):
    assert play(make_rule(hold_s, keep_s), script)[0] == states


class TestTransitions:
    def test_each_says_when_and_why(self, make_rule, play):
        _, transitions = play(make_rule(hold_s=60), "xxx.")
        assert [(each.at_ms, each.before, each.after, each.reason) for each in transitions] == [
            (0, State.INACTIVE, State.PENDING, Reason.BEGAN),
            (60_000, State.PENDING, State.FIRING, Reason.HELD),
            (90_000, State.FIRING, State.INACTIVE, Reason.ENDED),
        ]

    def test_without_a_hold_pending_is_no_state_of_its_own(self, make_rule, play):
        _, transitions = play(make_rule(), "x")
        assert [(each.before, each.after, each.reason) for each in transitions] == [
            (State.INACTIVE, State.FIRING, Reason.HELD)
        ]

    def test_the_end_after_a_keep_time_has_its_own_reason(self, make_rule, play):
        _, transitions = play(make_rule(keep_s=30), "x..")
        assert transitions[-1].reason is Reason.KEEP_OVER

    def test_a_pending_one_that_ends_says_so(self, make_rule, play):
        _, transitions = play(make_rule(hold_s=60), "x.")
        assert transitions[-1].reason is Reason.ENDED_EARLY

    def test_a_return_within_the_keep_time_is_none(self, make_rule, play):
        _, transitions = play(make_rule(keep_s=90), "x.x.x")
        assert len(transitions) == 1

    def test_a_removed_rule_ends_all_its_instances(self, make_rule):
        before = step(make_rule(), [(MAIL, 61), (SMS, 62)], {}, 0).instances
        result = retire(before, 5)
        assert result.instances == {}
        assert [(each.after, each.reason, each.at_ms) for each in result.transitions] == [
            (State.INACTIVE, Reason.RULE_REMOVED, 5)
        ] * 2


class TestIdentity:
    def test_it_is_the_samples_labels_without_the_metric_under_the_rules(self, make_rule):
        sample = Labels.of(__name__="celery_queue_oldest", job="shop", queue="mail", severity="from the sample")
        (labels,) = step(make_rule(), [(sample, 61)], {}, 0).instances
        assert labels == Labels.of(alertname="CeleryQueueBacklog", job="shop", queue="mail", severity="warning")

    def test_a_new_series_joins_a_firing_rule_with_a_hold_of_its_own(self, make_rule):
        rule = make_rule(hold_s=60)
        first = step(rule, [(MAIL, 61)], {}, 0).instances
        first = step(rule, [(MAIL, 61)], first, 60_000).instances
        both = step(rule, [(MAIL, 61), (SMS, 61)], first, 90_000).instances
        assert {labels.get("queue"): each.state for labels, each in both.items()} == {
            "mail": State.FIRING,
            "sms": State.PENDING,
        }

    def test_two_results_that_become_one_label_set_are_an_error(self, make_rule):
        twins = [(Labels.of(__name__=name, queue="mail"), 61.0) for name in ("a", "b")]
        with pytest.raises(DuplicateLabelsError, match=r"CeleryQueueBacklog: two results .* signal's by"):
            step(make_rule(), twins, {}, 0)


class TestSentences:
    def test_they_follow_the_value_while_pending_and_while_firing(self, make_rule):
        rule = replace(make_rule(hold_s=30), alert=replace(CELERY_QUEUE_BACKLOG, summary=Sentence("{queue}: {value}")))
        instances, summaries = {}, []
        for number, value in enumerate((61, 62, 63)):
            instances = step(rule, [(MAIL, value)], instances, number * 30_000).instances
            summaries += [each.summary for each in instances.values()]
        assert summaries == ["mail: 61 s", "mail: 62 s", "mail: 63 s"]

    def test_value_and_sentences_stand_still_while_kept(self, make_rule):
        rule = make_rule(keep_s=60)
        fired = step(rule, [(MAIL, 75)], {}, 0).instances
        (kept,) = step(rule, [], fired, 30_000).instances.values()
        (before,) = fired.values()
        assert (kept.value, kept.summary, kept.description) == (75, before.summary, before.description)
        assert kept.keep_since_ms == 30_000

    def test_they_see_the_querys_labels_and_not_the_rules_own(self, make_rule):
        rule = replace(make_rule(), alert=replace(CELERY_QUEUE_BACKLOG, summary=Sentence("[{severity}] {queue}")))
        (instance,) = step(rule, [(MAIL, 75)], {}, 0).instances.values()
        assert instance.summary == "[] mail"


class TestAChangedHold:
    def test_raised_past_its_age_a_firing_one_is_pending_again(self, make_rule):
        fired = step(make_rule(hold_s=0), [(MAIL, 61)], {}, 0).instances
        result = step(make_rule(hold_s=300), [(MAIL, 61)], fired, 60_000)
        (instance,) = result.instances.values()
        assert (instance.state, instance.fired_at_ms, instance.active_at_ms) == (State.PENDING, None, 0)
        assert [each.reason for each in result.transitions] == [Reason.HOLD_RAISED]

    def test_lowered_below_its_age_a_pending_one_fires(self, make_rule):
        pending = step(make_rule(hold_s=300), [(MAIL, 61)], {}, 0).instances
        (instance,) = step(make_rule(hold_s=30), [(MAIL, 61)], pending, 30_000).instances.values()
        assert instance.state is State.FIRING


def rule_of(hold_s: int, keep_s: int) -> Rule:
    return Rule(CELERY_QUEUE_BACKLOG, "q", hold_s * 1000, keep_s * 1000, Labels.of(severity="warning"))


evaluations = st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=60)


@given(evaluations, st.integers(0, 200), st.integers(0, 200))
def test_whatever_happens_firing_needs_the_whole_hold_and_an_end_the_whole_keep(steps, hold_s, keep_s):
    rule = rule_of(hold_s, keep_s)
    instances, now_s = {}, 0
    true_since: int | None = None  # of the unbroken stretch of evaluations
    last_true = 0
    for gap_s, is_true in steps:
        now_s += gap_s
        true_since = None if not is_true else now_s if true_since is None else true_since
        result = step(rule, [(MAIL, 61.0)] if is_true else [], instances, now_s * 1000)
        for each in result.transitions:
            if each.after is State.FIRING:
                assert true_since is not None
                assert now_s - true_since >= hold_s
            if each.before is State.FIRING:
                assert not is_true
                assert now_s - last_true >= keep_s
        instances = result.instances
        last_true = now_s if is_true else last_true


@given(evaluations, st.integers(0, 200), st.integers(0, 200))
def test_the_transitions_alone_tell_every_state(steps, hold_s, keep_s):
    rule = rule_of(hold_s, keep_s)
    instances, told, now_s = {}, State.INACTIVE, 0
    for gap_s, is_true in steps:
        now_s += gap_s
        result = step(rule, [(MAIL, 61.0)] if is_true else [], instances, now_s * 1000)
        for each in result.transitions:
            assert each.before is told
            assert each.after is not each.before
            told = each.after
        instances = result.instances
        assert told is (next(iter(instances.values())).state if instances else State.INACTIVE)

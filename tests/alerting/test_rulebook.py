from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.rules.celery import CELERY_QUEUE_BACKLOG
from opsconsole.alerting.rule import Rule
from opsconsole.alerting.rulebook import Health, RuleBook, RuleStatus, evaluate
from opsconsole.alerting.state import State
from opsconsole.promql.error import PromQLError
from opsconsole.series.labels import Labels

MAIL = (Labels.of(job="shop", queue="mail"), 90.0)


def rule_of(hold_s: int = 0, keep_s: int = 0) -> Rule:
    return Rule(CELERY_QUEUE_BACKLOG, "q", hold_s * 1000, keep_s * 1000, Labels.of(severity="warning"))


def true(promql, at_ms):
    return [MAIL]


def false(promql, at_ms):
    return []


def broken(promql, at_ms):
    raise PromQLError("unknown function: holt_winters", 0)


def test_a_rule_that_was_never_evaluated_has_unknown_health():
    status = RuleStatus(rule_of())
    assert (status.health, status.state) == (Health.UNKNOWN, State.INACTIVE)


def test_a_query_that_fails_is_an_error_that_says_why_and_changes_no_state():
    firing, _ = evaluate(RuleStatus(rule_of()), true, 0)
    failed, transitions = evaluate(firing, broken, 15_000)
    assert (failed.health, failed.error) == (Health.ERR, "unknown function: holt_winters")
    assert failed.instances == firing.instances
    assert failed.evaluated_at_ms == 15_000
    assert transitions == ()


def test_a_query_that_works_again_takes_the_error_away():
    failed, _ = evaluate(RuleStatus(rule_of()), broken, 0)
    healthy, _ = evaluate(failed, true, 15_000)
    assert (healthy.health, healthy.error, healthy.state) == (Health.OK, "", State.FIRING)


def test_two_results_under_one_label_set_are_a_failed_evaluation():
    firing, _ = evaluate(RuleStatus(rule_of()), true, 0)
    failed, transitions = evaluate(firing, lambda *_: [MAIL, MAIL], 15_000)
    assert failed.health is Health.ERR
    assert (failed.instances, transitions) == (firing.instances, ())


def test_an_evaluation_says_how_long_it_took():
    hands = iter((10.0, 10.25))
    status, _ = evaluate(RuleStatus(rule_of()), true, 0, stopwatch=lambda: next(hands))
    assert status.duration_s == 0.25


def test_the_book_counts_instances_by_state():
    book = RuleBook([rule_of()])
    book.replace({name: evaluate(status, true, 0)[0] for name, status in book.statuses().items()})
    assert (book.count(State.FIRING), book.count(State.PENDING)) == (1, 0)


@given(
    st.lists(st.tuples(st.integers(1, 100), st.sampled_from([true, false, broken])), max_size=50),
    st.integers(0, 120),
    st.integers(0, 120),
)
def test_an_error_never_begins_or_ends_anything(steps, hold_s, keep_s):
    status, now_s = RuleStatus(rule_of(hold_s, keep_s)), 0
    for gap_s, query in steps:
        now_s += gap_s
        before = status
        status, transitions = evaluate(status, query, now_s * 1000)
        if query is broken:
            assert transitions == ()
            assert status.instances == before.instances

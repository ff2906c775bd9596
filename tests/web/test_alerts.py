"""Alerts as people meet them: the list, one of them, and what to do."""

from __future__ import annotations

from dataclasses import replace

from django.test import Client

from opsconsole.alerting.rulebook import Health


def test_the_list_says_what_fires_where_and_offers_the_next_step(person, make_incident):
    incident = make_incident()
    text = person.get("/alerts/").text
    assert f'<a href="/alerts/{incident.pk}/">shop-web: P95 latency is 1.42 s, over 0.5 s</a>' in text
    assert "firing · warning" in text
    assert "job=<b>shop-web</b>" in text
    assert "Acknowledge" in text


def test_a_quiet_list_says_so(person):
    assert "Nothing fires" in person.get("/alerts/").text


def test_every_rule_is_listed_with_its_condition_and_health(person, console):
    statuses = console.rules.statuses()
    broken = replace(statuses["TargetDown"], health=Health.ERR, error="the store did not answer")
    console.rules.replace({**statuses, "TargetDown": broken})
    text = person.get("/alerts/").text
    assert "P95 latency above 0.5 s for 10 s" in text
    assert "cannot be evaluated" in text
    assert "the store did not answer" in text
    assert text.count('<tr class="to">') == len(statuses)


def test_the_list_refetches_itself_without_the_shell(person, make_incident):
    make_incident()
    answer = person.get("/alerts/", headers={"hx-request": "true"})
    assert "<nav" not in answer.text
    assert "P95 latency is 1.42 s" in answer.text


def test_acknowledging_from_a_list_tells_all_lists_to_look_again(person, make_incident):
    incident = make_incident()
    answer = person.post(f"/alerts/{incident.pk}/", headers={"hx-request": "true"})
    assert (answer.status_code, answer["HX-Trigger"]) == (204, "ops-alerts")
    incident.refresh_from_db()
    assert incident.acknowledged_by.username == "ada"
    text = person.get("/alerts/").text
    assert "ada takes care" in text
    assert "Acknowledge</button>" not in text


def test_acknowledging_works_without_scripts_and_says_what_it_did(person, make_incident):
    incident = make_incident()
    page = person.post(f"/alerts/{incident.pk}/", follow=True)
    assert "you take care of it" in page.text
    assert "Somebody else was first" in person.post(f"/alerts/{incident.pk}/", follow=True).text


def test_acknowledging_needs_the_page_it_was_offered_on(person, make_incident):
    incident = make_incident()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = person.cookies
    answer = strict.post(f"/alerts/{incident.pk}/")
    assert answer.status_code == 403
    assert "form is no longer valid" in answer.text


def test_an_incident_tells_its_story_and_who_was_not_reached(person, make_incident):
    incident = make_incident(resolved=True)
    text = person.get(f"/alerts/{incident.pk}/").text
    assert "Resolved after 60 s" in text
    assert "the condition held for its time" in text
    assert "given up" in text
    assert "connection refused" in text
    assert "last value 1.42 s" in text


def test_an_incident_nobody_knows_is_not_there(person):
    assert person.get("/alerts/4711/").status_code == 404
    assert "There is nothing here" in person.get("/alerts/4711/").text


def test_a_runbook_is_readable_and_shows_the_rule(person, console):
    text = person.get("/runbooks/DjangoLatencyHigh/").text
    assert '<div class="prose"><h1>' in text
    assert "Copy PromQL" in text
    assert person.get("/runbooks/Nothing/").status_code == 404


def test_every_alert_has_a_runbook_page(person, console):
    for name in console.alerts:
        assert '<div class="prose"><h1>' in person.get(f"/runbooks/{name}/").text, name


def test_an_alert_whose_definition_is_gone_can_still_be_read(person, make_incident):
    incident = make_incident("something old", alert="RetiredAlert")
    assert "There is no runbook for RetiredAlert" in person.get(f"/alerts/{incident.pk}/").text
    assert "something old" in person.get("/alerts/").text

from __future__ import annotations

from opsconsole.alerting.notification import NEVER, Notice, NotifyReason, Status, group, rfc3339, webhook_payload
from opsconsole.series.labels import Labels


def notice(queue: str, *, incident: int = 1, ends_at_ms: int | None = None, changed: bool = True) -> Notice:
    labels = Labels.of(alertname="CeleryQueueBacklog", severity="warning", job="shop", queue=queue)
    return Notice(incident, labels, f"{queue} waits", "Look at it.", 1_764_000_000_250, ends_at_ms, changed)


def payload(*changed: Notice, beside: tuple[Notice, ...] = ()) -> dict:
    notification = group("CeleryQueueBacklog", changed, beside)
    return webhook_payload(notification, receiver="webhook", public_url="https://ops.example")


def test_a_firing_instance_is_said_as_alertmanager_says_it():
    assert payload(notice("mail", incident=12)) == {
        "version": "4",
        "groupKey": '{}:{alertname="CeleryQueueBacklog"}',
        "truncatedAlerts": 0,
        "receiver": "webhook",
        "status": "firing",
        "notification_reason": "new alerts in group",
        "groupLabels": {"alertname": "CeleryQueueBacklog"},
        "commonLabels": {"alertname": "CeleryQueueBacklog", "job": "shop", "queue": "mail", "severity": "warning"},
        "commonAnnotations": {
            "description": "Look at it.",
            "runbook_url": "https://ops.example/runbooks/CeleryQueueBacklog/",
            "summary": "mail waits",
        },
        "routeLabels": {},
        "externalURL": "https://ops.example",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "CeleryQueueBacklog", "job": "shop", "queue": "mail", "severity": "warning"},
                "annotations": {
                    "summary": "mail waits",
                    "description": "Look at it.",
                    "runbook_url": "https://ops.example/runbooks/CeleryQueueBacklog/",
                },
                "startsAt": "2025-11-24T16:00:00.250Z",
                "endsAt": NEVER,
                "generatorURL": "https://ops.example/alerts/12/",
                "fingerprint": f"{notice('mail').labels.fingerprint():016x}",
            }
        ],
    }


def test_a_resolved_instance_says_when_it_ended():
    said = payload(notice("mail", ends_at_ms=1_764_000_060_000))
    assert (said["status"], said["notification_reason"]) == ("resolved", NotifyReason.RESOLVED)
    assert said["alerts"][0]["endsAt"] == "2025-11-24T16:01:00.000Z"


def test_common_labels_are_those_that_all_share():
    assert payload(notice("mail"), notice("sms"))["commonLabels"] == {
        "alertname": "CeleryQueueBacklog",
        "job": "shop",
        "severity": "warning",
    }
    assert "summary" not in payload(notice("mail"), notice("sms"))["commonAnnotations"]


def test_one_that_resolves_is_told_together_with_the_one_that_still_fires():
    said = payload(notice("mail", ends_at_ms=9), beside=(notice("sms", changed=False),))
    assert said["status"] == "firing"
    assert said["notification_reason"] == NotifyReason.SOME_RESOLVED
    assert [alert["status"] for alert in said["alerts"]] == ["resolved", "firing"]


def test_an_instance_stands_in_a_group_once_and_as_it_is_last():
    told = group("A", [notice("mail", ends_at_ms=9), notice("mail", incident=2)], [notice("mail", changed=False)])
    assert [(each.incident, each.status) for each in told.notices] == [(2, Status.FIRING)]


def test_those_beside_are_cut_off_and_counted():
    told = group("A", [notice("mail")], [notice(f"q{number}", changed=False) for number in range(5)], limit=2)
    assert len(told.notices) == 3
    assert told.truncated == 3


def test_an_instant_is_written_to_the_millisecond():
    assert rfc3339(1_764_000_000_007) == "2025-11-24T16:00:00.007Z"

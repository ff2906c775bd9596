from __future__ import annotations

from opsconsole.alerting.notification import Notice, Notification
from opsconsole.notify.browser import Browser
from opsconsole.notify.channel import Message, Outcome
from opsconsole.series.labels import Labels


def notice(incident: int, summary: str, *, ends_at_ms: int | None = None, changed: bool = True) -> Notice:
    labels = Labels.of(alertname="Down", severity="critical", instance=str(incident))
    return Notice(incident, labels, summary, "Look.", 0, ends_at_ms, changed)


async def publish(*notices: Notice) -> dict:
    published: list[dict] = []

    async def keep(message: dict) -> None:
        published.append(message)

    outcome = await Browser(keep, firing=lambda: 3).send(Message("msg_1", Notification("Down", notices)))
    assert outcome == Outcome.delivered()
    (message,) = published
    return message


async def test_it_publishes_the_alerts_message_of_the_live_protocol():
    assert await publish(notice(12, "It is down")) == {
        "type": "alerts",
        "firing": 3,
        "changed": True,
        "toast": {
            "state": "firing",
            "severity": "critical",
            "title": "It is down",
            "text": "Look.",
            "url": "/alerts/12/",
        },
    }


async def test_a_resolved_one_says_so():
    assert (await publish(notice(12, "It is down", ends_at_ms=5)))["toast"]["state"] == "resolved"


async def test_of_several_the_first_that_fires_speaks_for_all():
    toast = (await publish(notice(1, "One", ends_at_ms=5), notice(2, "Two"), notice(3, "Three")))["toast"]
    assert (toast["title"], toast["state"], toast["url"]) == ("Two (and 2 more)", "firing", "/alerts/")


async def test_those_that_only_stand_beside_are_not_counted():
    toast = (await publish(notice(1, "One", ends_at_ms=5), notice(2, "Two", changed=False)))["toast"]
    assert (toast["title"], toast["state"]) == ("One", "resolved")

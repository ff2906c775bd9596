"""A rule: one alert at the speed of one profile, ready to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from alerts.expression import expression
from alerts.model import Alert
from alerts.profile import Profile
from opsconsole.series.labels import METRIC_NAME, Labels

ALERT_NAME = "alertname"


@dataclass(frozen=True, slots=True)
class Rule:
    """``query`` returns a sample for each label set that is in trouble.

    ``hold_ms`` is Prometheus' ``for``, ``keep_ms`` its ``keep_firing_for``.  ``labels`` are laid over the samples'.
    """

    alert: Alert
    query: str
    hold_ms: int
    keep_ms: int
    labels: Labels

    @classmethod
    def of(cls, alert: Alert, profile: Profile) -> Rule:
        return cls(
            alert=alert,
            query=expression(alert, profile),
            hold_ms=profile.scale(alert.hold) // timedelta(milliseconds=1),
            keep_ms=profile.scale(alert.keep) // timedelta(milliseconds=1),
            labels=Labels.of(alert.labels),
        )

    @property
    def name(self) -> str:
        return self.alert.name

    def identity(self, sample: Labels) -> Labels:
        """The final labels of an instance: the sample's without its metric name, then the rule's, then ``alertname``."""
        return Labels.of([*sample.drop({METRIC_NAME}), *self.labels, (ALERT_NAME, self.name)])

    def sentences(self, sample: Labels, value: float) -> tuple[str, str]:
        """Summary and description.  They see the labels of the query's result, never the rule's own."""
        hold = timedelta(milliseconds=self.hold_ms)
        summary, description = (
            sentence.render(self.alert, value=value, hold=hold, labels=sample.as_dict())
            for sentence in (self.alert.summary, self.alert.description)
        )
        return summary, description

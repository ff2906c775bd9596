"""Sentences with placeholders, rendered by Python for the built-in notifier and written as Go templates for Prometheus.

Structured instead of Go text, so that both say the same words: the generated promtool tests compare them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from signals.unit import SECONDS_READ_BEST_IN, WHOLE_FROM, Unit, format_value

from .duration import in_words

if TYPE_CHECKING:
    from .model import Alert

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_OWN = frozenset({"value", "threshold", "hold"})


@dataclass(frozen=True, slots=True)
class Sentence:
    """``template`` uses ``{value}``, ``{threshold}``, ``{hold}`` and ``{<label>}``, nothing else."""

    template: str

    @property
    def labels(self) -> frozenset[str]:
        """The labels the sentence needs."""
        return frozenset(_PLACEHOLDER.findall(self.template)) - _OWN

    def render(self, alert: Alert, *, labels: Mapping[str, str], value: float, hold: timedelta) -> str:
        """The sentence about one instance.  ``labels`` are those of the query's result; one that is missing is ''.

        ``hold`` is the alert's, at the speed of the profile in use.
        """
        return self._fill(
            alert, hold, value=format_value(value, alert.signal.unit), label=lambda name: labels.get(name, "")
        )

    def go_template(self, alert: Alert, *, hold: timedelta) -> str:
        """The same sentence as Prometheus' template text, to be filled by its ``$labels`` and ``$value``."""
        return self._fill(
            alert, hold, value=go_value(alert.signal.unit), label=lambda name: f"{{{{ $labels.{name} }}}}"
        )

    def _fill(self, alert: Alert, hold: timedelta, *, value: str, label: Callable[[str], str]) -> str:
        own = {
            "value": value,
            "threshold": format_value(alert.threshold, alert.signal.unit),
            "hold": in_words(hold),
        }
        return _PLACEHOLDER.sub(lambda match: own[match[1]] if match[1] in own else label(match[1]), self.template)


def go_value(unit: Unit) -> str:
    """Go template text that prints ``$value`` with the characters of ``signals.unit.format_value``.

    Prometheus' templates have no arithmetic, so per cent and the parts of an hour come from its own functions, and a
    pattern puts the space between number and unit.
    """
    match unit:
        case Unit.SECONDS:
            low, high = SECONDS_READ_BEST_IN
            plain = '{{ printf "%.3g s" $value }}'
            broken_up = '{{ humanizeDuration $value | reReplaceAll "([0-9])([a-z])" "$1 $2" }}'
            return f"{{{{ if and (ge $value {low}) (lt $value {high}) }}}}{plain}{{{{ else }}}}{broken_up}{{{{ end }}}}"
        case Unit.RATIO:
            return '{{ humanizePercentage $value | reReplaceAll "%" " %" }}'
        case Unit.COUNT:
            return '{{ printf "%.0f" $value }}'
        case _:
            return (
                f"{{{{ if lt $value {WHOLE_FROM} }}}}"
                f'{{{{ printf "%.3g" $value }}}}{{{{ else }}}}{{{{ printf "%.0f" $value }}}}{{{{ end }}}} {unit}'
            )

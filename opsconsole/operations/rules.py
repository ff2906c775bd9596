"""The rules in their groups, a group a family of alerts like the generated rule files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from alerts.registry import FAMILIES
from opsconsole.alerting.rulebook import RuleStatus
from opsconsole.series.matcher import Matcher, select

from .console import Console

_FAMILY_OF = {alert.name: family for family, alerts in FAMILIES.items() for alert in alerts}
_OTHERS = "opsconsole"


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """``rules``: at least one, in the order of the definitions."""

    name: str
    rules: Sequence[RuleStatus]

    @property
    def file(self) -> str:
        return f"{self.name}.yml"


@dataclass(frozen=True, slots=True)
class RuleFilter:
    """Which rules are meant: those that fit every field that says something.

    ``selectors``: a rule's labels satisfy all matchers of any of them.
    """

    names: Collection[str] = ()
    groups: Collection[str] = ()
    files: Collection[str] = ()
    selectors: Sequence[Sequence[Matcher]] = ()

    def takes(self, group: RuleGroup) -> bool:
        return (not self.groups or group.name in self.groups) and (not self.files or group.file in self.files)

    def wants(self, status: RuleStatus) -> bool:
        rule = status.rule
        return (not self.names or rule.name in self.names) and (
            not self.selectors or any(select(rule.labels, matchers) for matchers in self.selectors)
        )


def groups(console: Console, wanted: RuleFilter) -> list[RuleGroup]:
    """Sorted by name; a group without a wanted rule is left out."""
    families: dict[str, list[RuleStatus]] = {}
    for status in console.rules.statuses().values():
        if wanted.wants(status):
            families.setdefault(_FAMILY_OF.get(status.rule.name, _OTHERS), []).append(status)
    found = (RuleGroup(name, members) for name, members in sorted(families.items()))
    return [group for group in found if wanted.takes(group)]

"""From the name and the labels that a target exposes to the label set that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from prometheus_client.utils import floatToGoString

from opsconsole.series.labels import METRIC_NAME, Labels
from opsconsole.series.metadata import Metadata

from .grammar import MalformedLine
from .limits import IngestLimits
from .number import read_number


class Bounds(frozenset[tuple[str, str]]):
    """Which series have a label that is a number: (name of the series, ``le`` or ``quantile``).

    As Prometheus 3 does, such a number is kept as a float: services write ``le="1"`` in one format and ``le="1.0"`` in
    the other, and the series must be one.
    """

    __slots__ = ()

    @classmethod
    def of(cls, families: Mapping[str, Metadata]) -> Self:
        return cls(
            (f"{name}_bucket", "le") if metadata.type == "histogram" else (name, "quantile")
            for name, metadata in families.items()
            if metadata.type in ("histogram", "summary")
        )

    def label_of(self, series: str) -> str:
        return next((label for label in ("le", "quantile") if (series, label) in self), "")


class Naming:
    """``target``: labels every series gets.  An exposed label of the same name is kept as ``exported_<name>``."""

    def __init__(self, target: Labels, limits: IngestLimits) -> None:
        self._target = dict(target)
        self._limits = limits

    def labels(self, exposed: dict[str, str], bounds: Bounds) -> Labels:
        """Raises ``MalformedLine`` for what is over a limit."""
        named = {**exposed, **self._target}
        for name in self._target.keys() & exposed.keys():
            aside = f"exported_{name}"
            while aside in named:
                aside = f"exported_{aside}"
            named[aside] = exposed[name]
        bound = bounds.label_of(exposed[METRIC_NAME])
        if bound in named:
            named[bound] = _as_float(named[bound])
        labels = Labels.of(named)
        self._check(labels)
        return labels

    def _check(self, labels: Labels) -> None:
        limits = self._limits
        if len(labels) > limits.label_count:
            raise MalformedLine(
                f"{labels.metric[:80]} has {len(labels)} labels, over the limit of {limits.label_count}"
            )
        for name, value in labels:
            if len(name) > limits.label_name_length:
                raise MalformedLine(
                    f"label {name[:40]}… has a name of {len(name):,} characters, over the limit of {limits.label_name_length:,}"
                )
            if len(value) > limits.label_value_length:
                raise MalformedLine(
                    f"label {name} has a value of {len(value):,} characters, over the limit of {limits.label_value_length:,}"
                )


def _as_float(text: str) -> str:
    number = read_number(text.encode())
    return text if number is None else floatToGoString(number)  # type: ignore[no-untyped-call]

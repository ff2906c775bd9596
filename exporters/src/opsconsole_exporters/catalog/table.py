"""The catalogue for people: a table a subject."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from . import PARTS
from .metric import OVERFLOW, Metric

_TITLES = {"http": "HTTP", "llm": "Language models", "models": "Models", "vector": "Vector search", "postgres": "PostgreSQL",
           "pgbouncer": "PgBouncer", "exporter": "The exporters themselves"}  # fmt: skip
_HEAD = f"""\
# Metrics

Every metric that the exporters expose. This page is written by `opsconsole generate`; do not edit it.

A histogram is exposed as `_bucket`, `_sum` and `_count`. A metric has a bounded number of label sets in a process
(`OPSCONSOLE_METRICS_LABEL_SETS`); further ones are counted with `{OVERFLOW}` in place of the labels that come from outside.
"""


def markdown() -> str:
    """The page, its subjects in the order of the catalogue."""
    return "\n".join((_HEAD, *(_subject(part) for part in PARTS)))


def _subject(part: ModuleType) -> str:
    name = part.__name__.rpartition(".")[2]
    sentence = (part.__doc__ or "").partition("\n")[0]
    rows = "\n".join(_row(metric) for metric in _sorted(part.METRICS))
    title = _TITLES.get(name, name.capitalize())
    return f"## {title}\n\n{sentence}\n\n| metric | kind | unit | labels | what |\n|---|---|---|---|---|\n{rows}\n"


def _sorted(metrics: Iterable[Metric]) -> list[Metric]:
    return sorted(metrics, key=lambda metric: metric.name)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    what = metric.help.replace("|", "\\|")
    if metric.buckets:
        what += f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)}."
    return f"| `{metric.name}` | {metric.kind.value} | {metric.unit} | {labels} | {what} |"

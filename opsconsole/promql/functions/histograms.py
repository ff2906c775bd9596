"""Functions of classic histograms.  What only a native histogram has, no series here has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from opsconsole.series.labels import Labels, quote

from .. import quantile
from ..format import open_metrics
from ..plan import Call, Expr, start
from ..quantile import BUCKET, Histograms
from ..vector import Vector, merged
from . import counters
from .function import Numbers, text
from .windowed import warn_of_quantiles

if TYPE_CHECKING:
    from ..evaluate import Evaluation

_MONOTONICITY = (
    "input to histogram_quantile needed to be fixed for monotonicity "
    "(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)"
)


def histogram_quantile(evaluation: Evaluation, node: Call) -> Vector:
    q = evaluation.numbers(node.args[0])
    warn_of_quantiles(evaluation, q, node.args[0])
    if (known := counters.known(evaluation, node)) is not None:
        return _remarked(evaluation, known.vector, known.falling, node.args[1])
    return _quantiles(evaluation, _histograms(evaluation, node.args[1]), q, node.args[1])


def histogram_quantiles(evaluation: Evaluation, node: Call) -> Vector:
    """Several quantiles at once, each under a label that says which."""
    label = text(node.args[1])
    histograms = _histograms(evaluation, node.args[0])
    parts = []
    for said in node.args[2:]:
        q = evaluation.numbers(said)
        warn_of_quantiles(evaluation, q, said)
        part = _quantiles(evaluation, histograms, q, node.args[0])
        for value in np.unique(q).tolist():
            labels = [Labels.of({**dict(each), label: open_metrics(value)}) for each in part.labels]
            then = (q == value) | (np.isnan(q) & np.isnan(value))
            parts.append(part.valued(part.values, part.present & then).labelled(labels))
    return merged(Vector.joined(parts, evaluation.steps.size))


def histogram_fraction(evaluation: Evaluation, node: Call) -> Vector:
    """The share of observations between two values."""
    lower, upper = (evaluation.numbers(arg) for arg in node.args[:2])
    return quantile.fractions(_histograms(evaluation, node.args[2]), lower, upper).without_metric()


def of_native(evaluation: Evaluation, node: Call) -> Vector:
    """Empty, as Prometheus answers for series that are no native histograms; a remark says why."""
    evaluation.vector(node.args[0])
    evaluation.annotations.info(
        f"{node.function} has a value for native histograms only, which are not kept here", node.position
    )
    return Vector.empty(evaluation.steps.size)


def _histograms(evaluation: Evaluation, of: Expr) -> Histograms:
    vector = evaluation.vector(of)
    histograms = Histograms.of(vector)
    for labels in histograms.strange:
        evaluation.annotations.warn(
            f'bucket label "{BUCKET}" is missing or has a malformed value of {quote(labels.get(BUCKET))}'
            + _of_metric(labels),
            start(of),
        )
    return histograms


def _quantiles(evaluation: Evaluation, histograms: Histograms, q: Numbers, of: Expr) -> Vector:
    return _remarked(evaluation, *quantile.quantiles(histograms, q), of)


def _remarked(evaluation: Evaluation, vector: Vector, falling: Sequence[Labels], of: Expr) -> Vector:
    for metric in dict.fromkeys(map(_of_metric, falling)):
        evaluation.annotations.info(_MONOTONICITY + metric, start(of))
    return vector.without_metric()


def _of_metric(labels: Labels) -> str:
    return f" for metric name {quote(labels.metric)}" if labels.metric else ""

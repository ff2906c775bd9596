"""Judge an order: the champion does, and for one order in four the challenger in its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from opsconsole_exporters.models import JsonLines, RowWriter, ServedModel

from .features import FEATURES, features
from .scikit import without_pandas
from .training import CHALLENGER, CHAMPION

SUSPICIOUS = 0.8
CHALLENGED = 4
"""One order in so many is the challenger's."""

ROWS_KEPT = 0.5
"""Share of the predictions that leave a row for later study."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``score``: the probability of fraud, 0 to 1, by the ``version`` that was asked."""

    version: str
    score: float

    @property
    def suspicious(self) -> bool:
        return self.score >= SUSPICIOUS


def version_for(number: UUID) -> str:
    """The same order meets the same version, whoever asks and however often."""
    return CHALLENGER if number.int % CHALLENGED == 0 else CHAMPION


def judge(number: UUID, lines: Iterable[tuple[int, Decimal]], folder: Path) -> Verdict:
    """Score an order of ``lines`` (quantity, price of one) by the models in ``folder``."""
    version = version_for(number)
    row = features(lines)
    served, classifier = _loaded(folder)[version]
    with served.prediction(key=str(number)) as prediction:
        prediction.features = {name: [value] for name, value in zip(FEATURES, row, strict=True)}
        prediction.scores = classifier.predict_proba([row])[:, 1]
    return Verdict(version, float(prediction.scores[0]))


@cache
def _loaded(folder: Path) -> dict[str, tuple[ServedModel, Any]]:
    """Both versions, in the process that judges and when it first does: scikit-learn is no small guest."""
    with without_pandas():
        import joblib

        classifiers = {version: joblib.load(folder / version / "model.joblib") for version in (CHAMPION, CHALLENGER)}
    rows = RowWriter(JsonLines(folder.parent / f"{folder.name}-predictions.jsonl"), sample=ROWS_KEPT)
    return {
        version: (ServedModel("fraud", version, reference=folder / version / "reference.json", rows=rows), classifier)
        for version, classifier in classifiers.items()
    }

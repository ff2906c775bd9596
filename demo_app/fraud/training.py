"""Train the two versions and leave each with its reference distribution in a folder of its own.

v1, the champion, is a logistic regression; v2, the challenger, gradient boosting.  Half of the orders train them, the
other half is what they are compared with in production.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

from opsconsole_exporters.models import write_reference

from .features import FEATURES
from .orders import PastOrder
from .scikit import without_pandas

CHAMPION, CHALLENGER = "v1", "v2"
WATCHED = ("total", "things")
"""The features whose distribution is watched beside the score's."""

_MADE_OF = "made-of"


def is_trained(folder: Path, orders: Sequence[PastOrder]) -> bool:
    """Whether the folder has the models of these orders, by the scikit-learn that is installed."""
    try:
        return (folder / _MADE_OF).read_text() == _made_of(orders)
    except OSError:
        return False


def train(folder: Path, orders: Sequence[PastOrder]) -> None:
    """Replace ``folder`` when both versions are complete: whoever finds it finds all of it."""
    # Late: scikit-learn takes seconds to import, and most starts of the demo have nothing to train.
    with without_pandas():
        import joblib
        from sklearn.ensemble import GradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

    learned, held_out = orders[: len(orders) // 2], orders[len(orders) // 2 :]
    rows = [order.row for order in held_out]
    watched = {name: [row[FEATURES.index(name)] for row in rows] for name in WATCHED}
    versions = {
        CHAMPION: make_pipeline(StandardScaler(), LogisticRegression()),
        CHALLENGER: GradientBoostingClassifier(n_estimators=40, max_depth=3, random_state=0),
    }
    fresh = folder.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name, classifier in versions.items():
        classifier.fit([order.row for order in learned], [order.fraud for order in learned])
        home = fresh / name
        home.mkdir(parents=True)
        joblib.dump(classifier, home / "model.joblib")
        write_reference(home / "reference.json", classifier.predict_proba(rows)[:, 1], watched)
    (fresh / _MADE_OF).write_text(_made_of(orders))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _made_of(orders: Sequence[PastOrder]) -> str:
    told = json.dumps([FEATURES, WATCHED, [astuple(order) for order in orders]])
    return f"scikit-learn {version('scikit-learn')}, orders {hashlib.sha256(told.encode()).hexdigest()}"

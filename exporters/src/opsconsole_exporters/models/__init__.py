"""Models that a service serves itself: predictions, their time, and their drift from a reference distribution.

::

    fraud = ServedModel("fraud", "v2", reference=folder / "reference.json", rows=RowWriter(JsonLines(path)))

    with fraud.prediction(key=order.number) as prediction:
        prediction.features = {"total": [order.total]}
        prediction.scores = classifier.predict_proba([[order.total]])[:, 1]
"""

from opsconsole_exporters.models.jsonlines import JsonLines
from opsconsole_exporters.models.reference import read_reference, write_reference
from opsconsole_exporters.models.rows import RowWriter, log_rows
from opsconsole_exporters.models.served import InvalidInput, Prediction, ServedModel

__all__ = [
    "InvalidInput",
    "JsonLines",
    "Prediction",
    "RowWriter",
    "ServedModel",
    "log_rows",
    "read_reference",
    "write_reference",
]

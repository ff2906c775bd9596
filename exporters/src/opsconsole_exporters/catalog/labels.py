"""What several subjects say of their labels in the same words: whose values they are, and why there are few of them.

A subject's own ``LABELS`` has a sentence for each label of its metrics.  No value comes from a client unfiltered: it is out of
a closed list, is a name in the service's code or configuration, or belongs to the busiest of a server; the most label sets
of a metric (``OPSCONSOLE_METRICS_LABEL_SETS``) bound whatever is left.
"""

from __future__ import annotations

EXCEPTION = "Class of the exception, without its module and its text: as many as the code and its libraries raise."

VIEW = (
    "Name of the view in the URL configuration, never the path: as many as the code has, and `<unnamed view>` for "
    "routes without a name and addresses that lead nowhere."
)

ALIAS = "Alias in `DATABASES`: as many as are configured."

SERVER = "Name that the operator gave the server in the variable of its DSN, else its host and port: one for each DSN."

ASKED = "a server's 200 busiest rows are exposed, and `opsconsole_exporter_rows_left_out` says how many more there are."

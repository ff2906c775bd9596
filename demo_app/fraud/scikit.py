"""scikit-learn without pandas, which it imports wherever it is installed (the console's engine brings it) and which nobody
needs here: 95 MB and more than a second of CPU time in each process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_pandas() -> Iterator[None]:
    """Make pandas look as if it were not installed to what is imported inside; a pandas that is loaded already stays."""
    if "pandas" in sys.modules:
        yield
        return
    sys.modules["pandas"] = None  # type: ignore[assignment]  # Python's own way to say: there is none
    try:
        yield
    finally:
        del sys.modules["pandas"]

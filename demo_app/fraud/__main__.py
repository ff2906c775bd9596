"""``python -m demo_app.fraud FOLDER``: train both versions into the folder, unless they are there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .orders import history
from .training import is_trained, train

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m demo_app.fraud FOLDER")
    os.nice(10)  # the database takes longer to come up, and everything else waits for that
    folder = Path(sys.argv[1])
    orders = history()
    if not is_trained(folder, orders):
        train(folder, orders)
        print(f"trained the fraud models on {len(orders)} orders")

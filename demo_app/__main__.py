"""``python -m demo_app``: run the demo, or break it."""

from __future__ import annotations

import sys

from .cli import main

sys.exit(main())

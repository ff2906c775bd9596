"""``python -m opsconsole_exporters`` is ``opsconsole-exporter``."""

from __future__ import annotations

from opsconsole_exporters.sidecar import main

if __name__ == "__main__":
    raise SystemExit(main())

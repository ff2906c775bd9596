"""``python -m demo_app.llm --port 8003``: serve until told to stop.  ``SHOP_FAULTS_URL`` says where the switches are."""

from __future__ import annotations

import argparse
import os

import uvicorn

from ..faults.switches import connect
from .app import Provider


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo_app.llm", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    provider = Provider(connect(os.environ["SHOP_FAULTS_URL"]))
    # Who stops it does not wait for answers that are still being spoken.
    uvicorn.run(
        provider, host="127.0.0.1", port=port, lifespan="off", ws="none",
        log_level="warning", timeout_graceful_shutdown=1,
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""What the console costs while it watches the demo and nobody looks: memory and share of a core.

    python -m bench.idle [--seconds 60]

Beside it, the real peer: Debian's Prometheus scraping the same two targets at the same interval with the same rules.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from bench.demo import running_demo

RESULT = Path(__file__).with_suffix(".json")


def cost(process: psutil.Process, seconds: float) -> dict[str, float]:
    """Resident megabytes at the end, and CPU seconds a second as per cent of one core, children included."""
    before = process.cpu_times()
    time.sleep(seconds)
    after = process.cpu_times()
    used = (after.user - before.user) + (after.system - before.system)
    return {"rss_mb": round(process.memory_info().rss / 1e6, 1), "core_percent": round(100 * used / seconds, 1)}


def prometheus(targets: dict[str, str], folder: Path) -> subprocess.Popen[bytes] | None:
    if not (binary := shutil.which("prometheus")):
        return None
    subprocess.run(
        [sys.executable, "-m", "opsconsole", "generate", "--profile", "demo", "--out", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    jobs = [{"job_name": job, "static_configs": [{"targets": [urlsplit(url).netloc]}]} for job, url in targets.items()]
    config = {
        "global": {"scrape_interval": "2s", "evaluation_interval": "2s"},
        "rule_files": [str(folder / "alerts/generated/prometheus/*.yml")],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return subprocess.Popen(
        [
            binary,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="how long to measure (default: %(default)s)")
    seconds = parser.parse_args().seconds
    with running_demo() as demo, tempfile.TemporaryDirectory() as folder:
        peer = prometheus(demo["targets"], Path(folder))
        try:
            time.sleep(20)  # caches fill, the first merges are done
            result = {"seconds": seconds, "console": cost(psutil.Process(demo["pids"]["console"]), seconds)}
            if peer:
                result["prometheus"] = cost(psutil.Process(peer.pid), seconds)
        finally:
            if peer:
                peer.terminate()
                peer.wait(timeout=20)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

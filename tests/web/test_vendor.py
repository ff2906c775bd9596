"""What pages take from npm: pinned, from wherever the machine's registry is, and fetched once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from opsconsole.web import vendor

WEB = Path(vendor.__file__).parent


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A folder like ``opsconsole/web`` with what the hook reads."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WEB / name, tmp_path)
    return tmp_path


def test_the_lock_file_pins_hashes_and_names_no_registry():
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    fetched = {name: package for name, package in packages.items() if name}
    assert {name.removeprefix("node_modules/") for name in fetched} == set(packages[""]["dependencies"])
    for name, package in fetched.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


@pytest.mark.real
def test_the_folder_is_filled_once_and_again_when_the_lock_file_or_a_file_changes(web, program):
    program("npm")
    assert vendor.fill(web) is True
    assert vendor.fill(web) is False
    assert (
        "class uPlot" in (web / "static/vendor/uPlot.esm.js").read_text()
        or (web / "static/vendor/uPlot.esm.js").stat().st_size > 50_000
    )
    (web / "static/vendor/uPlot.min.css").unlink()
    assert vendor.fill(web) is True


def test_a_lock_file_npm_cannot_follow_is_one_line_that_says_what_to_do(web, program):
    program("npm")
    (web / "package-lock.json").write_text("{}")
    with pytest.raises(RuntimeError, match="npm could not fetch uPlot and the fonts; check the network"):
        vendor.fill(web)
    assert not (web / "static/vendor/.stamp").exists()

"""Rules of the tree that no linter knows."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FORBIDDEN = {"utils", "helpers", "common", "misc", "base"}
LONGEST = 400


@pytest.fixture(scope="module")
def files(repository: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [repository / name for name in listed.stdout.splitlines()]


def test_no_module_is_a_drawer_for_everything(files: list[Path]) -> None:
    assert [path for path in files if path.suffix == ".py" and path.stem in FORBIDDEN] == []


def test_no_file_of_code_holds_more_than_one_can_read(files: list[Path]) -> None:
    code = [path for path in files if path.suffix in {".py", ".js", ".css"} and path.is_file()]
    assert [path for path in code if len(path.read_text().splitlines()) > LONGEST] == []


def test_every_package_that_others_install_says_that_it_is_typed(repository: Path) -> None:
    assert (repository / "exporters/src/opsconsole_exporters/py.typed").is_file()


def test_templates_carry_no_inline_script_and_no_inline_style(files: list[Path], repository: Path) -> None:
    pages = [path for path in files if path.suffix == ".html" and path.is_relative_to(repository / "opsconsole")]
    assert pages
    for page in pages:
        text = page.read_text()
        assert " style=" not in text, page
        assert " onclick=" not in text, page
        assert "|safe" not in text, page

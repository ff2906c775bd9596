from __future__ import annotations

from pathlib import Path

import yaml

import dashboards
from alerts.profile import DEMO, PRODUCTION
from alerts.registry import ALERTS
from dashboards import generate

ROOT = Path(dashboards.__file__).parent.parent


def test_the_committed_files_are_what_the_definitions_say() -> None:
    assert generate.drift(ROOT) == []


def test_what_was_written_does_not_drift(tmp_path: Path) -> None:
    written = generate.write(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == set(generate.files())
    assert generate.drift(tmp_path) == []


def test_a_missing_an_edited_and_a_left_over_file_are_drift(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "dashboards/generated/overview.json").unlink()
    edited = tmp_path / "alerts/generated/prometheus/http.yml"
    edited.write_text(edited.read_text().replace("0.5", "5"))
    (tmp_path / "alerts/generated/tests/gone.yml").write_text("tests: []\n")
    assert generate.drift(tmp_path) == [
        "alerts/generated/prometheus/http.yml",
        "alerts/generated/tests/gone.yml",
        "dashboards/generated/overview.json",
    ]


def test_writing_again_takes_away_what_no_definition_makes(tmp_path: Path) -> None:
    generate.write(tmp_path)
    left_over = tmp_path / "dashboards/generated/gone.json"
    left_over.write_text("{}")
    generate.write(tmp_path)
    assert not left_over.exists()
    assert generate.drift(tmp_path) == []


def test_files_of_two_profiles_differ_in_speed_and_cover_the_same_alerts() -> None:
    production, demo = generate.files(PRODUCTION), generate.files(DEMO)
    assert production.keys() == demo.keys()
    assert production["dashboards/generated/overview.json"] == demo["dashboards/generated/overview.json"]
    for files in (production, demo):
        rules = [
            rule["alert"]
            for path, text in files.items()
            if path.startswith("alerts/generated/prometheus/")
            for group in yaml.safe_load(text)["groups"]
            for rule in group["rules"]
        ]
        assert sorted(rules) == sorted(alert.name for alert in ALERTS)


def test_every_file_ends_with_a_newline_and_says_where_it_comes_from() -> None:
    for path, text in generate.files().items():
        assert text.endswith("\n"), path
        assert "enerated by opsconsole generate" in text, path

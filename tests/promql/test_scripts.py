"""The scripts: our own beside this file, and those of a folder that ``$OPSCONSOLE_PROMQLTEST`` names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from opsconsole.promql.script.runner import Case, Verdict, run_file

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_our_scripts_pass(path: Path) -> None:
    cases = list(run_file(path))
    assert cases
    assert [case for case in cases if case.verdict is not Verdict.PASSED] == []


def test_the_scripts_of_prometheus_pass_as_far_as_they_are_in_scope() -> None:
    folder = os.environ.get("OPSCONSOLE_PROMQLTEST")
    if not folder:
        pytest.skip("OPSCONSOLE_PROMQLTEST names no folder of Prometheus' promqltest scripts")
    cases = [case for path in sorted(Path(folder).glob("*.test")) for case in run_file(path)]
    assert sum(case.verdict is Verdict.PASSED for case in cases) > 700
    assert [case for case in cases if case.verdict is Verdict.FAILED] == []


@pytest.fixture
def judged(tmp_path: Path):
    def judge(text: str) -> list[Case]:
        path = tmp_path / "given.test"
        path.write_text(text)
        return list(run_file(path))

    return judge


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ("up 3", "expected up 3, got up 2"),
        ("down 2", "expected down 2, got up 2"),
        ("expect fail", "expected an error, got up 2"),
        ("", "expected nothing, got up 2"),
    ],
)
def test_a_failure_says_what_was_expected_and_what_came(judged, expectation: str, said: str) -> None:
    (case,) = judged(f"load 1m\n  up 1 2\neval instant at 1m up\n  {expectation}\n")
    assert (case.line, case.verdict, case.reason) == (3, Verdict.FAILED, said)


def test_what_the_engine_does_not_know_is_skipped_with_its_reason(judged) -> None:
    cases = judged(
        "load 1m\n  up 1\n  sizes {{sum:3 count:2}}\n"
        "eval instant at 0 info(up)\n"
        "eval instant at 0 rate(up[5m] smoothed)\n"
        "eval instant at 0 sizes\n  sizes {{sum:3 count:2}}\n"
        "eval instant at 0 sizes > 1\n"
        "clear\neval instant at 0 up\n"
    )
    assert [(case.verdict, case.reason) for case in cases] == [
        (Verdict.SKIPPED, "unsupported function info"),
        (Verdict.SKIPPED, "unsupported modifier smoothed"),
        (Verdict.SKIPPED, "native histogram"),
        (Verdict.SKIPPED, "native histogram"),
        (Verdict.PASSED, ""),
    ]


def test_a_line_that_is_no_script_is_a_failure_and_the_rest_is_run(judged) -> None:
    cases = judged("load 1m\n  up one two\n  down 1\nrun all\neval instant at 0 down\n  down 1\n  expect nothing\n")
    assert [(case.line, case.verdict, case.reason) for case in cases] == [
        (2, Verdict.FAILED, "line 2: no points: 'one two'"),
        (4, Verdict.FAILED, "line 4: no points: 'all'"),
        (7, Verdict.FAILED, "line 7: no points: 'nothing'"),
        (5, Verdict.PASSED, ""),
    ]


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        ("expect info", ""),
        ("expect info regex: not be a counter.*1:6", ""),
        ("expect no_warn", ""),
        ("expect no_info", "expected no info, got 'PromQL info: metric might not be a counter,"),
        ("expect warn", "expected warn, got none"),
        ("expect info msg: anything else", "expected info 'anything else', got 'PromQL info: metric might"),
    ],
)
def test_remarks_on_an_answer_are_judged(judged, expectation: str, said: str) -> None:
    (case,) = judged(
        f"load 1m\n  up 1 2\neval instant at 1m rate(up[2m])\n  {expectation}\n  {{}} 0.016666666666666666\n"
    )
    assert case.reason.startswith(said)
    assert (case.verdict is Verdict.PASSED) == (said == "")


def test_a_range_vector_shows_its_samples_at_given_times(judged) -> None:
    (case,) = judged(
        "load 1m\n  up 1 2 _ 4\neval instant at 3m up[3m]\n  expect range vector from 1m to 3m step 1m\n  up 2 _ 4\n"
    )
    assert case.verdict is Verdict.PASSED


def test_errors_and_strings_are_judged_by_what_they_say(judged) -> None:
    cases = judged(
        "eval instant at 0 'a' + 1\n  expect fail regex: only scalar and instant vec\n"
        "eval_fail instant at 0 vector(1) + on(x) {\n  expected_fail_message anything\n"
        "eval instant at 0 'a'\n  expect string `a`\n"
        "eval instant at 0 'a'\n  expect string 'b'\n"
    )
    assert [case.verdict for case in cases] == [Verdict.PASSED, Verdict.FAILED, Verdict.PASSED, Verdict.FAILED]
    assert cases[3].reason == "expected 'b', got 'a'"


def test_the_command_ends_with_the_numbers_and_fails_when_a_case_fails(tmp_path: Path) -> None:
    (tmp_path / "a.test").write_text("eval instant at 0 1 + 1\n  2\neval instant at 0 1 + 1\n  3\n")
    command = [sys.executable, "-m", "opsconsole.promql.script", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "a.test:3: 1 + 1\n    expected 3.0, got 2.0\n1 passed, 1 failed, 0 skipped\n"

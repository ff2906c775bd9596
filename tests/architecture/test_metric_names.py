"""A metric's name is written in the catalogue and nowhere else; what reads metrics reads those of the catalogue."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opsconsole_exporters.catalog import CATALOG, OTHERS, PARTS, READ

from opsconsole.promql.parse import parse
from opsconsole.promql.selectors import selectors

CATALOGUE = "exporters/src/opsconsole_exporters/catalog"
PACKAGES = ("exporters/src", "signals", "alerts", "dashboards", "demo_app", "opsconsole")

# ``up`` is a word too, and ``ALERTS`` a name of Python; where they are read, the tests of generated files see them.
NAMES = [metric.name for metric in (*CATALOG, *READ) if "_" in metric.name]
NAME = re.compile(rf"(?<![\w.-])(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})(?:_bucket|_sum|_count)?(?![\w-])")
EXPOSED = {name for metric in (*CATALOG, *READ) for name in (metric.name, metric.bucket, metric.sum, metric.count)}


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and value of each string that is no docstring."""
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def test_the_search_finds_a_name_wherever_it_is_in_a_string() -> None:
    for text in (
        "celery_workers",
        'sum(rate(celery_tasks_total{state="failed"}[5m]))',
        "django_request_queries_bucket",
    ):
        assert NAME.search(text), text
    for text in ("celery_workers_by_hand", "opsconsole.celery_workers", "process_cpu"):
        assert not NAME.search(text), text
    assert list(texts('"""pg_up"""\nx = f"{y} pg_up"\n')) == [(2, " pg_up")]


def test_no_metric_is_named_outside_the_catalogue(repository: Path) -> None:
    found = [
        f"{path.relative_to(repository)}:{line}: {name[0]}: import it from {CATALOGUE}"
        for package in PACKAGES
        for path in (repository / package).rglob("*.py")
        if not path.is_relative_to(repository / CATALOGUE)
        for line, text in texts(path.read_text(encoding="utf-8"))
        if (name := NAME.search(text))
    ]
    assert found == []


def promql(node: Any) -> Iterator[str]:
    """Every ``expr`` of a generated document, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "expr" and isinstance(value, str):
                yield value
            else:
                yield from promql(value)
    elif isinstance(node, list):
        for item in node:
            yield from promql(item)


GENERATED = ("alerts/generated/prometheus", "alerts/generated/tests", "dashboards/generated")


@pytest.mark.parametrize("folder", GENERATED)
def test_rules_and_boards_read_only_what_the_catalogue_has(folder: str, repository: Path) -> None:
    files = [path for path in (repository / folder).iterdir() if path.suffix in {".yml", ".json"}]
    read = json.loads if folder.startswith("dashboards") else yaml.safe_load
    names = set()
    for path in files:
        for text in promql(read(path.read_text(encoding="utf-8"))):
            filled = text.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$__interval", "1m")
            for selector in selectors(parse(filled)):
                names |= {matcher.value for matcher in selector.matchers if matcher.name == "__name__"}
    assert names
    assert names <= EXPOSED


@pytest.mark.parametrize("part", [*PARTS, *OTHERS], ids=lambda part: part.__name__.rpartition(".")[2])
def test_every_label_says_what_its_values_are_and_why_there_are_few(part: Any) -> None:
    used = {label for metric in part.METRICS for label in metric.labels}
    assert used == set(part.LABELS)
    for label, sentence in part.LABELS.items():
        assert sentence.endswith("."), label


def test_no_two_metrics_have_one_name_and_each_says_what_it_is() -> None:
    names = [metric.name for metric in (*CATALOG, *READ)]
    assert len(names) == len(set(names))
    for metric in (*CATALOG, *READ):
        assert metric.help.endswith("."), metric.name
        assert bool(metric.buckets) is (metric.kind == "histogram"), metric.name


def test_the_words_of_closed_labels_are_those_of_the_code() -> None:
    """What the catalogue may not import, it repeats: then both must say the same."""
    from opsconsole_exporters.catalog import llm, models
    from opsconsole_exporters.django.websockets import CodeClass
    from opsconsole_exporters.llm.outcome import Outcome
    from opsconsole_exporters.llm.promptcache import Result
    from opsconsole_exporters.llm.usage import Source, TokenClass
    from opsconsole_exporters.models.served import Outcome as Predicted

    for sentence, words in (
        (llm.LABELS["outcome"], Outcome),
        (llm.LABELS["token_class"], TokenClass),
        (llm.LABELS["usage_source"], Source),
        (llm.LABELS["result"], Result),
        (models.LABELS["outcome"], Predicted),
    ):
        assert re.findall(r"`(\w+)`", sentence) == [word.value for word in words]
    assert len(CodeClass) == 8, "as the label code_class says"

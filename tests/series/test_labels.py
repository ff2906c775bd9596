from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.series.labels import Labels, quote

LABELS = st.dictionaries(st.text(min_size=1), st.text())


@given(LABELS)
def test_labels_are_the_same_in_whatever_order_they_come(pairs: dict[str, str]) -> None:
    backwards = dict(reversed(pairs.items()))
    assert Labels.of(pairs) == Labels.of(backwards)
    assert Labels.of(pairs).fingerprint() == Labels.of(backwards).fingerprint()
    assert Labels.of(pairs).as_dict() == {name: value for name, value in pairs.items() if value}


def test_an_empty_value_is_an_absent_label() -> None:
    assert Labels.of(job="web", instance="") == Labels.of(job="web")
    assert Labels.of(job="web").get("instance") == ""


@given(LABELS, LABELS)
def test_different_labels_have_different_fingerprints(one: dict[str, str], other: dict[str, str]) -> None:
    if Labels.of(one) != Labels.of(other):
        assert Labels.of(one).fingerprint() != Labels.of(other).fingerprint()


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert Labels.of(__name__="up", job="web").fingerprint() == 9_641_538_468_170_303_480


@given(LABELS, st.sets(st.text(min_size=1)))
def test_keep_and_drop_share_the_labels_out(pairs: dict[str, str], names: set[str]) -> None:
    labels = Labels.of(pairs)
    assert Labels.of([*labels.keep(names), *labels.drop(names)]) == labels
    assert {name for name, _ in labels.keep(names)} <= names


@pytest.mark.parametrize("name", ["app", "App", "_a"])
def test_the_metric_name_is_dropped_wherever_it_sorts(name: str) -> None:
    labels = Labels.of({"__name__": "up", name: "x"})
    assert labels.metric == "up"
    assert labels.without_metric() == Labels.of({name: "x"})


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (Labels.of(__name__="up", job="web"), 'up{job="web"}'),
        (Labels.of(__name__="up"), "up"),
        (Labels.of(job="web", a="b"), '{a="b", job="web"}'),
        (Labels(), "{}"),
        (Labels.of(path='a"b\\c\n'), r'{path="a\"b\\c\n"}'),
    ],
)
def test_labels_print_as_promql_writes_them(labels: Labels, text: str) -> None:
    assert str(labels) == text


def test_a_quoted_text_is_a_promql_string() -> None:
    assert quote('say "hi"\n') == r'"say \"hi\"\n"'

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opsconsole.traces.span import Span, Status
from opsconsole.traces.waterfall import Row, Waterfall, waterfall

T0 = 1_764_000_000_000_000_000


def span(name: str, parent: str = "", begin: int = 0, end: int = 100, **more: object) -> Span:
    return Span(
        "t" * 32, name, parent, name, "Internal", str(more.get("service", "web")), T0 + begin, end - begin,
        Status.ERROR if more.get("error") else Status.UNSET,
    )  # fmt: skip


def shape(found: Waterfall) -> list[tuple[str, int]]:
    return [(row.span.name, row.depth) for row in found.rows]


def row(found: Waterfall, name: str) -> Row:
    return next(row for row in found.rows if row.span.name == name)


def test_each_span_stands_below_its_parent_and_siblings_by_start() -> None:
    found = waterfall(
        [span("b2", "b", 40, 50), span("c", "a", 60, 90), span("b", "a", 10, 50), span("a"), span("b1", "b", 20, 30)]
    )
    assert shape(found) == [("a", 0), ("b", 1), ("b1", 2), ("b2", 2), ("c", 1)]
    assert [row.children for row in found.rows] == [2, 2, 0, 0, 0]
    assert (found.start_ns, found.duration_ns) == (T0, 100)


def test_bars_are_fractions_of_the_whole_trace() -> None:
    found = waterfall([span("a", "", 0, 200), span("b", "a", 50, 100)])
    assert [(row.offset, row.width) for row in found.rows] == [(0.0, 1.0), (0.25, 0.25)]


def test_self_time_leaves_out_the_union_of_the_children() -> None:
    found = waterfall(
        [
            span("a", "", 0, 100),
            span("b", "a", 10, 40),
            span("c", "a", 20, 30),  # within b
            span("d", "a", 35, 60),  # overlaps b
            span("e", "a", 90, 150),  # outlives a
            span("f", "a", -20, 5),  # by a clock that is behind
        ]
    )
    assert row(found, "a").self_ns == 100 - 50 - 10 - 5
    assert row(found, "e").self_ns == 60


def test_a_trace_reaches_from_the_earliest_start_to_the_latest_end_whatever_the_clocks_say() -> None:
    found = waterfall([span("a", "", 0, 100), span("b", "a", -50, 120)])
    assert (found.start_ns, found.duration_ns) == (T0 - 50, 170)
    assert all(0 <= row.offset <= row.offset + row.width <= 1 + 1e-12 for row in found.rows)


def test_a_failure_marks_the_path_to_it() -> None:
    found = waterfall([span("a"), span("b", "a"), span("c", "b", 1, 2, error=True), span("d", "a", 50, 60)])
    assert [(row.span.name, row.error, row.failing) for row in found.rows] == [
        ("a", False, True),
        ("b", False, True),
        ("c", True, True),
        ("d", False, False),
    ]
    assert found.errors == 1


def test_a_span_whose_parent_is_missing_is_shown_as_an_orphan() -> None:
    found = waterfall([span("a"), span("lost", "nowhere", 10, 20), span("child", "lost", 12, 15)])
    assert shape(found) == [("a", 0), ("lost", 0), ("child", 1)]
    assert [row.orphan for row in found.rows] == [False, True, False]


def test_several_roots_stand_by_start() -> None:
    assert shape(waterfall([span("late", "", 50), span("early", "", 0)])) == [("early", 0), ("late", 0)]


def test_spans_that_are_their_own_ancestors_are_all_shown_once() -> None:
    found = waterfall([span("a", "c", 0), span("b", "a", 10), span("c", "b", 20), span("self", "self", 30)])
    assert sorted(name for name, _ in shape(found)) == ["a", "b", "c", "self"]


def test_a_span_that_was_stored_twice_is_shown_once() -> None:
    assert shape(waterfall([span("a"), span("a")])) == [("a", 0)]


def test_services_stand_in_the_order_they_appear() -> None:
    found = waterfall(
        [span("a", service="web"), span("c", "a", 50, service="celery"), span("b", "a", 10, service="db")]
    )
    assert found.services == ["web", "db", "celery"]


def test_a_trace_of_no_time_has_bars_of_no_width() -> None:
    found = waterfall([span("a", "", 0, 0)])
    assert (found.rows[0].offset, found.rows[0].width, found.rows[0].self_ns) == (0.0, 0.0, 0)


def test_a_deep_trace_needs_no_deep_stack() -> None:
    found = waterfall([span(str(depth), str(depth - 1) if depth else "") for depth in range(5000)])
    assert found.rows[-1].depth == 4999


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(-50, 50), st.integers(0, 50)),
        min_size=1,
        max_size=20,
    )
)
def test_every_span_is_shown_exactly_once(drawn: list[tuple[int, int, int, int]]) -> None:
    found = waterfall([span(str(me), str(parent), begin, begin + length) for me, parent, begin, length in drawn])
    assert sorted(row.span.span_id for row in found.rows) == sorted({str(me) for me, *_ in drawn})
    for each in found.rows:
        assert 0 <= each.self_ns <= each.span.duration_ns
        assert 0 <= each.offset <= 1
        assert 0 <= each.width <= 1

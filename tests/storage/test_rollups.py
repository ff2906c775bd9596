from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.promql.engine import Engine
from opsconsole.promql.result import Matrix
from opsconsole.promql.source import BUCKET_MS, Samples, SampleSource
from opsconsole.series.block import NAN_SAMPLE, STALE
from opsconsole.series.labels import Labels
from opsconsole.series.matcher import Matcher
from opsconsole.storage.clickhouse import ClickHouse, StoreError
from opsconsole.storage.head import Head, Limits
from opsconsole.storage.history import History
from opsconsole.storage.rollups import Rollups
from opsconsole.storage.samples import SampleStore, StoredScrape

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
T0 = 20_000 * DAY_MS
DAYS = 3
NOW = T0 + DAYS * DAY_MS
FUNCTIONS = (
    "rate(x_total[{window}])",
    "increase(x_total[{window}])",
    "delta(x_total[{window}])",
    "sum(rate(x_total[{window}]))",
    "avg by (n) (increase(x_total[{window}]))",
    "count_over_time(x_total[{window}])",
    "present_over_time(x_total[{window}])",
    "absent_over_time(x_total[{window}])",
    "sum_over_time(x_total[{window}])",
    "avg_over_time(x_total[{window}])",
    "min_over_time(x_total[{window}])",
    "max_over_time(x_total[{window}])",
    "first_over_time(x_total[{window}])",
    "last_over_time(x_total[{window}])",
    "x_total",
    "sum(x_total) - count(x_total offset {window})",
    "max_over_time(x_total[{window}] @ end())",
)
ALWAYS = (
    "count_over_time(x_total[{window}])",
    "max_over_time(x_total[{window}])",
    "x_total",
)  # whatever the values are
REMARK = "answered from 5-minute rollups"


@dataclass(frozen=True, slots=True)
class Raw:
    """The same samples, of a source that knows no rollups."""

    source: SampleSource

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Sequence[Samples]:
        return self.source.select(matchers, start_ms, end_ms)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a few series, and both ways to read it."""

    clickhouse: ClickHouse
    samples: SampleStore
    rollups: Rollups
    source: History

    @classmethod
    def of(cls, clickhouse: ClickHouse, *, samples_days: int = 100_000) -> Stored:
        samples = SampleStore(clickhouse)
        rollups = Rollups(clickhouse, samples, samples_days=samples_days)
        return cls(clickhouse, samples, rollups, History(_head(samples, NOW), samples, rollups=rollups))

    def remembering(self, seam_ms: int) -> Stored:
        """The same, with what is stored after the seam in the head."""
        return replace(self, source=History(_head(self.samples, seam_ms), self.samples, rollups=self.rollups))

    def put(self, labels: Labels, instants_ms: Sequence[int], values: Sequence[float]) -> None:
        series = (labels,)
        scrapes = [StoredScrape(at, series, np.array([value])) for at, value in zip(instants_ms, values, strict=True)]
        self.samples.append(scrapes, batch_id=uuid.uuid4().hex)

    def both(self, query: str, start_ms: int, end_ms: int, step_ms: int) -> tuple[Matrix, Matrix]:
        """(from samples, from rollups where they fit)."""
        raw, rolled = Engine(Raw(self.source)), Engine(self.source)
        return raw.range(query, start_ms, end_ms, step_ms), rolled.range(query, start_ms, end_ms, step_ms)


def _head(samples: SampleStore, seam_ms: int) -> Head:
    head = Head(Limits(window_ms=NOW - seam_ms))
    head.load(samples, NOW)
    assert head.complete_from_ms == seam_ms
    return head


def named(number: int) -> Labels:
    """A target for each: what ends one ends no other."""
    return Labels.of(__name__="x_total", job="j", instance=f"i:{number}", n=str(number % 2))


def assert_equal(raw: Matrix, rolled: Matrix, what: object) -> None:
    assert list(raw.labels) == list(rolled.labels), what
    assert (raw.present == rolled.present).all(), what
    np.testing.assert_allclose(
        np.where(rolled.present, rolled.values, 0), np.where(raw.present, raw.values, 0), rtol=1e-9, err_msg=str(what)
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a series is made: a counter that falls, or a gauge; with gaps, ends, odd values and samples on edges."""

    seed: int
    first_ms: int
    step_ms: int
    jittered: bool
    missing: float
    outages: Sequence[tuple[int, int]]  # (hours after the start, ms)
    counter: bool
    falls: int
    ended: float
    odd: tuple[float, float]  # (value, share)

    def samples(self) -> tuple[list[int], list[float]]:
        dice = np.random.default_rng(self.seed)
        instants = np.arange(T0 + self.first_ms, NOW + 1, self.step_ms, dtype=np.int64)
        if self.jittered:
            instants = np.unique(instants + dice.integers(-400, 400, instants.size))
        instants = instants[dice.random(instants.size) >= self.missing]
        for hours, length_ms in self.outages:
            begin_ms = T0 + hours * HOUR_MS
            instants = instants[(instants < begin_ms) | (instants > begin_ms + length_ms)]
        values = np.abs(dice.normal(0, 50, instants.size))
        if self.counter:
            values = np.cumsum(dice.integers(0, 9, instants.size)).astype(float)
            for at in dice.integers(0, instants.size, self.falls) if instants.size else ():
                values[at:] -= values[at]
        values[dice.random(instants.size) < self.ended] = STALE
        value, share = self.odd
        values[dice.random(instants.size) < share] = value
        return instants.tolist(), values.tolist()


RECIPES = st.builds(
    Recipe,
    seed=st.integers(0, 1000),
    first_ms=st.sampled_from([0, 1, 137, 30_000, 26 * HOUR_MS]),
    step_ms=st.sampled_from([MINUTE_MS, 97_000, BUCKET_MS, 11 * MINUTE_MS]),
    jittered=st.booleans(),
    missing=st.sampled_from([0.0, 0.3, 0.97]),
    outages=st.lists(st.tuples(st.integers(0, DAYS * 24), st.sampled_from([20 * MINUTE_MS, 5 * HOUR_MS])), max_size=2),
    counter=st.booleans(),
    falls=st.integers(0, 40),
    ended=st.sampled_from([0.0, 0.05]),
    odd=st.sampled_from([(0.0, 0.0), (NAN_SAMPLE, 0.001)]),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    recipes=st.lists(RECIPES, min_size=1, max_size=4),
    late=st.lists(st.tuples(st.integers(0, 3), st.integers(0, DAYS * DAY_MS), st.integers(-5, 5)), max_size=4),
    roll_again=st.booleans(),
    seam_ms=st.sampled_from([NOW, NOW - 20 * HOUR_MS, NOW - 33 * MINUTE_MS]),
    functions=st.lists(st.sampled_from(FUNCTIONS), min_size=5, max_size=5, unique=True),
    shape=st.sampled_from(
        [("5m", BUCKET_MS), ("1h", BUCKET_MS), ("1h", HOUR_MS), ("10m", 2 * HOUR_MS), ("1d", HOUR_MS)]
    ),
)
def test_every_answer_from_rollups_is_that_of_the_samples(
    clickhouse: ClickHouse,
    recipes: list[Recipe],
    late: list[tuple[int, int, int]],
    roll_again: bool,
    seam_ms: int,
    functions: list[str],
    shape: tuple[str, int],
) -> None:
    for table in ("series", "samples", "rollups", "rolled"):
        clickhouse.command(f"TRUNCATE TABLE {table}")
    stored = Stored.of(clickhouse)
    drawn = [recipe.samples() for recipe in recipes]
    for number, (instants, values) in enumerate(drawn):
        stored.put(named(number), instants, values)
    stored.rollups.roll(NOW - 7 * HOUR_MS)  # the last day is rolled in two parts
    stored.rollups.roll(NOW + HOUR_MS)
    for number, after_ms, value in late:
        taken = drawn[number][0] if number < len(drawn) else []
        if T0 + after_ms not in taken:
            stored.put(named(number), [T0 + after_ms], [float(value)])
    if roll_again:
        stored.rollups.roll(NOW + HOUR_MS)
        assert stored.rollups.rolled(T0, NOW) == [(T0, NOW)]
    stored = stored.remembering(seam_ms)
    window, step_ms = shape
    for function in functions:
        query = function.format(window=window)
        raw, rolled = stored.both(query, T0 + DAY_MS // 2, NOW, step_ms)
        assert_equal(raw, rolled, query)
        if function in ALWAYS and raw.labels and stored.source.rolled(T0 + DAY_MS // 2, NOW):
            assert any(REMARK in info for info in rolled.infos)
        odd, not_rolled = stored.both(query, T0 + DAY_MS // 2 + 1, NOW, step_ms)
        assert_equal(odd, not_rolled, query)
        assert not any(REMARK in info for info in not_rolled.infos)


@pytest.fixture
def stored(clickhouse: ClickHouse) -> Stored:
    """A counter and a gauge, a sample every two minutes for three days, rolled."""
    made = Stored.of(clickhouse)
    instants = list(range(T0 + MINUTE_MS, NOW + 1, 2 * MINUTE_MS))
    made.put(named(0), instants, [float(number * 3 % 1000) for number in range(len(instants))])
    made.put(named(1), instants, [float(number % 7) for number in range(len(instants))])
    made.rollups.roll(NOW + HOUR_MS)
    return made


def test_an_answer_from_rollups_says_so(stored: Stored) -> None:
    for function in FUNCTIONS[:-1]:
        query = function.format(window="1h")
        raw, rolled = stored.both(query, T0 + DAY_MS, NOW, HOUR_MS)
        assert_equal(raw, rolled, query)
        assert raw.infos == ()
        places = [place + 1 for place in range(len(query)) if query.startswith("x_total", place)]
        assert rolled.infos == tuple(f'PromQL info: {REMARK}: "x_total" (1:{place})' for place in places)


def test_what_does_not_fit_reads_samples(stored: Stored) -> None:
    for query, start_ms, step_ms in (
        ("rate(x_total[7m])", T0, HOUR_MS),
        ("rate(x_total[1h] offset 1s)", T0, HOUR_MS),
        ("rate(x_total[1h])", T0 + 1, HOUR_MS),
        ("rate(x_total[1h])", T0, HOUR_MS + 1),
        ("rate(x_total[1h])", NOW - 23 * HOUR_MS, HOUR_MS),
        ("max_over_time(x_total[1h] @ end())", T0, HOUR_MS),
        ("irate(x_total[1h])", T0, HOUR_MS),
        ("quantile_over_time(0.9, x_total[1h])", T0, HOUR_MS),
        ("changes(x_total[1h])", T0, HOUR_MS),
        ("timestamp(x_total)", T0, HOUR_MS),
        ("max_over_time(x_total[1h:7m])", T0, HOUR_MS),
    ):
        raw, rolled = stored.both(query, start_ms, NOW, step_ms)
        assert_equal(raw, rolled, query)
        assert rolled.present.any()
        assert rolled.infos == rolled.warnings == (), query


def test_another_lookback_reads_samples(stored: Stored) -> None:
    assert Engine(stored.source).range("x_total", T0, NOW, HOUR_MS).infos
    assert not Engine(stored.source).looking_back(10 * MINUTE_MS).range("x_total", T0, NOW, HOUR_MS).infos


def test_sums_that_overflow_read_samples(stored: Stored) -> None:
    stored.put(named(2), [T0 + HOUR_MS + 1, T0 + HOUR_MS + 2, T0 + HOUR_MS + 3], [1.7e308, 1.7e308, -1.7e308])
    stored.rollups.roll(NOW + HOUR_MS)
    raw, rolled = stored.both("avg_over_time(x_total[1h])", T0, NOW, HOUR_MS)
    assert_equal(raw, rolled, "avg")
    assert not rolled.infos
    assert stored.both("max_over_time(x_total[1h])", T0, NOW, HOUR_MS)[1].infos


def test_nothing_counts_as_rolled_before_it_is(clickhouse: ClickHouse) -> None:
    made = Stored.of(clickhouse)
    made.put(named(0), [T0 + MINUTE_MS, NOW], [1.0, 2.0])
    assert made.rollups.rolled(T0, NOW) == []
    made.rollups.roll(NOW)  # the last two buckets are not past by ten minutes
    assert made.rollups.rolled(T0, T0 + DAY_MS) == [(T0, T0 + DAY_MS)]
    assert made.rollups.rolled(NOW - DAY_MS, NOW) == [(NOW - DAY_MS, NOW - 2 * BUCKET_MS)]


def test_a_late_sample_takes_back_its_bucket_until_it_is_rolled_again(stored: Stored) -> None:
    late_ms = T0 + DAY_MS + 7 * HOUR_MS
    stored.put(named(0), [late_ms - 1], [5000.0])
    assert stored.rollups.rolled(T0, NOW) == [(T0, late_ms - BUCKET_MS), (T0 + 2 * DAY_MS, NOW)]
    stored.rollups.roll(NOW + HOUR_MS)
    assert stored.rollups.rolled(T0, NOW) == [(T0, NOW)]
    stored.put(named(0), [T0 + DAY_MS], [5000.0])  # at midnight: of the day before
    assert stored.rollups.rolled(T0, NOW) == [(T0, T0 + DAY_MS - BUCKET_MS), (T0 + DAY_MS, NOW)]


def test_where_the_head_is_complete_rollups_are_not_asked(clickhouse: ClickHouse) -> None:
    made = Stored.of(clickhouse)
    made.put(named(0), list(range(T0 + HOUR_MS, NOW + 1, HOUR_MS)), [1.0] * 24 * DAYS)
    made.rollups.roll(NOW + HOUR_MS)
    assert made.source.rolled(T0, NOW) == [(T0, NOW)]
    assert made.remembering(NOW - 7 * HOUR_MS - 1).source.rolled(T0, NOW) == [(T0, NOW - 7 * HOUR_MS - BUCKET_MS)]


def test_rolling_again_changes_nothing(stored: Stored) -> None:
    def content() -> Sequence[Sequence[object]]:
        return stored.clickhouse.rows("SELECT * FROM rollups FINAL ORDER BY id, bucket")

    before, rows = content(), stored.clickhouse.rows("SELECT count() FROM rollups")
    stored.rollups.roll(NOW + HOUR_MS)
    assert stored.clickhouse.rows("SELECT count() FROM rollups") == rows, "what is as it was is not rolled again"
    Rollups(stored.clickhouse, stored.samples, samples_days=100_000).roll(NOW + HOUR_MS)
    assert content() == before


def test_days_that_are_as_they_were_are_known_after_a_restart(stored: Stored) -> None:
    again = Stored.of(stored.clickhouse)
    stored.clickhouse.command("TRUNCATE TABLE rollups")
    again.rollups.roll(NOW + HOUR_MS)
    assert again.rollups.rolled(T0, NOW) == [(T0, NOW)]
    assert stored.clickhouse.rows("SELECT count() FROM rollups") == [(0,)], "nothing was rolled again"


def test_days_that_changed_while_nobody_looked_are_rolled_again_after_a_restart(stored: Stored) -> None:
    SampleStore(stored.clickhouse)  # as another process would
    stored.clickhouse.command(
        f"INSERT INTO samples SELECT id, fromUnixTimestamp64Milli({T0 + DAY_MS}, 'UTC'), 999999 FROM series LIMIT 1"
    )
    again = Stored.of(stored.clickhouse)
    again.rollups.roll(NOW + HOUR_MS)
    assert_equal(*again.both("max_over_time(x_total[1h])", T0, NOW, HOUR_MS), "max")
    assert again.clickhouse.rows(
        "SELECT max(most) FROM rollups WHERE bucket = toDateTime({at:UInt32})", {"at": (T0 + DAY_MS) // 1000}
    ) == [(999999,)]


def test_a_roll_that_dies_between_statements_is_made_up_for(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    for statements in range(6):  # two a day
        after_ms = HOUR_MS + 1 + statements
        late = [T0 + day * DAY_MS + after_ms for day in range(DAYS)]
        stored.put(named(1), late, [50.0 + statements] * DAYS)
        with monkeypatch.context() as patch:
            patch.setattr(ClickHouse, "command", _dying_after(statements, ClickHouse.command))
            with pytest.raises(StoreError, match="gone"):
                stored.rollups.roll(NOW + HOUR_MS)
        following = Stored.of(stored.clickhouse)
        for console in (stored, following):  # the same process, and the next one
            for _ in range(2):
                for query in ("max_over_time(x_total[1h])", "increase(x_total[1h])"):
                    assert_equal(*console.both(query, T0, NOW, HOUR_MS), (statements, query))
                if console is following:
                    console.rollups.roll(NOW + HOUR_MS)
        assert following.rollups.rolled(T0, NOW) == [(T0, NOW)]


def _dying_after(statements: int, command: Callable[[ClickHouse, str], object]) -> Callable[[ClickHouse, str], object]:
    left = itertools.count(statements, -1)

    def dying(clickhouse: ClickHouse, sql: str) -> object:
        if next(left) <= 0:
            raise StoreError("gone")
        return command(clickhouse, sql)

    return dying


def test_rollups_outlive_their_samples(stored: Stored) -> None:
    raw, _ = stored.both("sum(increase(x_total[1h]))", T0 + HOUR_MS, NOW, HOUR_MS)
    stored.clickhouse.command("TRUNCATE TABLE samples")  # as retention does, a day at a time
    for later in (stored, Stored.of(stored.clickhouse, samples_days=1)):
        later.rollups.roll(NOW + 5 * DAY_MS)
        rolled = Engine(later.source).range("sum(increase(x_total[1h]))", T0 + HOUR_MS, NOW, HOUR_MS)
        assert_equal(raw, rolled, "increase")
    asked = Engine(later.source).range("irate(x_total[1h])", T0 + HOUR_MS, NOW, HOUR_MS)
    assert not asked.present.any()
    assert len(asked.warnings) == 1
    assert 'older samples are only kept as 5-minute rollups, which cannot answer this: "x_total"' in asked.warnings[0]
    assert Engine(later.source).range("rate(x_total[1h])", T0 + HOUR_MS + 1, NOW, HOUR_MS).warnings


def test_days_that_are_about_to_go_are_not_rolled_again(clickhouse: ClickHouse) -> None:
    made = Stored.of(clickhouse, samples_days=10)
    made.put(named(0), [T0 + HOUR_MS, T0 + DAY_MS + HOUR_MS], [1.0, 2.0])
    made.rollups.roll(T0 + 3 * DAY_MS)
    made.rollups.roll(T0 + 9 * DAY_MS)  # a day before the first samples are too old
    made.put(named(0), [T0 + HOUR_MS + 1], [3.0])
    assert made.rollups.rolled(T0, T0 + DAY_MS) == [(T0, T0 + DAY_MS)]
    made.rollups.roll(T0 + 9 * DAY_MS)
    assert made.clickhouse.rows("SELECT sum(samples) FROM rollups FINAL") == [(2,)]

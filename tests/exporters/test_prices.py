"""Tables of prices: what is wrong in one is named with its field and its fix, and old prices are said once."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest
from opsconsole_exporters import shield, sidecar
from opsconsole_exporters.llm import prices
from opsconsole_exporters.llm.usage import TokenClass, Usage

ENTRY = {"provider": "*", "model": "our-llama", "input": 0.2, "output": 0.8}
GOOD = {"date": "2026-11-24", "models": [ENTRY]}


def with_entry(**changes):
    entry = {**ENTRY, **changes}
    return {**GOOD, "models": [{name: value for name, value in entry.items() if value is not None}]}


@pytest.fixture
def file(tmp_path):
    def write(data):
        path = tmp_path / "prices.json"
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return str(path)

    return write


@pytest.fixture
def fresh(monkeypatch):
    """The table of a process that has not read one yet."""
    monkeypatch.setattr(shield, "_reported", set())
    prices.table.cache_clear()
    yield
    prices.table.cache_clear()


def test_the_table_that_comes_along_is_good(monkeypatch, capsys):
    monkeypatch.delenv(prices.VARIABLE, raising=False)
    assert sidecar.main(["check-prices"]) == 0
    assert "prices.json: 147 models of" in capsys.readouterr().out


def test_a_good_table_is_summed_up(file, capsys):
    assert sidecar.main(["check-prices", path := file(GOOD)]) == 0
    assert f"{path}: 1 models of 1 providers, prices of 2026-11-24" in capsys.readouterr().out


ERRORS = [
    ("{", "is no JSON: Expecting property name"),
    ([], 'the file is no object: write {"date"'),
    ({**GOOD, "date": "24.11.2026"}, "date is '24.11.2026': give the day"),
    ({"models": [ENTRY]}, "date is missing: give the day"),
    ({**GOOD, "tokens": 0}, "tokens is 0: give for how many tokens"),
    ({**GOOD, "tokens": "1M"}, "tokens is '1M': give for how many tokens"),
    ({"date": "2026-11-24"}, "models is missing: give a list"),
    ({**GOOD, "models": ["gpt"]}, "models[0] is 'gpt': give {"),
    (with_entry(provider=None), 'models[0]: provider is missing: give its name; "*" is any provider'),
    (with_entry(model=" "), "models[0]: model is ' ': give its name"),
    (with_entry(output="0.8 $"), "models[0] (our-llama): output is '0.8 $': give dollars"),
    (with_entry(input=-1), "models[0] (our-llama): input is -1: give dollars"),
    (with_entry(input=float("nan")), "models[0] (our-llama): input is nan: give dollars"),
    (with_entry(input=True), "models[0] (our-llama): input is True: give dollars"),
]
ODDITIES = [
    (with_entry(ouput=0.8, output=None), "models[0] (our-llama): ouput is no field: prices are input, cache_read"),
    (with_entry(input=None), "models[0] (our-llama): input is missing: its tokens count as unpriced"),
    ({**GOOD, "models": [ENTRY, ENTRY]}, "our-llama of * is there 2 times"),
    ({**GOOD, "models": []}, "models is empty: no call will have a price"),
    ({**GOOD, "date": "9999-01-01"}, "date is 9999-01-01, which is still to come"),
    ({**GOOD, "currency": "EUR"}, "currency is 'EUR': costs are counted as US dollars"),
]


@pytest.mark.parametrize(
    ("data", "said"), [*ERRORS, *ODDITIES], ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_wrong_is_named_with_its_fix(file, capsys, data, said):
    path = file(data)
    assert sidecar.main(["check-prices", path]) == 1
    err = capsys.readouterr().err
    assert f"opsconsole-exporter: {path}" in err
    assert said in err


@pytest.mark.parametrize(("data", "said"), ERRORS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_table_with_an_error_gives_nothing_a_price_and_is_reported(file, monkeypatch, caplog, fresh, data, said):
    monkeypatch.setenv(prices.VARIABLE, file(data))
    assert prices.table().models == {}
    (line,) = caplog.records
    assert prices.VARIABLE in line.getMessage()
    assert said in caplog.text


@pytest.mark.parametrize(("data", "said"), ODDITIES[:1], ids=["typo"])
def test_an_odd_table_is_used_as_it_is(file, monkeypatch, fresh, data, said):
    monkeypatch.setenv(prices.VARIABLE, file(data))
    cost = prices.table().cost("anybody", "our-llama", Usage(input=1_000_000, output=1))
    assert cost == {TokenClass.INPUT: pytest.approx(0.2), TokenClass.OUTPUT: None}


def test_all_that_is_wrong_is_said_at_once(file, capsys):
    data = {"date": "soon", "models": [{**ENTRY, "input": "a"}, {**ENTRY, "output": "b"}]}
    assert sidecar.main(["check-prices", file(data)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "none.json"
    command = [sys.executable, "-m", "opsconsole_exporters", "check-prices", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"opsconsole-exporter: {path} cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize(("days", "lines"), [(prices.FRESH_DAYS, 0), (prices.FRESH_DAYS + 1, 1)])
def test_prices_that_are_old_are_said_once(file, monkeypatch, caplog, fresh, days, lines):
    day = datetime.now(UTC).date() - timedelta(days=days)
    monkeypatch.setenv(prices.VARIABLE, path := file({**GOOD, "date": day.isoformat()}))
    for _ in range(3):
        assert prices.table().models
    assert len(caplog.records) == lines
    if lines:
        assert f"{path}: the prices are those of {day}, {days} days ago" in caplog.text
        assert f"name a newer table in {prices.VARIABLE}" in caplog.text


def test_the_age_of_a_table_is_in_whole_days():
    table = prices.PriceTable(date(2026, 1, 1), {})
    assert table.age_days(date(2026, 11, 24)) == 327
    assert prices.outdated(table, date(2026, 1, 2)) is None

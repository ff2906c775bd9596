"""Nothing that goes by a secret's name or looks like one reaches a log line."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest
from opsconsole_exporters import requestid
from opsconsole_exporters.logs import Redacted
from opsconsole_exporters.redaction import DEEPEST, HIDDEN, LONGEST, MOST_ITEMS, Redaction, text

SESAME = "open-sesame-42"

# fmt: off
SECRET = (
    "password", "PASSWORD", "db_password", "new_password1", "userPassword", "passwordHash", "passwd", "pwd", "passphrase",
    "secret", "SECRET_KEY", "client_secret", "token", "access_token", "accessToken", "refresh-token", "api_tokens",
    "csrfmiddlewaretoken", "api_key", "apikey", "API-Key", "X-Api-Key", "private_key", "authorization",
    "Proxy-Authorization", "HTTP_AUTHORIZATION", "cookie", "cookies", "Set-Cookie", "HTTP_COOKIE", "sessionid",
    "session_key", "credentials", "signature", "dsn", "SENTRY_DSN",
)
HARMLESS = (
    "event", "user", "author", "passenger", "compass", "input_tokens", "output_tokens", "prompt_tokens_details",
    "token_class", "max_tokens", "session", "secretary", "keyboard", "key", "status", "path", "monkey", "authority",
)
# fmt: on


@pytest.mark.parametrize("name", SECRET)
def test_values_under_a_secrets_name_are_hidden_whatever_they_are(name):
    for value in (SESAME, 4711, [SESAME], {"value": SESAME}, SESAME.encode()):
        assert Redaction().fields({name: value}) == {name: HIDDEN}


@pytest.mark.parametrize("name", HARMLESS)
def test_other_names_keep_their_values(name):
    assert Redaction().fields({name: 7}) == {name: 7}
    assert Redaction().fields({name: "seven"}) == {name: "seven"}


@pytest.mark.parametrize(
    "said",
    [
        f"postgres://shop:{SESAME}@db:5432/shop",
        f"connect failed: redis://:{SESAME}@cache/0 is down",
        f"amqp://u:{SESAME}@half@rabbit//",
        f"host=db user=shop password={SESAME} dbname=shop",
        f"host=db password='{SESAME} two' dbname=shop",
        f"GET /reset/?token={SESAME}&next=/ 200",
        f"/callback?code=1&access_token={SESAME}",
        f"next=%2Freset%3Ftoken%3D{SESAME}",
        f"Authorization: Bearer {SESAME}",
        f"sent Authorization: Basic {SESAME}==",
        f"called with Bearer {SESAME}",
        f"Cookie: sessionid={SESAME}; csrftoken={SESAME}",
        f"{{'Cookie': 'sessionid={SESAME}; other={SESAME}', 'Accept': '*'}}",
        f'{{"user": "ann", "password": "{SESAME}"}}',
        json.dumps(json.dumps({"password": SESAME})),
        f"ValueError: bad config Config(user='ann', api_key='{SESAME}', port=1)",
        f"environ: SECRET_KEY={SESAME} DEBUG=1",
        f"environ['SECRET_KEY'] = '{SESAME}'",
        f"DETAIL:  Key (token)=({SESAME}) already exists.",
        f"ALTER ROLE shop WITH LOGIN PASSWORD '{SESAME} it''s two'",
        f"CREATE USER shop IDENTIFIED BY '{SESAME}'",
    ],
)
def test_texts_are_searched(said):
    shown = text(said)
    assert SESAME not in shown
    assert "half" not in shown
    assert "two" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "sk-" + "a1B2" * 8,
        "ghp_" + "a1B2" * 9,
        "AKIA" + "A1B2" * 4,
        "ops_" + "a1B2" * 8,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabcd\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nMIIE, cut off",
    ],
)
def test_secrets_are_known_by_their_looks(secret):
    assert text(f"before {secret} after").startswith(f"before {HIDDEN}")
    assert secret[12:] not in text(f"before {secret} after")


@pytest.mark.parametrize(
    "said",
    [
        "GET /items/?page=2&sort=price 200",
        "Forbidden (CSRF token missing.): /order/",
        "postgres://shop@db:5432/shop",
        "http://127.0.0.1:8000/path?next=/a@b",
        "used 512 tokens in 3 s",
        "the key is in the lock",
        "SELECT password FROM users WHERE name = 'ann'",
    ],
)
def test_what_is_no_secret_stays_as_it_is(said):
    assert text(said) == said


def test_nested_values_pairs_and_objects_are_searched():
    class Config:
        def __repr__(self):
            return f"Config(password={SESAME!r})"

    shown = Redaction().fields(
        {
            "outer": {"inner": [{"password": SESAME, "port": 5432}]},
            "headers": [("authorization", SESAME), ("accept", "*")],
            "config": Config(),
            "args": (f"token={SESAME}",),
            "when": dt.date(2026, 11, 24),
            "ok": True,
            "nothing": None,
        }
    )
    assert SESAME not in json.dumps(shown)
    assert shown["outer"] == {"inner": [{"password": HIDDEN, "port": 5432}]}
    assert shown["headers"] == [["authorization", HIDDEN], ["accept", "*"]]
    assert (shown["when"], shown["ok"], shown["nothing"]) == ("datetime.date(2026, 11, 24)", True, None)


def test_names_can_be_added():
    shown = Redaction(["iban", " Phone "]).fields({"IBAN": "DE00", "phone": {"home": "1"}, "city": "Ulm"})
    assert shown == {"IBAN": HIDDEN, "phone": HIDDEN, "city": "Ulm"}


def test_values_without_end_are_cut():
    endless: dict[str, object] = {}
    endless["again"] = endless
    shown = json.dumps(
        Redaction().fields({"endless": endless, "many": list(range(10 * MOST_ITEMS)), "long": "x" * 10**6})
    )
    assert shown.count("again") <= DEEPEST
    assert len(shown) < 2 * LONGEST


def test_a_field_that_cannot_be_shown_costs_its_line_and_raises_nothing():
    class Broken:
        def __repr__(self):
            raise RuntimeError(SESAME)

    shown = Redacted(Redaction())(
        None, "info", {"event": "hello", "level": "info", "request_id": "a", "broken": Broken()}
    )
    assert shown == {
        "event": "a log line whose fields cannot be shown: RuntimeError",
        "level": "info",
        "request_id": "a",
    }


@pytest.mark.parametrize("given", ["a", "req-1.2:3", "1/2+3=", "x" * 128, "Root=1-67891233-abcdef012345678912345678"])
def test_a_request_id_that_fits_is_taken(given):
    assert requestid.accepted(given) == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", "a\r\nSet-Cookie: b", "ä", '"', "{}", 7])
def test_any_other_is_replaced(given):
    first, second = requestid.accepted(given), requestid.accepted(given)
    assert (len(first), first != second, first != given) == (32, True, True)


def test_the_formatter_of_the_service_is_the_one_that_hides(monkeypatch, capsys):
    from opsconsole_exporters import logs

    handler = logging.StreamHandler()
    handler.setFormatter(logs.formatter("test"))
    record = logging.LogRecord("a", logging.ERROR, __file__, 1, "login with password=%s", (SESAME,), None)
    record.token = SESAME
    line = json.loads(handler.format(record))
    assert line["event"] == f"login with password={HIDDEN}"
    assert line["token"] == HIDDEN
    error = ValueError(f"bad address postgres://shop:{SESAME}@db/")
    record.exc_info = (type(error), error, None)
    assert "bad address" in (line := handler.format(record))
    assert SESAME not in line

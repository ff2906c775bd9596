"""Who gets in, and who does not."""

from __future__ import annotations

import pytest

from opsconsole.operations import access

PAGES = [
    "/",
    "/boards/overview/",
    "/boards/overview/frame.json",
    "/boards/overview/grafana.json",
    "/alerts/",
    "/alerts/1/",
    "/runbooks/DjangoLatencyHigh/",
    "/traces/",
    f"/traces/{'0' * 32}/",
    "/ingest/",
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_asks_strangers_to_sign_in_and_remembers_where_they_wanted_to_go(stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/sign-in/?next={path}"


def test_a_password_lets_in_and_leads_to_the_page_that_was_asked_for(stranger, django_user_model):
    django_user_model.objects.create_user("ada", password="a long enough secret")
    answer = stranger.post("/sign-in/", {"username": "ada", "password": "a long enough secret", "next": "/alerts/"})
    assert (answer.status_code, answer["Location"]) == (302, "/alerts/")
    assert stranger.get("/alerts/").status_code == 200


def test_a_wrong_password_is_told_and_the_name_is_kept(stranger):
    answer = stranger.post("/sign-in/", {"username": "ada", "password": "wrong"})
    assert answer.status_code == 200
    assert "do not fit together" in answer.text
    assert 'value="ada"' in answer.text


def test_signing_in_never_leads_to_another_site(stranger, django_user_model):
    django_user_model.objects.create_user("ada", password="a long enough secret")
    answer = stranger.post(
        "/sign-in/", {"username": "ada", "password": "a long enough secret", "next": "https://evil.example/"}
    )
    assert answer["Location"] == "/"


def test_looking_at_a_link_does_not_use_it_up(stranger, now_ms):
    token = access.create_sign_in_link("operator", now_ms)
    for _ in range(3):
        assert stranger.get(f"/sign-in/{token}/").status_code == 200
    answer = stranger.post(f"/sign-in/{token}/")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert stranger.get("/ingest/").status_code == 200


def test_a_link_lets_in_once(stranger, now_ms):
    token = access.create_sign_in_link("operator", now_ms)
    stranger.post(f"/sign-in/{token}/")
    stranger.post("/sign-out/")
    answer = stranger.post(f"/sign-in/{token}/")
    assert answer.status_code == 410
    assert "opsconsole sign-in-link" in answer.text
    assert stranger.get("/ingest/").status_code == 302


def test_the_pages_of_a_link_are_kept_by_no_cache(stranger, now_ms):
    token = access.create_sign_in_link("operator", now_ms)
    assert "no-store" in stranger.get(f"/sign-in/{token}/")["Cache-Control"]


def test_signing_out_takes_a_post_because_links_are_followed_by_machines(person):
    assert person.get("/sign-out/").status_code == 405
    assert person.post("/sign-out/")["Location"] == "/sign-in/"
    assert person.get("/ingest/").status_code == 302

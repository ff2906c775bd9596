from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections

from opsconsole.operations import access
from opsconsole.operations.access import AccessError
from opsconsole.records.models import ApiToken, SignInLink

pytestmark = pytest.mark.django_db
NOW = 1_764_000_000_000
MINUTE = 60_000


@pytest.fixture(autouse=True)
def _nothing_cached():
    access._known.clear()


class TestSignInLink:
    def test_it_lets_its_user_in_once(self):
        token = access.create_sign_in_link("ada", NOW)
        assert access.redeem(token, NOW + MINUTE).username == "ada"
        assert access.redeem(token, NOW + MINUTE) is None

    def test_it_makes_the_user_without_a_password(self):
        access.create_sign_in_link("ada", NOW)
        assert not User.objects.get(username="ada").has_usable_password()

    def test_it_leaves_the_password_of_somebody_who_has_one(self):
        access.create_user("ada", "correct horse battery")
        access.create_sign_in_link("ada", NOW)
        assert User.objects.get(username="ada").check_password("correct horse battery")

    def test_it_is_good_for_a_quarter_of_an_hour(self):
        token = access.create_sign_in_link("ada", NOW)
        assert access.redeem(token, NOW + 15 * MINUTE) is None
        assert access.redeem(token, NOW + 15 * MINUTE - 1) is not None

    def test_the_demos_is_good_for_a_day(self):
        token = access.create_sign_in_link("ada", NOW, life=access.DEMO_LINK_LIFE)
        assert access.redeem(token, NOW + timedelta(hours=23) // timedelta(milliseconds=1)) is not None

    def test_it_is_known_without_the_database_once_it_was_looked_up_and_until_that_is_old(
        self, django_assert_num_queries
    ):
        header = f"Bearer {access.create_token('script', 'read', NOW)}"
        assert not access.knows_token(header, "read", NOW)
        access.authenticate_token(header, "read", NOW)
        with django_assert_num_queries(0):
            assert access.knows_token(header, "read", NOW + 9_999)
            assert not access.knows_token(header, "ingest", NOW + 9_999)
            assert not access.knows_token(header, "read", NOW + 10_000)
            assert not access.knows_token("Bearer invented", "read", NOW)
        access.revoke_token("script", NOW)
        assert not access.knows_token(header, "read", NOW)

    def test_the_clear_text_is_not_stored(self):
        token = access.create_sign_in_link("ada", NOW)
        assert token not in str(SignInLink.objects.values().get())

    def test_an_invented_one_lets_nobody_in(self):
        assert access.redeem("invented", NOW) is None

    def test_a_locked_user_stays_out(self):
        token = access.create_sign_in_link("ada", NOW)
        User.objects.update(is_active=False)
        assert access.redeem(token, NOW) is None
        with pytest.raises(AccessError, match="'ada' is locked"):
            access.create_sign_in_link("ada", NOW)

    def test_links_too_old_are_swept_away(self):
        access.create_sign_in_link("ada", NOW)
        access.create_sign_in_link("ada", NOW + 60 * MINUTE)
        assert SignInLink.objects.count() == 1

    def test_a_name_that_is_none_is_refused(self):
        with pytest.raises(AccessError, match="valid username"):
            access.create_sign_in_link("not a name", NOW)

    @pytest.mark.django_db(transaction=True)
    def test_of_many_at_once_one_gets_in(self):
        token = access.create_sign_in_link("ada", NOW)

        def redeem(_: int) -> bool:
            try:
                return access.redeem(token, NOW) is not None
            finally:
                connections.close_all()

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(redeem, range(8))) == 1


class TestUser:
    def test_one_can_sign_in_with_the_password(self):
        access.create_user("ada", "correct horse battery")
        assert User.objects.get(username="ada").check_password("correct horse battery")

    @pytest.mark.parametrize(
        ("name", "password", "message"),
        [
            ("ada", "short", "at least 12 characters"),
            ("ada", "password1234", "too common"),
            ("not a name", "correct horse battery", "valid username"),
        ],
    )
    def test_a_bad_one_is_refused_in_one_line(self, name, password, message):
        with pytest.raises(AccessError, match=message) as caught:
            access.create_user(name, password)
        assert "\n" not in str(caught.value)
        assert not User.objects.exists()

    def test_a_name_is_given_once(self):
        access.create_user("ada", "correct horse battery")
        with pytest.raises(AccessError, match="already exists"):
            access.create_user("ada", "correct horse battery")


class TestToken:
    @pytest.mark.parametrize(
        ("scope", "allowed"),
        [("ingest", {"ingest"}), ("read", {"read"}), ("admin", {"ingest", "read", "admin"})],
    )
    def test_it_allows_its_scope(self, scope, allowed):
        header = f"Bearer {access.create_token('script', scope, NOW)}"
        granted = {each for each in ApiToken.Scope.values if access.authenticate_token(header, each, NOW)}
        assert granted == allowed

    def test_the_clear_text_is_not_stored(self):
        token = access.create_token("script", "read", NOW)
        assert token.startswith("ops_")
        assert token not in str(ApiToken.objects.values().get())

    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Bearer invented", "Basic b3BzOm9wcw==", "invented", "Bearer \u00fc"]
    )
    def test_any_other_header_allows_nothing(self, header, settings):
        settings.OPSCONSOLE_API_TOKEN = ""
        access.create_token("script", "admin", NOW)
        assert access.authenticate_token(header, "ingest", NOW) is None

    def test_the_scheme_is_read_in_any_case(self):
        token = access.create_token("script", "read", NOW)
        assert access.authenticate_token(f"bearer  {token}", "read", NOW)

    def test_the_environments_allows_everything_and_needs_no_records(self, settings, django_assert_num_queries):
        settings.OPSCONSOLE_API_TOKEN = "from-the-environment"
        with django_assert_num_queries(0):
            assert access.authenticate_token("Bearer from-the-environment", "admin", NOW)
        assert access.authenticate_token("Bearer from-the-environmen", "read", NOW) is None

    def test_the_records_are_asked_once_in_ten_seconds(self, django_assert_num_queries):
        header = f"Bearer {access.create_token('script', 'ingest', NOW)}"
        access.authenticate_token(header, "ingest", NOW)
        with django_assert_num_queries(0):
            for _ in range(100):
                assert access.authenticate_token(header, "ingest", NOW + 9_999)
        with django_assert_num_queries(2):
            assert access.authenticate_token(header, "ingest", NOW + 10_000)

    def test_a_wrong_one_is_not_asked_about_at_every_request_either(self, django_assert_num_queries):
        access.authenticate_token("Bearer wrong", "ingest", NOW)
        with django_assert_num_queries(0):
            assert access.authenticate_token("Bearer wrong", "ingest", NOW) is None

    def test_the_memory_of_wrong_ones_is_bounded(self, monkeypatch):
        monkeypatch.setattr(access, "CACHE_SIZE", 3)
        for number in range(10):
            access.authenticate_token(f"Bearer wrong{number}", "ingest", NOW)
        assert len(access._known._entries) == 3

    def test_its_last_use_is_known_to_the_minute(self):
        header = f"Bearer {access.create_token('script', 'read', NOW)}"
        assert access.tokens()[0].last_used_at is None
        for after in (0, 30_000, 59_999):
            access.authenticate_token(header, "read", NOW + after)
        first = access.tokens()[0].last_used_at
        access.authenticate_token(header, "read", NOW + 70_000)
        assert access.tokens()[0].last_used_at - first == timedelta(seconds=70)

    def test_a_revoked_one_is_refused_at_once(self):
        header = f"Bearer {access.create_token('script', 'read', NOW)}"
        assert access.authenticate_token(header, "read", NOW)
        access.revoke_token("script", NOW)
        assert access.authenticate_token(header, "read", NOW) is None
        with pytest.raises(AccessError, match="no valid token named 'script'"):
            access.revoke_token("script", NOW)

    @pytest.mark.parametrize(
        ("name", "scope", "message"),
        [
            ("script", "write", "choose one of: ingest, read, admin"),
            (" ", "read", "needs a name"),
            ("taken", "read", "choose another name"),
        ],
    )
    def test_what_cannot_be_made_is_refused_in_one_line(self, name, scope, message):
        access.create_token("taken", "read", NOW)
        with pytest.raises(AccessError, match=message):
            access.create_token(name, scope, NOW)

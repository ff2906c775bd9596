"""Who may enter: people by password or a one-time link, machines by token.

Links and tokens are 256 random bits, so a plain SHA-256 of them is safe to store; passwords go through Django's hashers.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from datetime import timedelta
from functools import cache
from hashlib import sha256

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from opsconsole.records.instant import at
from opsconsole.records.models import ApiToken, SignInLink

LINK_LIFE = timedelta(minutes=15)
DEMO_LINK_LIFE = timedelta(hours=24)
TOKEN_PREFIX = "ops_"  # noqa: S105 - lets secret scanners and people recognise one
CACHE_MS = 10_000  # how long a revoked token may still work
CACHE_SIZE = 1024
USED_EVERY_MS = 60_000  # as exact as "last used" is
_ALLOWS = {
    ApiToken.Scope.INGEST: {ApiToken.Scope.INGEST},
    ApiToken.Scope.READ: {ApiToken.Scope.READ},
    ApiToken.Scope.ADMIN: set(ApiToken.Scope),
}


class AccessError(Exception):
    """One line for the person who asked: what is wrong and what to do."""


def create_sign_in_link(username: str, now_ms: int, *, life: timedelta = LINK_LIFE) -> str:
    """The token of a one-time link, to stand in the path ``/sign-in/<token>/``; it cannot be shown again.

    Makes the user, without a password, when there is none.  Raises ``AccessError`` for one who is locked.
    """
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        user = _user(username)
        SignInLink.objects.filter(expires_at__lt=at(now_ms)).delete()
        SignInLink.objects.create(
            sha256=_hash(token), user=user, expires_at=at(now_ms + life // timedelta(milliseconds=1))
        )
    return token


def redeem(token: str, now_ms: int) -> User | None:
    """The user a link lets in, once; None when it is unknown, used, too old, or its user is locked."""
    link = SignInLink.objects.filter(sha256=_hash(token))
    # No join in this filter: it would make PostgreSQL test the row in a subquery, and let two visitors in at once.
    if not link.filter(used_at=None, expires_at__gt=at(now_ms)).update(used_at=at(now_ms)):
        return None
    user = link.select_related("user").get().user
    return user if user.is_active else None


def create_user(username: str, password: str) -> User:
    """Raises ``AccessError`` when the name is taken or not a name, or the password is too weak."""
    user = User(username=username)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        raise AccessError(" ".join(error.messages)) from None
    user.set_password(password)
    user.save()
    return user


def create_token(name: str, scope: str, now_ms: int) -> str:
    """The clear text of a new token; it cannot be shown again.  ``scope`` is ingest, read or admin.

    Raises ``AccessError`` when the scope is none of these or the name is taken.
    """
    if scope not in ApiToken.Scope.values:
        raise AccessError(f"scope {scope!r} is unknown; choose one of: {', '.join(ApiToken.Scope.values)}")
    if not name.strip():
        raise AccessError("a token needs a name; say who will use it")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            ApiToken.objects.create(name=name, sha256=_hash(token), scope=scope, created_at=at(now_ms))
    except IntegrityError:
        raise AccessError(f"there is a token named {name!r} already; choose another name") from None
    return token


def tokens() -> list[ApiToken]:
    """All of them, revoked ones too; none shows its clear text."""
    return list(ApiToken.objects.order_by("name"))


def revoke_token(name: str, now_ms: int) -> None:
    """At once in this process, within ten seconds in others.  Raises ``AccessError`` when no valid one has the name."""
    if not ApiToken.objects.filter(name=name, revoked_at=None).update(revoked_at=at(now_ms)):
        raise AccessError(f"there is no valid token named {name!r}")
    _known.clear()


def authenticate_token(header: str | None, scope: str, now_ms: int) -> ApiToken | None:
    """The token of an ``Authorization: Bearer`` header when it allows ``scope``, otherwise None.

    ``OPSCONSOLE_API_TOKEN`` allows everything and stands as a token that is not stored.  Asks the database once in ten
    seconds a token, not once a request.
    """
    scheme, _, text = (header or "").strip().partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        return None
    if _is_environments(text):
        return _environments_token()
    token = _known.get(_hash(text), now_ms)
    return token if _allows(token, scope) else None


def knows_token(header: str, scope: str, now_ms: int) -> bool:
    """Whether ``authenticate_token`` would find one without asking the database."""
    scheme, _, text = header.strip().partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        return False
    return _is_environments(text) or _allows(_known.peek(_hash(text), now_ms), scope)


def _allows(token: ApiToken | None, scope: str) -> bool:
    return token is not None and scope in _ALLOWS[ApiToken.Scope(token.scope)]


class _TokenCache:
    """Tokens by hash, unknown ones too, each for ten seconds; the oldest goes when it is full."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[int, ApiToken | None]] = OrderedDict()

    def get(self, digest: str, now_ms: int) -> ApiToken | None:
        until_ms, token = self._entries.get(digest, (0, None))
        if now_ms >= until_ms:
            token = _valid_token(digest, now_ms)
            self._entries.pop(digest, None)
            self._entries[digest] = (now_ms + CACHE_MS, token)
            while len(self._entries) > CACHE_SIZE:
                self._entries.popitem(last=False)
        return token

    def peek(self, digest: str, now_ms: int) -> ApiToken | None:
        until_ms, token = self._entries.get(digest, (0, None))
        return token if now_ms < until_ms else None

    def clear(self) -> None:
        self._entries.clear()


_known = _TokenCache()


def _valid_token(digest: str, now_ms: int) -> ApiToken | None:
    rows = ApiToken.objects.filter(sha256=digest, revoked_at=None)
    stale = Q(last_used_at=None) | Q(last_used_at__lte=at(now_ms - USED_EVERY_MS))
    rows.filter(stale).update(last_used_at=at(now_ms))
    return rows.first()


@cache
def _environments_token() -> ApiToken:
    return ApiToken(name="OPSCONSOLE_API_TOKEN", scope=ApiToken.Scope.ADMIN, created_at=at(0))


def _is_environments(text: str) -> bool:
    expected: str = settings.OPSCONSOLE_API_TOKEN
    return bool(expected) and hmac.compare_digest(text.encode(), expected.encode())


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        user = User(username=username)
        user.set_unusable_password()
        try:
            user.full_clean()
        except ValidationError as error:
            raise AccessError(" ".join(error.messages)) from None
        user.save()
    if not user.is_active:
        raise AccessError(f"the user {username!r} is locked; unlock them first")
    return user


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()

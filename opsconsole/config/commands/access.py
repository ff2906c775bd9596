"""``opsconsole sign-in-link``, ``token`` and ``user``: who may enter."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import timedelta

from opsconsole.config.error import StartError
from opsconsole.series.clock import SystemClock
from opsconsole.series.duration import parse_duration


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    link = commands.add_parser("sign-in-link", help="print a link that signs its first visitor in")
    link.add_argument("--user", default="operator", help="made if there is none (default: %(default)s)")
    link.add_argument(
        "--valid", default="15m", metavar="DURATION", help="how long the link works (default: %(default)s)"
    )
    link.set_defaults(run=_sign_in_link)

    token = commands.add_parser("token", help="tokens for scripts and for services that push")
    actions = token.add_subparsers(dest="action", required=True, metavar="action")
    create = actions.add_parser("create", help="print a new token, once")
    create.add_argument("name", help="who will use it")
    create.add_argument("--scope", choices=("ingest", "read", "admin"), default="ingest", help="default: %(default)s")
    create.set_defaults(run=_create_token)
    listing = actions.add_parser("list", help="names, scopes and last use")
    listing.set_defaults(run=_list_tokens)
    revoke = actions.add_parser("revoke", help="refuse a token from now on")
    revoke.add_argument("name")
    revoke.set_defaults(run=_revoke_token)

    user = commands.add_parser("user", help="people who sign in with a password")
    people = user.add_subparsers(dest="action", required=True, metavar="action")
    new = people.add_parser("create", help="make a user; the password is asked for, or read from a pipe")
    new.add_argument("name")
    new.set_defaults(run=_create_user)

    for command in (link, create, listing, revoke, new):
        command.add_argument("--data-dir", metavar="DIR", help="the console's data folder (default: .opsconsole)")


def _records() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0, interactive=False)  # a link may be asked for before the first serve


def _sign_in_link(arguments: argparse.Namespace) -> int:
    from opsconsole.config import env

    try:
        life = timedelta(milliseconds=parse_duration(arguments.valid))
    except ValueError as error:
        raise StartError(f"--valid: {error}") from None
    _records()
    from opsconsole.operations import access

    try:
        token = access.create_sign_in_link(arguments.user, SystemClock().now_ms(), life=life)
    except access.AccessError as error:
        raise StartError(str(error)) from None
    print(f"{env.PUBLIC_URL}/sign-in/{token}/")
    return 0


def _create_token(arguments: argparse.Namespace) -> int:
    _records()
    from opsconsole.operations import access

    try:
        print(access.create_token(arguments.name, arguments.scope, SystemClock().now_ms()))
    except access.AccessError as error:
        raise StartError(str(error)) from None
    return 0


def _list_tokens(_: argparse.Namespace) -> int:
    _records()
    from opsconsole.operations import access

    for token in access.tokens():
        used = f"{token.last_used_at:%Y-%m-%d %H:%M} UTC" if token.last_used_at else "never used"
        print(f"{token.name}\t{token.scope}\t{'revoked' if token.revoked_at else used}")
    return 0


def _revoke_token(arguments: argparse.Namespace) -> int:
    _records()
    from opsconsole.operations import access

    try:
        access.revoke_token(arguments.name, SystemClock().now_ms())
    except access.AccessError as error:
        raise StartError(str(error)) from None
    return 0


def _create_user(arguments: argparse.Namespace) -> int:
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    _records()
    from opsconsole.operations import access

    try:
        access.create_user(arguments.name, password)
    except access.AccessError as error:
        raise StartError(str(error)) from None
    return 0

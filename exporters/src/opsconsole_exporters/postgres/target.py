"""Which servers to ask: connection strings from the environment, which nobody is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import conninfo_to_dict

HIDDEN = "***"


class TargetError(Exception):
    """One line that names the variable and says what to do; never the value, which has a password in it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One server.  ``server`` is its label; ``conninfo`` is what libpq takes, a URL or ``key=value`` pairs."""

    server: str
    conninfo: str = field(repr=False)

    def explain(self, error: BaseException) -> str:
        """Why ``error`` happened, in one line without the password."""
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in _secrets(self.conninfo):
            text = text.replace(secret, HIDDEN)
        return text


def targets(environment: Mapping[str, str], variable: str) -> tuple[Target, ...]:
    """The servers of ``variable`` and of ``variable_NAME``; those are labelled ``name``, the other by host and port.

    Raises ``TargetError`` when there are none, when one cannot be read, and when two would have the same label.
    """
    found: dict[str, Target] = {}
    for name in sorted(environment):
        if not environment[name] or not (name == variable or name.startswith(f"{variable}_")):
            continue
        target = _target(name, environment[name], name.removeprefix(variable).lstrip("_").lower())
        if target.server in found:
            raise TargetError(f"{name} is a second {target.server}: give it a name, as in {variable}_REPLICA")
        found[target.server] = target
    if not found:
        raise TargetError(
            f"no server to ask: set {variable}, for example to postgresql://monitor:...@127.0.0.1:5432/shop"
        )
    return tuple(found.values())


def _target(variable: str, conninfo: str, label: str) -> Target:
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        # libpq quotes what it could not read, and that may be the password.
        raise TargetError(
            f"{variable} is no connection string: give postgresql://user:password@host:port/database, "
            "with % before what is special in a password, or 'host=... user=...'"
        ) from None
    return Target(label or f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}", conninfo)


def _secrets(conninfo: str) -> list[str]:
    """The connection string and every password in it, the longest first."""
    parts = conninfo_to_dict(conninfo)
    found = {conninfo, str(parts.get("password") or ""), str(parts.get("sslpassword") or "")}
    return sorted(found - {""}, key=len, reverse=True)

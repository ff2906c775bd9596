"""One run of the demo, from the first line of progress to the last process gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from ..faults.switches import Fault, connect
from .datadir import DEFAULT_DATA_DIR, DataDirInUseError, lock
from .guard import Guard
from .part import PartError
from .plan import WORKERS, Options, Plan
from .ports import PortTakenError
from .postgres import PostgresError
from .progress import Progress
from .supervisor import Supervisor

WATCH_EVERY_S = 0.25
SIGN_IN_TIMEOUT_S = 30.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(options: Options, *, as_json: bool) -> int:
    """Run the demo until SIGINT, SIGTERM or SIGHUP and return the exit code: 0 then, 1 when a part failed.

    Progress and errors go to stderr; stdout gets the closing block, or one line of JSON.
    """
    try:
        held = lock(options.data_dir)
    except DataDirInUseError as error:
        return _fail(str(error))
    with held:
        try:
            plan = Plan(
                options,
                api_token=os.environ.get("OPSCONSOLE_API_TOKEN") or secrets.token_urlsafe(24),
                secret_key=secrets.token_urlsafe(48),
                valkey_password=secrets.token_urlsafe(24),
            )
            options.data_dir.lay_out()
            parts = plan.parts()
        except PortTakenError as error:
            return _fail(f"{error}; choose another one: make demo PORT=8001")
        except PostgresError as error:
            return _fail(str(error))
        guard = Guard()
        supervisor = Supervisor(parts, options.data_dir.logs, Progress(sys.stderr), guard)
        try:
            return asyncio.run(_run(plan, supervisor, as_json=as_json))
        except PartError as error:
            _report(error, plan)
            return 1
        finally:
            for number in STOP_SIGNALS:
                signal.signal(number, signal.SIG_IGN)  # an impatient second Ctrl-C must not cut the end short
            supervisor.stop()
            options.data_dir.run_file.unlink(missing_ok=True)
            guard.close()


async def _run(plan: Plan, supervisor: Supervisor, *, as_json: bool) -> int:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if await _unless(stop, supervisor.start()):
        _announce(plan, supervisor, as_json=as_json)
        await _watch(plan, supervisor, stop)
    print("stopping", file=sys.stderr, flush=True)
    return 0


async def _unless(stop: asyncio.Event, act: Coroutine[None, None, None]) -> bool:
    """Do ``act`` to its end, or drop it when ``stop`` is set first; return whether it came to its end."""
    acting = asyncio.ensure_future(act)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({acting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if acting.done():
        acting.result()
        return True
    acting.cancel()
    await asyncio.gather(acting, return_exceptions=True)
    return False


def _announce(plan: Plan, supervisor: Supervisor, *, as_json: bool) -> None:
    """Say that all is up, to people or scripts on stdout and to other commands in the run file."""
    run = {
        "console_url": plan.console_url,
        "sign_in_url": _sign_in_link(plan),
        "shop_url": plan.shop_url,
        "faults_url": f"{plan.shop_url}/faults/",
        "api_token": plan.api_token,
        "targets": plan.targets,
        "data_dir": str(plan.data.root),
        "log_dir": str(plan.data.logs),
        "ports": asdict(plan.ports),
        "pids": {"supervisor": os.getpid(), **supervisor.pids},
    }
    plan.data.write_run({"valkey_faults_url": plan.faults_url, **run})
    print(json.dumps(run) if as_json else _closing_block(run), flush=True)


async def _watch(plan: Plan, supervisor: Supervisor, stop: asyncio.Event) -> None:
    """Keep everything up, but the workers as the ``stopped-workers`` switch says, until ``stop`` is set."""
    switches = connect(plan.faults_url)
    while not stop.is_set():
        supervisor.check()
        # A Valkey that is busy for a moment is no reason to act; one that died is noticed by check().
        with contextlib.suppress(RedisError):
            await _obey_switch(supervisor, stop, stopped=Fault.STOPPED_WORKERS in switches.read())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WATCH_EVERY_S):
                await stop.wait()


async def _obey_switch(supervisor: Supervisor, stop: asyncio.Event, *, stopped: bool) -> None:
    running = any(worker in supervisor.pids for worker in WORKERS)
    if stopped and running:
        supervisor.stop(WORKERS)
        print("workers stopped by the stopped-workers switch", file=sys.stderr, flush=True)
    elif not stopped and not running:
        await _unless(stop, supervisor.start(WORKERS))


def _sign_in_link(plan: Plan) -> str | None:
    """Ask the console for its one-time link.  Raises ``PartError`` when it gives none."""
    if plan.console_url is None:
        return None
    command = (*plan.options.console_command, "sign-in-link")
    try:
        done = subprocess.run(  # noqa: S603  our own command line, no shell  # nosec B603
            command,
            env=plan.console_env(),
            capture_output=True,
            text=True,
            timeout=SIGN_IN_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        tail = getattr(error, "stderr", None) or ""
        raise PartError("console", f"gave no sign-in link: {error}", str(tail).strip()) from error
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else None


def _closing_block(run: dict[str, Any]) -> str:
    fault = f"{shlex.quote(sys.executable)} -m demo_app fault"
    if Path(run["data_dir"]) != DEFAULT_DATA_DIR.resolve():
        fault += f" --data-dir {shlex.quote(run['data_dir'])}"
    lines = [("shop", run["shop_url"]), ("break it", run["faults_url"])]
    if run["sign_in_url"]:
        lines.insert(0, ("console", f"{run['sign_in_url']}  (signs you in once)"))
    lines += [
        ("or type", f"{fault} slow-database on"),
        ("", f"{fault} slow-database off"),
        ("logs", run["log_dir"]),
    ]
    body = "\n".join(f"  {name:<9} {text}" for name, text in lines)
    return f"\n  Everything is up.\n\n{body}\n\n  Ctrl-C stops everything.\n"


def _report(error: PartError, plan: Plan) -> None:
    print(f"\n{error}", file=sys.stderr)
    if error.log_tail:
        print(f"the end of its log (all of it in {plan.data.logs}):", file=sys.stderr)
        print("\n".join(f"  | {line}" for line in error.log_tail.splitlines()), file=sys.stderr)


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1

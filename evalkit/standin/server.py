"""The stand-in as a running server: in a thread of this process, or blocking for `evalkit serve`.

uvicorn serves the app on loopback. Two things are added to it: each request can reach the raw transport of its
connection, which the faults need to reset it or to close it inside a chunk, and stopping does not wait for
responses that never end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from evalkit.standin.reply import Answer

if TYPE_CHECKING:
    import asyncio

    import uvicorn

    from evalkit.standin.exchange import Settings

_KEEP_ALIVE_S = 120
_STOP_TIMEOUT_S = 10.0
_BACKLOG = 2048


class StandIn:
    """Run a stand-in server in a background thread; as a context manager it yields itself.

    Takes an `answer` callable, such as `player(scripts)` (default: nobody has a script), and the fields of `Settings`
    as keywords.
    """

    def __init__(
        self, answer: Answer | None = None, *, host: str = "127.0.0.1", port: int = 0, **settings: Any
    ) -> None:
        self._host = host
        self._port = port
        self._settings = make_settings(answer, settings)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.base_url = ""

    def start(self) -> str:
        """Start to listen and return the base URL; raises OSError if the port is taken."""
        listener = open_listener(self._host, self._port)
        self.base_url = url_of(listener)
        self._server = build_server(self._settings)
        self._thread = threading.Thread(
            target=_run, args=(self._server, listener), name="evalkit-stand-in", daemon=True
        )
        self._thread.start()
        return self.base_url

    def stop(self) -> None:
        """Close every connection, stalled ones too, and wait for the thread to end."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT_S)
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(listener: socket.socket, answer: Answer | None = None, **settings: Any) -> None:
    """Serve on an open listener until the process is interrupted; raises KeyboardInterrupt then."""
    _run(build_server(make_settings(answer, settings)), listener)


def open_listener(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Return a socket that already takes connections, so that its URL is good at once; port 0 picks a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol number is spelled out; with it every reply waits 40 ms
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the base URL for clients of a listener."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_settings(answer: Answer | None = None, settings: Mapping[str, Any] | None = None) -> Settings:
    """Return settings; without an `answer`, cases' own steps are played. Imported only when a server is made."""
    from evalkit.standin.exchange import Settings
    from evalkit.standin.script import player

    return Settings(answer=answer or player({}), **(settings or {}))


def build_server(settings: Settings) -> uvicorn.Server:
    """Return an unstarted uvicorn server for the settings; only now is anything of a server imported."""
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    from evalkit.standin.app import App

    class TransportInScope(HttpToolsProtocol):
        """Put the connection's transport where the app finds it."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self.app_state = {"transport": transport}
            super().connection_made(transport)

    class QuickStop(uvicorn.Server):
        """Abort open connections at shutdown instead of waiting for their responses."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            self.force_exit = True
            await super().shutdown(sockets)

    config = uvicorn.Config(
        App(settings),
        http=TransportInScope,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    return QuickStop(config)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    import asyncio

    asyncio.run(server.serve(sockets=[listener]))

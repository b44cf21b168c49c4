"""Starting and stopping, and what importing the stand-in costs."""

from __future__ import annotations

import http.client
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from evalkit.standin import StandIn, open_listener, url_of
from tests.standin.conftest import echo


def status_of(url: str) -> int:
    """Return the status of the front page."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_url_is_good_as_soon_as_start_returns() -> None:
    """Start, ask, stop, thrice in a row: nobody has to wait for the server to be ready."""
    for _ in range(3):
        with StandIn(echo) as server:
            assert server.base_url.startswith("http://127.0.0.1:")
            assert status_of(server.base_url) == 200


def test_stopped_server_takes_no_connections() -> None:
    """After stop the port is closed; stopping twice is fine."""
    server = StandIn(echo)
    url = server.start()
    server.stop()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        status_of(url)


def test_taken_port_is_an_error_at_start() -> None:
    """A port that is in use is reported by start, not by a thread."""
    with StandIn(echo) as server:
        port = urlsplit(server.base_url).port
        assert port is not None
        with pytest.raises(OSError, match="in use"):
            StandIn(echo, port=port).start()


def test_listener_binds_loopback_only() -> None:
    """By default nobody else on the network can reach the server."""
    with open_listener() as listener:
        assert url_of(listener).startswith("http://127.0.0.1:")


def test_unknown_setting_is_refused() -> None:
    """A misspelt setting is an error, not a silent default."""
    with pytest.raises(TypeError, match="stal_s"):
        StandIn(echo, stal_s=1)


def test_importing_the_stand_in_loads_nothing_heavy() -> None:
    """Neither the SDK nor a web server nor asyncio is imported before a server is started."""
    heavy = ("anthropic", "pandas", "uvicorn", "pydantic", "asyncio")
    code = f"import sys, evalkit.standin; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"

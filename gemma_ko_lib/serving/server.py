"""The server of `gemma-ko serve`: where it listens, who may reach it, how it starts and stops."""

import asyncio
import signal
import socket
from collections.abc import Callable

from tornado import httpserver, netutil, web

from gemma_ko_lib.runtime import UserError
from gemma_ko_lib.serving.handlers import (
    CLIENT_SECONDS,
    LONGEST_BODY,
    State,
    Unknown,
    is_loopback,
    routes,
)


def bind(host: str, port: int) -> tuple[list[socket.socket], int]:
    """Bind a port, or a free one where it is taken.

    Returns:
        The sockets, and the port.

    Raises:
        UserError: the host is not one of this machine's, or the port is not for everybody.
    """
    try:
        sockets = netutil.bind_sockets(port, host)
    except PermissionError:
        raise UserError(
            f"Port {port} needs an administrator's rights; take 1024 or more."
        ) from None
    except OSError as error:
        if not port:
            raise UserError(f"Cannot listen on {host} ({error}).") from None
        return bind(host, 0)
    return sockets, sockets[0].getsockname()[1]


def check_exposure(host: str, key: str, ui: bool) -> None:
    """Check that only this machine gets in without a key.

    Raises:
        UserError: another address without one, or the page together with one.
    """
    if not is_loopback(host) and not key:
        raise UserError(
            f"{host} can be reached from other machines: set GEMMA_KO_API_KEY to a secret that "
            "clients then send as their API key, or leave out --host."
        )
    if ui and key:
        raise UserError("The page (--ui) sends no key: use it on loopback, without one.")


async def serve(state: State, sockets: list[socket.socket], ready: Callable[[], None]) -> None:
    """Answer until SIGTERM or SIGINT; then end the answers under way. A second signal cuts them.

    Args:
        state: what to serve, and to whom.
        sockets: where to listen.
        ready: called once clients are answered.
    """
    async with state.http:
        application = web.Application(
            routes(state), default_handler_class=Unknown, default_handler_args={"state": state}
        )
        server = httpserver.HTTPServer(
            application,
            max_body_size=LONGEST_BODY,
            idle_connection_timeout=CLIENT_SECONDS,
            body_timeout=CLIENT_SECONDS,
            max_header_size=2**14,
        )
        server.add_sockets(sockets)
        stopped, cut = asyncio.Event(), asyncio.Event()

        def stop() -> None:
            (cut if stopped.is_set() else stopped).set()

        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):  # llama.cpp's own handlers stop it at once
            loop.add_signal_handler(name, stop)
        ready()
        await stopped.wait()
        state.stopping = True
        server.stop()
        while sum(state.busy.values()) and not cut.is_set():
            await asyncio.sleep(0.05)
        await server.close_all_connections()

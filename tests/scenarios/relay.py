"""A relay between a client and a server that cuts a connection at a chosen point of a statement."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Literal

Cut = Literal["before", "during", "after"]


class Relay:
    """Forwards connections to a server; cuts the first that sends a certain statement.

    :param cut: "before" the statement reaches the server; "during" it, so that the server notices nothing; "after" its
        answer, which the client does not get.
    """

    def __init__(self, host: str, port: int, statement: bytes, cut: Cut) -> None:
        self._server = host, port
        self._statement = statement
        self._cut: Cut | None = cut
        self._kept: list[asyncio.StreamWriter] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._server)
        forward = asyncio.create_task(self._forward(server_reader, writer))
        try:
            while data := await reader.read(65536):
                if self._statement in data and self._cut is not None:
                    await self._cut_off(data, server_writer, forward, server_reader)
                    break
                server_writer.write(data)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            forward.cancel()
            writer.close()
            if server_writer not in self._kept:
                server_writer.close()

    async def _cut_off(
        self,
        data: bytes,
        server_writer: asyncio.StreamWriter,
        forward: asyncio.Task[None],
        server_reader: asyncio.StreamReader,
    ) -> None:
        cut, self._cut = self._cut, None
        forward.cancel()
        await asyncio.wait({forward})
        if cut == "before":
            return
        self._kept.append(server_writer)
        server_writer.write(data)
        if cut == "after":
            await server_reader.read(65536)
        else:
            await asyncio.sleep(0.3)

    @staticmethod
    async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@contextlib.contextmanager
def relayed(host: str, port: int, statement: str, cut: Cut) -> Iterator[int]:
    """Return the port of a relay, which runs in a separate thread."""
    relay = Relay(host, port, statement.encode(), cut)
    started: queue.Queue[tuple[int, asyncio.AbstractEventLoop]] = queue.Queue()
    stop = asyncio.Event()

    async def run() -> None:
        server = await asyncio.start_server(relay._serve, "127.0.0.1")
        started.put((server.sockets[0].getsockname()[1], asyncio.get_running_loop()))
        await stop.wait()

    # At its end, asyncio.run() also ends the connections that are still served.
    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    port, loop = started.get(timeout=10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)

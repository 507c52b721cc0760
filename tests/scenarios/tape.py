"""Record the responses of a server on its socket, and replay them without the server.

A tape (see ``archive.py``) holds the raw bytes a server sent, in exchanges: what the client
sent, and everything the server sent before the client spoke again.  Of the MySQL protocol
only the framing of packets, the greeting and the fields that name a client packet
are known here; answers are never interpreted, so the drivers under test parse
exactly what the server once wrote.

What a client sends is known by a key:

==================  ===========================================================
``CONNECT``         opening the connection; the answer is the greeting
``LOGIN user [db]`` the handshake response (``LOGIN user #2`` its continuation)
``QUERY text``      a statement; likewise ``INIT_DB name`` and ``PING``
hexadecimal digits  any other command
``SETUP name``      nothing is sent: a set-up that tests share ran here
==================  ===========================================================

What makes no difference on a single server is not recorded, and answered by OK: see ``UNRECORDED``.
"""

from __future__ import annotations

import difflib
import socket
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy_matrixone.recovery.freshness import SEE_ALL_COMMITS

LOOPBACK = "127.0.0.1"
CONNECT = "CONNECT"
PING = "PING"
QUIT = "QUIT"
SETUP = "SETUP "
UNRECORDED = frozenset((f"QUERY {SEE_ALL_COMMITS}",))

_COMMANDS = {0x01: QUIT, 0x02: "INIT_DB", 0x03: "QUERY", 0x0E: PING}
_CLIENT_CONNECT_WITH_DB = 0x0008
_CLIENT_SSL = 0x0800
_LONGEST_CHUNK = 0xFFFFFF  # a packet of this length is continued by the next
_THREAD_ID, _SALT = b"\1\0\0\0", b"saltsaltsaltsaltsalt"
_COMPARED = 1000  # characters: difflib takes quadratic time

# Sent when a connection opens. The number of connections that a pool opens differs between
# releases of SQLAlchemy and does not matter to a scenario, so these may be sent as often as
# there are connections.
_PER_CONNECTION = (CONNECT, "LOGIN ", "QUERY SET NAMES ", "QUERY SET AUTOCOMMIT = 0")


@dataclass(frozen=True)
class Packet:
    """One packet, joined if it was sent in several chunks."""

    raw: bytes
    payload: bytes

    @property
    def sequence(self) -> int:
        return self.raw[3]


def packets(peer: socket.socket) -> Iterator[Packet]:
    """Yield the packets that a peer sends, until it closes or drops the connection."""
    raw = payload = b""
    with suppress(OSError), peer.makefile("rb") as stream:
        while len(header := stream.read(4)) == 4:
            chunk = stream.read(int.from_bytes(header[:3], "little"))
            raw += header + chunk
            payload += chunk
            if len(chunk) < _LONGEST_CHUNK:
                yield Packet(raw, payload)
                raw = payload = b""


def server_version(greeting: bytes) -> str:
    """Return the version string of a greeting: after the protocol version, NUL-terminated."""
    if greeting[4:5] != b"\x0a":
        return ""  # an error, such as too many connections
    return greeting[5 : greeting.index(0, 5)].decode()


def without_tls(greeting: bytes) -> bytes:
    """Return the greeting without the offer of TLS: a tape needs the plain text."""
    if not server_version(greeting):
        return greeting
    # after the version: thread id (4), first part of the salt (8), a zero, flags
    at = greeting.index(0, 5) + 1 + 4 + 8 + 1
    flags = int.from_bytes(greeting[at : at + 2], "little") & ~_CLIENT_SSL
    return greeting[:at] + flags.to_bytes(2, "little") + greeting[at + 2 :]


def fixed_greeting(greeting: bytes) -> bytes:
    """Replace what differs from connection to connection, so that recording again changes nothing."""
    if not server_version(greeting):
        return greeting
    # after the version: thread id (4), salt (8), a zero, flags and the like (18), more salt (12)
    at = greeting.index(0, 5) + 1
    kept = greeting[at + 12 : at + 31]
    return greeting[:at] + _THREAD_ID + _SALT[:8] + kept + _SALT[8:] + greeting[at + 43 :]


def error_packet(sequence: int, message: str) -> bytes:
    payload = b"\xff" + (1105).to_bytes(2, "little") + b"#HY000" + message.encode()
    return len(payload).to_bytes(3, "little") + bytes([sequence]) + payload


def _ok_packet(sequence: int) -> bytes:
    return b"\7\0\0" + bytes([sequence]) + b"\0\0\0\2\0\0\0"


def _login_key(payload: bytes) -> str:
    # flags (4), longest packet (4), character set (1), filler (23), user, NUL,
    # length of the scrambled password (1), scrambled password, database, NUL
    user, _, rest = payload[32:].partition(b"\0")
    words = ["LOGIN", user.decode()]
    if int.from_bytes(payload[:4], "little") & _CLIENT_CONNECT_WITH_DB:
        words.append(rest[1 + rest[0] :].partition(b"\0")[0].decode())
    return " ".join(words)


def _command_key(payload: bytes) -> str:
    name = _COMMANDS.get(payload[0])
    if name is None:
        return payload.hex()
    text = payload[1:].decode(errors="backslashreplace")
    return f"{name} {text}" if text else name


class _Naming:
    """Name the packets that a client sends on one connection."""

    def __init__(self) -> None:
        self._login = ""
        self._step = 0
        self._logged_in = False

    def key(self, packet: Packet) -> str | None:
        """Return the key, or None for a packet that only continues the last command."""
        if packet.sequence == 0 and packet.payload:
            self._logged_in = True
            return _command_key(packet.payload)
        if self._logged_in:
            return None  # a file, asked for by LOAD DATA LOCAL
        self._step += 1
        if self._step == 1:
            self._login = _login_key(packet.payload)
            return self._login
        return f"{self._login} #{self._step}"


@dataclass
class Exchange:
    """What a client sent, and the server's complete answer."""

    send: str
    answer: bytes = b""
    closed: bool = False  # did the server then close the connection?
    lines: str = ""  # the SQLAlchemy lines that send it; empty for all


class _Listener:
    """Serve each connection to a port of the loopback device in a thread."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._closing = False
        self._served: list[tuple[socket.socket, threading.Thread]] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing:
                client.close()
                return
            # Drivers say goodbye and close in one breath: never delay an answer.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._run, args=(client,), daemon=True)
            self._served.append((client, thread))
            thread.start()

    def _run(self, client: socket.socket) -> None:
        with client, suppress(OSError):  # a client may vanish at any time
            self._serve(client)

    def close(self) -> None:
        """Serve what has been sent so far, then close all connections."""
        self._closing = True
        socket.create_connection((LOOPBACK, self.port)).close()  # wakes accept()
        self._acceptor.join()
        self._listener.close()
        # Reading first: what has arrived is still served.  Then writing, for a
        # client which does not read its answer must not block us for ever.
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            for client, thread in self._served:
                with suppress(OSError):
                    client.shutdown(how)
                thread.join(timeout=2)


class _RecordedConnection:
    """Record the exchanges of one connection."""

    def __init__(self, exchanges: list[Exchange], lock: threading.Lock) -> None:
        self._exchanges = exchanges
        self._lock = lock  # of the exchanges: their order is that of sending
        self._closed = False
        self._exchange = Exchange(QUIT)

    def sent(self, key: str) -> None:
        """Start a new exchange: what the server sends from now on answers this key."""
        with self._lock:
            before, self._exchange = self._exchange, Exchange(key, closed=self._closed)
            if key == QUIT or key in UNRECORDED:
                return  # a QUIT is never answered, and sent or not as drivers please
            if self._closed and before.answer:
                # The client had not noticed, so it must not be able to in a replay.
                before.closed = False
            self._exchanges.append(self._exchange)

    def answered(self, data: bytes) -> None:
        with self._lock:
            self._exchange.answer += data

    def closed(self) -> None:
        with self._lock:
            self._closed = self._exchange.closed = True


class Recorder:
    """Forward connections to a server, and record them."""

    def __init__(self, host: str, port: int) -> None:
        self.exchanges: list[Exchange] = []
        self._server = (host, port)
        self._lock = threading.Lock()
        self._listener = _Listener(self._serve)
        self.port = self._listener.port
        self.close = self._listener.close

    def note(self, key: str) -> None:
        """Record a step that is not sent to the server."""
        with self._lock:
            self.exchanges.append(Exchange(key))

    def _serve(self, client: socket.socket) -> None:
        connection = _RecordedConnection(self.exchanges, self._lock)
        naming = _Naming()
        with socket.create_connection(self._server) as server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sent(CONNECT)
            relay = threading.Thread(target=self._relay, args=(server, client, connection), daemon=True)
            relay.start()
            for packet in packets(client):
                if (key := naming.key(packet)) is not None:
                    connection.sent(key)
                with suppress(OSError):  # closed by the server: the relay reports it
                    server.sendall(packet.raw)
            connection.sent(QUIT)  # nothing that is sent from here on is read
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            relay.join()

    @staticmethod
    def _relay(server: socket.socket, client: socket.socket, connection: _RecordedConnection) -> None:
        """Pass on what the server sends. It is recorded first, so that it cannot be taken
        for the answer to what the client sends after reading it."""
        with suppress(OSError):  # reset by the server: as good as closed
            for recorded, data in _answers(server):
                connection.answered(recorded)
                with suppress(OSError):  # the client has gone: not the server's doing
                    client.sendall(data)
        connection.closed()
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)


def _answers(server: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Yield what to record and what to pass on; a client needs the real salt to log in."""
    greeting = next(packets(server), None)
    if greeting is not None:
        plain = without_tls(greeting.raw)
        yield fixed_greeting(plain), plain
    while data := server.recv(1 << 16):
        yield data, data


class Player:
    """Play exchanges: a server that gives only recorded answers.

    Exchanges are looked up over all of them and not by connection, so that
    threads may be scheduled otherwise than they were while recording.  Answers to
    the same key are given in the order of recording.
    """

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._keys = list(dict.fromkeys(exchange.send for exchange in exchanges))
        self._left: dict[str, deque[Exchange]] = defaultdict(deque)
        for exchange in exchanges:
            self._left[exchange.send].append(exchange)
        self._last = {exchange.send: exchange for exchange in exchanges}
        self._spare = len(self._left[CONNECT])  # connections not yet opened
        self._lock = threading.Lock()
        self.misses: list[str] = []
        self._listener = _Listener(self._serve)
        self.port = self._listener.port
        self.close = self._listener.close

    def note(self, key: str) -> None:
        """Take a step that was recorded without being sent to the server."""
        with self._lock:
            if self._next(key) is None:
                self._miss(key, sequence=0)

    def unsent(self) -> list[str]:
        """Return what was recorded and should have been sent, but was not."""
        return list(self._unsent().elements())

    def _unsent(self) -> Counter[str]:
        left = Counter({key: len(queue) for key, queue in self._left.items()})
        return Counter(
            {
                key: count
                for key, count in left.items()
                if key != PING and not (key.startswith(_PER_CONNECTION) and count <= self._spare)
            }
        )

    def _serve(self, client: socket.socket) -> None:
        naming = _Naming()
        self._play(client, CONNECT, sequence=0)
        for packet in packets(client):
            key = naming.key(packet)
            if key == QUIT:
                return
            if key is not None:
                self._play(client, key, (packet.sequence + 1) % 256)

    def _play(self, client: socket.socket, key: str, sequence: int) -> None:
        if key in UNRECORDED:
            client.sendall(_ok_packet(sequence))
            return
        with self._lock:
            exchange = self._next(key) or self._miss(key, sequence)
        client.sendall(exchange.answer)
        if exchange.closed:
            # Only this half, so that what the client still tries to send is read.
            client.shutdown(socket.SHUT_WR)

    def _next(self, key: str) -> Exchange | None:
        if key == CONNECT:
            self._spare -= 1
        if queue := self._left.get(key):
            return queue.popleft()
        if self._spare < 0 and key.startswith(_PER_CONNECTION):
            return self._last.get(key)
        return None

    def _miss(self, key: str, sequence: int) -> Exchange:
        if key in self._keys:
            return self._missed(f"sent more often than in the recording: {key}", key, sequence)
        candidates = {other[:_COMPARED]: other for other in self._unsent() or self._keys}
        nearest = difflib.get_close_matches(key[:_COMPARED], candidates, n=1, cutoff=0.0)
        recorded = candidates[nearest[0]] if nearest else "nothing"
        return self._missed(f"not in the recording: {key} | nearest recorded: {recorded}", key, sequence)

    def _missed(self, message: str, key: str, sequence: int) -> Exchange:
        self.misses.append(message)
        return Exchange(key, error_packet(sequence, message))

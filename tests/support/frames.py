# SPDX-License-Identifier: MIT
"""Speaks HTTP/2 frame by frame, for peers that send what no library would: any frame, in any
number, at any time.

`RawPeer` is one end of a link, on either side. It writes given bytes and records what comes
back."""

import contextlib
import queue
import socket
import struct
import threading

import hpack

from .octets import Octets
from .origins import shut, wake
from .wait import wait_until

(
    DATA,
    HEADERS,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    PUSH_PROMISE,
    PING,
    GOAWAY,
    WINDOW_UPDATE,
    CONTINUATION,
) = range(10)
ORIGIN = 12  # RFC 8336
PRIORITY_UPDATE = 0x10  # RFC 9218
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
) = range(7)
REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 7, 8, 9
ENHANCE_YOUR_CALM = 11

SETTING_MAX_STREAMS, SETTING_INITIAL_WINDOW, SETTING_CONNECT = 3, 4, 8


def frame(kind, flags=0, stream=0, payload=b""):
    return (
        len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload
    )


def settings(values=(), flags=0):
    return frame(
        SETTINGS,
        flags,
        0,
        b"".join(struct.pack(">HI", key, value) for key, value in dict(values).items()),
    )


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream, code):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def block(*fields):
    """Encodes a field section that neither uses nor changes the HPACK table, so that it may be sent
    at any time."""

    def text(value):
        raw = value if isinstance(value, bytes) else value.encode("latin-1")
        return hpack.hpack.encode_integer(len(raw), 7) + raw

    return b"".join(b"\x10" + text(name) + text(value) for name, value in fields)


def headers(stream, *fields, end=False):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(*fields))


def long_headers(stream, *fields):
    """Returns the frames of a complete head of any length."""
    whole = block(*fields)
    pieces = [whole[at : at + 16_384] for at in range(0, len(whole), 16_384)]
    return frame(HEADERS, END_STREAM, stream, pieces[0]) + b"".join(
        frame(CONTINUATION, END_HEADERS if piece is pieces[-1] else 0, stream, piece)
        for piece in pieces[1:]
    )


def response(stream, status, body=None):
    """Returns the frames of a complete answer, or of its head alone."""
    head = headers(stream, (":status", str(status)), end=body == b"")
    return head + (frame(DATA, END_STREAM, stream, body) if body else b"")


def request(
    stream, method="GET", path="/", authority="a.localhost", scheme="http", extra=(), end=True
):
    return headers(
        stream,
        (":method", method),
        (":scheme", scheme),
        (":authority", authority),
        (":path", path),
        *extra,
        end=end,
    )


class RawPeer:
    """Is one end of a link. A thread reads frames and records what they say; send() writes any
    bytes."""

    def __init__(self, connection, first, polite=True):
        """@first is sent before anything is read. With @polite the peer answers SETTINGS and PING
        and keeps the window of stream 0 open."""
        self.connection, self.polite = connection, polite
        self.ended = threading.Event()
        self.goaways = []  # (code, debug data)
        self.resets = {}  # stream → code
        self.requests = queue.Queue()  # streams whose HEADERS arrived
        self.heads = {}  # stream → fields of the last section
        self.sections = {}  # stream → fields of each section
        self.section_sizes = {}  # stream → encoded length of that section
        self.bodies = {}  # stream → data
        self.over = set()  # streams that ended with END_STREAM
        self.settings = {}
        self.counts = [0] * 256  # frames by type
        self.pings = []  # payloads of PINGs that were not answered
        self.lock = threading.Lock()
        self.decoder = hpack.Decoder()
        self.send(first)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def send(self, data):
        """Sends @data. Returns False if the other side has closed."""
        try:
            with self.lock:
                self.connection.send(data)
            return True
        except OSError:
            return False

    def _read(self):
        pending = self.connection.pending
        self.connection.pending = b""
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                while len(pending) < 9 or len(pending) < 9 + int.from_bytes(pending[:3], "big"):
                    pending += self.connection.some_beside(self.lock)
                length = int.from_bytes(pending[:3], "big")
                stream = int.from_bytes(pending[5:9], "big") & 0x7FFFFFFF
                taken, rest = pending[: 9 + length], pending[9 + length :]
                self._take(taken[3], taken[4], stream, taken[9:])
                pending = rest
        self.ended.set()

    def _take(self, kind, flags, stream, payload):
        self.counts[kind] += 1
        if kind == GOAWAY:
            self.goaways.append((int.from_bytes(payload[4:8], "big"), payload[8:]))
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            self.settings.update(struct.iter_unpack(">HI", payload))
            if self.polite:
                self.send(settings(flags=ACK))
        elif kind == PING and not flags & ACK and self.polite:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == PING and not flags & ACK:
            self.pings.append(payload)
        elif kind == HEADERS:
            self.heads[stream] = self.decoder.decode(payload, raw=True)
            self.sections.setdefault(stream, []).append(self.heads[stream])
            self.section_sizes[stream] = len(payload)
            self.requests.put(stream)
        elif kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
            if self.polite and payload:
                self.send(window_update(0, len(payload)))
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            self.over.add(stream)

    def next_request(self, deadline_s=10.0):
        return self.requests.get(timeout=deadline_s)

    def wait_reset(self, stream, deadline_s=10.0):
        """Waits for a reset of @stream. Returns its code, or None when the link ended instead."""
        wait_until(
            lambda: stream in self.resets or self.ended.is_set(),
            deadline_s,
            f"RST_STREAM of stream {stream}",
        )
        return self.resets.get(stream)

    def wait_answer(self, stream, deadline_s=10.0):
        """Waits for the whole answer on @stream. Returns its status and body."""
        wait_until(
            lambda: stream in self.over or stream in self.resets or self.ended.is_set(),
            deadline_s,
            f"stream {stream}",
        )
        assert (
            stream in self.over
        ), f"stream {stream} was not answered: {self.resets}, {self.goaways}"
        return int(dict(self.heads[stream])[b":status"]), self.bodies.get(stream, b"")

    def settle(self, deadline_s=10.0):
        """Waits until the other side has handled all frames sent so far: the answer to a PING comes
        after them. Returns False if it has closed instead."""
        before = self.counts[PING]
        if not self.send(frame(PING, 0, 0, b"settled?")):
            return False
        wait_until(
            lambda: self.counts[PING] > before or self.ended.is_set(),
            deadline_s,
            "the answer to a PING",
        )
        return not self.ended.is_set()

    def close(self):
        wake(self.connection.socket)
        self.thread.join(5)  # or it would read from the next one that gets the descriptor
        self.connection.socket.close()


SWITCHING = (
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n\r\n"
)


class RawServer:
    """Plays a server that oneport can register with and attach to. @serve(peer) runs in a thread
    for each link.

    It stands in for a Server where a Client is started."""

    hold_ms = 4000

    def __init__(self, certificate, serve, name="hostile-name"):
        self.certificate, self.serve, self.name = certificate, serve, name
        self.context = certificate.server_context()
        self.peers = []
        self.errors = []
        self.calls = []  # for each connection, the first lines of its requests
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def _accept(self):
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(accepted,), daemon=True).start()

    def _talk(self, accepted):
        try:
            accepted.settimeout(60)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Octets(self.context.wrap_socket(accepted, server_side=True))
        except OSError:
            accepted.close()
            return
        try:
            lines = []
            self.calls.append(lines)
            while not lines or not lines[-1].startswith("GET /tunnel/"):
                lines.append(connection.head()[0])
                self.answer(connection, lines)
            self._run(connection)
        except (EOFError, OSError):
            connection.socket.close()

    def answer(self, connection, lines):
        """Answers the last request of @lines, those of a connection. An EOFError closes it."""
        attaches = lines[-1].startswith("GET /tunnel/")
        connection.send(SWITCHING if attaches else self.registered())

    def registered(self):
        body = (
            f'{{"id":"{self.name}","url":"https://{self.name}.localhost:{self.port}",'
            f'"port":{self.port},"max_conn_count":10,"ticket":"e30.e30",'
            f'"attach":"{self.url}/tunnel/{self.name}","expires":"2099-01-01T00:00:00Z",'
            f'"limits":{{"streams":20000,"links":4,"hold_ms":{self.hold_ms}}}}}'
        )
        return (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:"
            f" {len(body)}\r\n\r\n{body}"
        )

    def _run(self, connection):
        peer = RawPeer(
            connection,
            PREFACE + settings({2: 0, SETTING_INITIAL_WINDOW: 1 << 20}) + window_update(0, 1 << 24),
        )
        self.peers.append(peer)
        try:
            self.serve(peer)
        except Exception as error:  # the test reports it
            self.errors.append(error)

    def close(self):
        shut(self.listener)
        for peer in self.peers:
            peer.close()

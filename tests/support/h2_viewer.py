# SPDX-License-Identifier: MIT
"""Plays a viewer that speaks HTTP/2 over oneportd's TLS, frame by frame."""

import socket
import ssl

from .frames import (
    DATA,
    END_STREAM,
    PREFACE,
    SETTING_INITIAL_WINDOW,
    RawPeer,
    frame,
    headers,
    settings,
    window_update,
)
from .octets import Octets
from .programs import SLOW
from .viewer import Response
from .wait import wait_until

WINDOW = 1 << 30
ANSWER_S = 20.0


def connect(port, name, protocols=("h2",), address="127.0.0.1", raw=None):
    """Returns a TLS connection to @port that asks for @name by SNI and offers @protocols. @raw is a
    connection to the server, or None."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    raw = raw or socket.create_connection((address, port), timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(raw, server_hostname=name)


class H2Viewer(RawPeer):
    """Is one HTTP/2 connection to oneportd. Requests get the stream ids 1, 3, 5 and so on."""

    def __init__(
        self,
        port,
        authority,
        sni=None,
        window=WINDOW,
        polite=True,
        more=(),
        connection=WINDOW,
        raw=None,
    ):
        """@authority is that of requests; @sni the name asked for by TLS, by default the same one.
        @more are further settings. @connection is added to the window of the connection. @raw is a
        connection to the server, or None."""
        self.authority, self.next_stream = authority, 1
        self.trailers = {}
        name = sni or authority.split(":")[0]
        octets = Octets(connect(port, name, raw=raw))
        assert octets.socket.selected_alpn_protocol() == "h2"
        first = PREFACE + settings({2: 0, SETTING_INITIAL_WINDOW: window, **dict(more)})
        if connection:
            first += window_update(0, connection)
        super().__init__(octets, first, polite)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, path="/", *fields, method="GET", end=True, authority=None, scheme="https"):
        """Sends the head of a request with the @fields, pairs of name and value. Returns the number
        of its stream. @end: it has no body."""
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        pseudo = [(":method", method), (":scheme", scheme)]
        pseudo += [(":authority", authority or self.authority), (":path", path)]
        self.send(headers(stream, *pseudo, *fields, end=end))
        return stream

    def body(self, stream, data=b"", end=False):
        """Sends body that fits into the windows, in frames of at most 16 KiB."""
        pieces = [data[at : at + 16384] for at in range(0, len(data), 16384)] or [b""]
        for piece in pieces:
            last = end and piece is pieces[-1]
            self.send(frame(DATA, END_STREAM if last else 0, stream, piece))

    def answer(self, stream, deadline_s=ANSWER_S):
        """Waits for the whole answer on @stream and returns it as a Response."""
        wait_until(
            lambda: stream in self.over or stream in self.resets or self.ended.is_set(),
            deadline_s * SLOW,
            f"stream {stream}",
        )
        assert stream in self.over, (stream, self.resets, self.goaways)
        return self.so_far(stream)

    def head(self, stream, deadline_s=ANSWER_S):
        """Waits for the final head of the answer. Returns what has come of the answer by then."""
        wait_until(
            lambda: self.so_far(stream) or self.ended.is_set(), deadline_s * SLOW, "a final head"
        )
        return self.so_far(stream)

    def so_far(self, stream):
        """Returns what has come of the answer, or None if no final head has come yet."""
        interim = []
        sections = [
            [(name.decode("latin-1"), value.decode("latin-1")) for name, value in section]
            for section in self.sections.get(stream, [])
        ]
        for at, section in enumerate(sections):
            got = Response(int(dict(section)[":status"]), "", section[1:])
            if got.status >= 200:
                got.interim, got.body = interim, self.bodies.get(stream, b"")
                got.trailers = sections[at + 1] if len(sections) > at + 1 else []
                return got
            interim.append(got)
        return None

    def get(self, path="/", *fields, method="GET", body=b"", **how):
        """Does a whole exchange."""
        stream = self.ask(path, *fields, method=method, end=not body, **how)
        if body:
            self.body(stream, body, end=True)
        return self.answer(stream)


def viewing(client, **how):
    """Returns a viewer of @client's tunnel."""
    return H2Viewer(client.server.port, client.host, **how)

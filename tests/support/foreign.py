# SPDX-License-Identifier: MIT
"""Plays a tunnel client without our code: it registers and attaches by hand over raw TLS, and
speaks HTTP/2 by python3-h2. A function answers its requests."""

import queue
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.settings import SettingCodes, Settings

from .origins import wake
from .viewer import Viewer, head

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
EMPTY_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def call(server, path="/register", *fields, method="GET", host=None, secure=True):
    """Sends one request to the base domain, over TLS unless told otherwise. Returns the
    response."""
    tls = server.certificate.client_context() if secure else None
    with Viewer(server.port, tls) as viewer:
        return viewer.get(
            host or f"localhost:{server.port}", path, "Connection: close", *fields, method=method
        )


def proxied(scheme):
    """Returns the fields that a trusted proxy adds to a request."""
    return ["X-Forwarded-For: 198.51.100.7", f"X-Forwarded-Proto: {scheme}"]


def register(server, name=None, *fields):
    """Registers a name, or any if there is none. Returns the answer's JSON."""
    got = call(server, f"/register/{name}" if name else "/register", *fields)
    assert got.status == 200, got
    return got.json()


ATTACH = ["Connection: upgrade", "Upgrade: ptth", "ALPN: h2"]


def attach(server, name, ticket, *fields, base=ATTACH, behind=b"", secure=True, viewer=None):
    """Sends the attach request, on the connection @viewer if there is one. Returns (connection,
    response). @behind is sent right after the head."""
    viewer = viewer or Viewer(
        server.port, server.certificate.client_context(["http/1.1"]) if secure else None
    )
    bearer = [f"Authorization: Bearer {ticket}"] if ticket else []
    viewer.send(
        head("GET", f"/tunnel/{name}", f"localhost:{server.port}", *base, *bearer, *fields) + behind
    )
    return viewer, viewer.response()


def refusal(server, name, ticket, *fields, **keywords):
    """Sends an attach request that must fail. Returns the response."""
    viewer, got = attach(server, name, ticket, *fields, **keywords)
    viewer.close()
    assert got.status != 101, got
    return got


def hello(stream):
    """Answers a request with a line of text."""
    stream.answer(200, b"hello from a stranger")


class ForeignLink:
    """Serves an attached link in a thread of its own, which calls @serve(stream) for each request
    head."""

    def __init__(
        self,
        server,
        name,
        ticket,
        *fields,
        serve=hello,
        settings=None,
        start=True,
        viewer=None,
    ):
        """@viewer is an open connection for the link, or None."""
        self.connection, got = attach(server, name, ticket, *fields, viewer=viewer)
        assert got.status == 101, got
        self.serve = serve
        self.settings = {SettingCodes.ENABLE_CONNECT_PROTOCOL: 1, **(settings or {})}
        self.requests = []  # heads as dictionaries
        self.heads = []  # the same heads as lists of pairs, in order
        self.ended_with_head = []  # for each request, whether its head ended the stream
        self.ended_with_data = []  # numbers of the streams whose body is complete
        self.resets = queue.Queue()  # codes of RST_STREAM
        self.ended = threading.Event()
        self.goaways = queue.Queue()  # debug data of each
        self.goaway_codes = []
        self.lock = threading.RLock()
        self.streams = {}
        self.thread = threading.Thread(target=self._run, daemon=True)
        if start:
            self.start()

    def start(self):
        """Starts HTTP/2. The server counts the link as up from then on."""
        config = h2.config.H2Configuration(
            client_side=False, header_encoding="utf-8", validate_outbound_headers=False
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings = Settings(client=False, initial_values=self.settings)
        self.h2.initiate_connection()
        self.flush()
        self.thread.start()

    def flush(self):
        with self.lock:
            if data := self.h2.data_to_send():
                self.connection.send(data)

    def _run(self):
        try:
            while True:
                data = self.connection.some_beside(self.lock)
                with self.lock:
                    for event in self.h2.receive_data(data):
                        self._on(event)
                    self.flush()
        except (EOFError, OSError, ValueError, h2.exceptions.ProtocolError):
            pass  # the end, or an error of the library on frames after a GOAWAY
        finally:
            self.ended.set()

    def _on(self, event):
        if isinstance(event, h2.events.RequestReceived):
            stream = Stream(self, event.stream_id, event.headers)
            self.streams[event.stream_id] = stream
            self.requests.append(dict(event.headers))
            self.heads.append(list(event.headers))
            self.ended_with_head.append(event.stream_ended is not None)
            self.serve(stream)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.streams[event.stream_id].on_data(event.data)
            if event.stream_ended is not None:
                self.ended_with_data.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets.put(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.put(event.additional_data)
            self.goaway_codes.append(event.error_code)

    def close(self):
        wake(self.connection.socket)
        if self.thread.ident:  # or it would read from the next one that gets the descriptor
            self.thread.join(5)
        self.connection.socket.close()


class Stream:
    def __init__(self, link, number, fields):
        self.link, self.number, self.fields = link, number, fields
        self.on_data = lambda data: None

    def answer(self, status, body=b"", *fields, end=True):
        with self.link.lock:
            self.link.h2.send_headers(self.number, [(":status", str(status)), *fields])
            self.link.h2.send_data(self.number, body, end_stream=end)
            self.link.flush()

    def reset(self, code):
        with self.link.lock:
            self.link.h2.reset_stream(self.number, code)
            self.link.flush()


def lost(server, name, *fields):
    """Registers a name, attaches a ForeignLink to it and closes that again. Returns the ticket once
    the server has noticed. The client of the name counts as away from then on."""
    ticket = register(server, name, *fields)["ticket"]
    ForeignLink(server, name, ticket).close()
    server.wait_log(f"link_lost name={name} ")
    return ticket


def linked(server, name, *fields, **keywords):
    """Registers a name and attaches a ForeignLink to it. Returns the link once the server has
    it."""
    link = ForeignLink(server, name, register(server, name)["ticket"], *fields, **keywords)
    server.wait_link(name, 1)
    return link

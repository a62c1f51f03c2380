# SPDX-License-Identifier: MIT
"""Serves HTTP/2 as a test says, by python3-h2: an origin of h2c:// or, with TLS, https+h2://."""

import contextlib
import queue
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from .origins import ScriptedOrigin, wake
from .wait import wait_until

MAX_STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
CONNECT = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


class Stream:
    """Is one request. Its body is taken as it comes."""

    def __init__(self, peer, number, fields):
        self.peer, self.number, self.fields = peer, number, fields
        self.body, self.trailers = b"", None
        self.ended, self.was_reset = False, None

    def get(self, name):
        return dict(self.fields).get(name)

    def head(self, status=200, *fields, end=False):
        with self.peer.lock:
            given = [(":status", str(status)), *fields]
            self.peer.h2.send_headers(self.number, given, end_stream=end)
            self.peer.flush()

    def data(self, data, end=False):
        with self.peer.lock:
            self.peer.h2.send_data(self.number, data, end_stream=end)
            self.peer.flush()

    def end_with(self, *trailers):
        with self.peer.lock:
            self.peer.h2.send_headers(self.number, list(trailers), end_stream=True)
            self.peer.flush()

    def answer(self, body=b"ok", status=200):
        self.head(status)
        self.data(body, end=True)

    def reset(self, code):
        with self.peer.lock:
            self.peer.h2.reset_stream(self.number, code)
            self.peer.flush()

    def wait_end(self, deadline_s=10.0):
        wait_until(lambda: self.ended or self.was_reset is not None, deadline_s, "the request")
        return self


class Peer:
    """Is one connection of an H2Origin."""

    def __init__(self, origin, connection):
        self.origin, self.connection = origin, connection
        self.lock = threading.RLock()
        self.streams = {}
        self.pings = 0
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_inbound_headers=False,
                normalize_inbound_headers=False,
                validate_outbound_headers=False,
            )
        )
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values=origin.settings)
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        if data := self.h2.data_to_send():
            self.connection.send(data)

    def run(self):
        with contextlib.suppress(h2.exceptions.ProtocolError):
            while True:
                data = self.connection.some_beside(self.lock)
                with self.lock:
                    for event in self.h2.receive_data(data):
                        self._on(event)
                    self.flush()

    def _on(self, event):
        number = getattr(event, "stream_id", None)
        stream = self.streams.get(number)
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[number] = Stream(self, number, event.headers)
            self.origin.requests.put(stream)
            if self.origin.on_request:
                self.origin.on_request(stream)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.origin.reads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, number)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = event.headers
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
            if self.origin.on_end:
                self.origin.on_end(stream)
        elif isinstance(event, h2.events.StreamReset):
            stream.was_reset = event.error_code
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1

    def cut(self):
        wake(self.connection.socket)

    def goaway(self, last, code=0):
        with self.lock:
            self.h2.close_connection(code, last_stream_id=last)
            self.flush()


class H2Origin:
    """Listens on .port. @on_request(stream) and @on_end(stream) run in the connection's thread when
    a head has come, and when a request is complete. .requests has all of them, in their order."""

    def __init__(self, on_end=None, on_request=None, settings=(), tls=None, alpn=("h2",)):
        self.on_end, self.on_request = on_end, on_request
        self.settings = {h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000, **dict(settings)}
        self.requests = queue.Queue()
        self.peers = []
        self.reads = True  # bodies get credit
        context = tls.server_context() if tls else None
        if context and alpn:
            context.set_alpn_protocols(list(alpn))
        self.scheme = "https+h2" if tls else "h2c"
        self.origin = ScriptedOrigin(self._serve, tls=context)
        self.port = self.origin.port
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    def _serve(self, connection):
        peer = Peer(self, connection)
        self.peers.append(peer)
        peer.run()

    def next(self, deadline_s=10.0):
        return self.requests.get(timeout=deadline_s)

    def close(self):
        self.origin.close()

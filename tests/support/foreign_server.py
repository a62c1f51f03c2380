# SPDX-License-Identifier: MIT
"""Plays a server without our code: it grants a name, takes the link, and sends requests by
python3-h2, malformed ones included."""

import contextlib
import json
import threading

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from .origins import ScriptedOrigin, reply
from .wait import wait_until

NAME = "foreign"
PSEUDO = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", f"{NAME}.localhost"),
    (":path", "/"),
]


class ForeignServer:
    """Stands in for a Server where a Client is started. It has one link; ask() sends requests on
    it."""

    def __init__(self, certificate, url=None):
        """@url is the public URL that clients are told."""
        self.certificate = certificate
        self.told = url
        self.lock = threading.RLock()
        self.streams = {}
        self.connection = None
        self.origin = ScriptedOrigin(self._serve, tls=certificate.server_context())
        self.port = self.origin.port
        self.url = f"https://localhost:{self.port}"

    def _serve(self, connection):
        line, _ = connection.request()
        if "/register" in line:
            grant = {
                "id": NAME,
                "url": self.told or f"https://{NAME}.localhost:{self.port}",
                "port": self.port,
                "max_conn_count": 10,
                "ticket": "a.b",
                "attach": f"{self.url}/tunnel/{NAME}",
            }
            connection.send(
                reply(
                    json.dumps(grant).encode(),
                    "Content-Type: application/json",
                    "Connection: close",
                )
            )
            return
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN:"
            " h2\r\n\r\n"
        )
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.connection = connection
        self.h2.initiate_connection()
        self.flush()
        with contextlib.suppress(h2.exceptions.ProtocolError):
            while True:
                data = connection.some_beside(self.lock)
                with self.lock:
                    for event in self.h2.receive_data(data):
                        self._on(event)
                    self.flush()

    def _on(self, event):
        answer = self.streams.get(getattr(event, "stream_id", None))
        if answer is None:
            return
        if isinstance(event, h2.events.InformationalResponseReceived):
            answer.interim.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            answer.fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            answer.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            answer.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            answer.ended = True
        elif isinstance(event, h2.events.StreamReset):
            answer.reset = event.error_code

    def flush(self):
        if data := self.h2.data_to_send():
            self.connection.send(data)

    def ask(self, *fields, end=True, **pseudo):
        """Sends a request of @fields after the usual pseudo-fields. @pseudo replaces some of these
        (method, scheme, authority, path). Returns the Answer."""
        wait_until(lambda: self.connection, what="the link")
        head = [(name, pseudo.get(name[1:], value)) for name, value in PSEUDO]
        with self.lock:
            number = self.h2.get_next_available_stream_id()
            answer = self.streams[number] = Answer(self, number)
            self.h2.send_headers(
                number,
                [(name, value) for name, value in head if value is not None] + list(fields),
                end_stream=end,
            )
            self.flush()
        return answer

    def close(self):
        self.origin.close()


class Answer:
    """Collects the answer on one stream."""

    def __init__(self, server, number):
        self.server, self.number = server, number
        self.fields, self.body, self.trailers, self.interim = None, b"", None, []
        self.ended, self.reset = False, None

    def send(self, data, end=False):
        """Sends body that fits into the windows."""
        pieces = [data[at : at + 16384] for at in range(0, len(data), 16384)] or [b""]
        with self.server.lock:
            for piece in pieces:
                last = end and piece is pieces[-1]
                self.server.h2.send_data(self.number, piece, end_stream=last)
            self.server.flush()

    def send_trailers(self, *fields):
        with self.server.lock:
            self.server.h2.send_headers(self.number, list(fields), end_stream=True)
            self.server.flush()

    @property
    def window(self):
        """Is how many bytes of body may be sent."""
        with self.server.lock:
            return self.server.h2.local_flow_control_window(self.number)

    @property
    def status(self):
        return int(self.fields[":status"]) if self.fields else None

    def wait(self, deadline_s=10.0):
        """Waits until the stream has ended in the direction back to us."""
        wait_until(
            lambda: self.ended or self.reset is not None,
            deadline_s,
            f"the end of stream {self.number}",
        )
        return self

    def wait_reset(self, deadline_s=10.0):
        wait_until(lambda: self.reset is not None, deadline_s, f"a reset of stream {self.number}")
        return self.reset

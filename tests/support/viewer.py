# SPDX-License-Identifier: MIT
"""Plays a viewer at the level of bytes. A viewer sends exactly what it is told and reads responses
strictly."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from .octets import Octets, all_values, value_of


class Broken(AssertionError):
    """The response ended before it was complete. @response has the part that arrived."""

    def __init__(self, why, response):
        super().__init__(why)
        self.response = response


class Response:
    def __init__(self, status, reason, fields):
        self.status, self.reason, self.fields = status, reason, fields
        self.interim = []  # the 1xx Responses before it
        self.body = b""
        self.trailers = []

    def all(self, name):
        return all_values(self.fields, name)

    def get(self, name):
        return value_of(self.fields, name)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


class Viewer(Octets):
    """Is one connection to oneportd, or to anything that speaks HTTP/1.1."""

    def __init__(
        self,
        port,
        tls=None,
        server_hostname="localhost",
        receive_buffer=None,
        timeout_s=20.0,
        address="127.0.0.1",
    ):
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(timeout_s)
        raw.connect((address, port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(tls.wrap_socket(raw, server_hostname=server_hostname) if tls else raw)

    def get(self, host, path="/", *fields, method="GET", body=b""):
        """Does a whole exchange and returns the response. @fields are complete lines such as
        "Accept: text/html"."""
        length = [f"Content-Length: {len(body)}"] if body else []
        self.send(head(method, path, host, *fields, *length) + body)
        return self.response(method)

    def response(self, method="GET"):
        """Returns the next response with its body. Its .interim has the 1xx responses before it."""
        interim = []
        while True:
            response = self.response_head()
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                self._read_body(response, method)
                return response
            interim.append(response)

    def response_head(self):
        line, fields = self.head()
        version, status, reason = (line + " ").split(" ", 2)
        assert version == "HTTP/1.1" and len(status) == 3, line
        return Response(int(status), reason.strip(), fields)

    def _read_body(self, response, method):
        if method == "HEAD" or response.status in (101, 204, 304):
            return
        coding, length = response.get("Transfer-Encoding"), response.get("Content-Length")
        assert coding is None or length is None, response
        parts = []
        try:
            if coding is not None:
                assert coding.lower() == "chunked", response
                while data := self.chunk():
                    parts.append(data)
                response.trailers = self.trailers()
            elif length is not None:
                left = int(length)
                while left:
                    parts.append(self.some(left))
                    left -= len(parts[-1])
            else:
                parts.append(self.rest())
        except (EOFError, ConnectionError) as error:
            raise Broken(
                f"body cut after {sum(map(len, parts))} bytes: {error!r}", response
            ) from None
        finally:
            response.body = b"".join(parts)


def head(method, path, host, *fields):
    """Returns a request head as bytes."""
    return "".join(
        f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", f"Host: {host}", *fields, "")
    ).encode("latin-1")


def fetch(port, host, path="/", *fields, method="GET", body=b"", timeout_s=20.0, tls=None):
    """Does one exchange on a connection of its own and returns the response."""
    with Viewer(port, tls, timeout_s=timeout_s) as viewer:
        return viewer.get(host, path, "Connection: close", *fields, method=method, body=body)


def download(port, host, size):
    """Downloads @size bytes and drops them."""
    with Viewer(port, timeout_s=60) as viewer:
        viewer.send(head("GET", f"/bytes/{size}", host))
        left = int(viewer.response_head().get("Content-Length"))
        assert left == size
        while left:
            left -= len(viewer.some(left))


def download_rate(port, host, viewers, size):
    """Returns the bytes a second of @viewers downloads at the same time."""
    with ThreadPoolExecutor(viewers) as threads:
        start = time.monotonic()
        for one in [threads.submit(download, port, host, size) for _ in range(viewers)]:
            one.result()
        return viewers * size / (time.monotonic() - start)


def status_soon(port, host, wanted, path="/", deadline_s=10.0):
    """Asks again until the answer has status @wanted. Returns the last status."""
    end = time.monotonic() + deadline_s
    while True:
        got = fetch(port, host, path).status
        if got == wanted or time.monotonic() > end:
            return got
        time.sleep(0.02)


def links(server, name):
    """Returns how many links the tunnel has according to the server; 0 when it does not know the
    name."""
    got = fetch(server.port, "localhost", f"/api/tunnels/{name}/status")
    return got.json()["connected_sockets"] if got.status == 200 else 0

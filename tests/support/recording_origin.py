# SPDX-License-Identifier: MIT
"""Records all requests of an origin and accepts only what every parser reads alike. A request that
two parsers could split differently is a fault, and so are bytes after a request that are not the
next one."""

import re
import threading
from dataclasses import dataclass, field

from .octets import value_of
from .origins import reply

LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([/*][\x21-\x7e]*) HTTP/1\.1")
FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):"
    rb" ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)"
)
SIZE = re.compile(rb"[0-9a-fA-F]{1,15}\r\n")
NOT_IN_TRAILERS = {
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "trailer",
    "te",
    "upgrade",
    "authorization",
    "cookie",
}
ANSWER = b"answer to "


class Ambiguous(Exception):
    """The bytes are not one unambiguous request."""


@dataclass
class Request:
    connection: int
    method: str
    target: str
    fields: list
    body: bytes = b""
    trailers: list = field(default_factory=list)

    def get(self, name):
        return value_of(self.fields, name)


def need(condition, what):
    if not condition:
        raise Ambiguous(what)


def parsed(lines):
    fields = []
    for raw in lines:
        match = FIELD.fullmatch(raw)
        need(match, f"field {raw!r}")
        fields.append((match[1].decode("latin-1"), match[2].decode("latin-1")))
    return fields


def all_of(fields, name):
    return [value for key, value in fields if key.lower() == name]


class RecordingOrigin:
    """Is a script for ScriptedOrigin. It answers each request with that request's target, so that
    an answer cannot be taken for another one."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = 0
        self.whole = {}  # target → requests that were complete
        self.begun = set()  # targets of requests whose head was complete
        self.faults = []

    def __call__(self, connection):
        with self.lock:
            self.count += 1
            number = self.count
        try:
            while True:
                self._exchange(connection, number)
        except Ambiguous as what:
            self.faults.append(str(what))

    def _exchange(self, connection, number):
        try:
            raw = connection.until(b"\r\n\r\n")
        except EOFError:
            need(not connection.pending, f"half a head: {connection.pending!r}")
            raise
        first, *lines = raw[:-4].split(b"\r\n")
        match = LINE.fullmatch(first)
        need(match, f"request line {first!r}")
        request = Request(number, match[1].decode(), match[2].decode(), parsed(lines))
        self.begun.add(request.target)
        self._body(connection, request)
        with self.lock:
            self.whole.setdefault(request.target, []).append(request)
        body = ANSWER + request.target.encode()
        connection.send(
            reply(b"", f"X-Length: {len(body)}") if request.method == "HEAD" else reply(body)
        )

    def _body(self, connection, request):
        lengths, codings = all_of(request.fields, "content-length"), all_of(
            request.fields, "transfer-encoding"
        )
        need(len(all_of(request.fields, "host")) == 1, f"hosts of {request}")
        need(len(lengths) + len(codings) <= 1, f"framing of {request}")
        if all_of(request.fields, "expect"):
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if lengths:
            need(re.fullmatch(r"0|[1-9][0-9]*", lengths[0]), f"length of {request}")
            request.body = connection.exactly(int(lengths[0]))
        elif codings:
            need(codings == ["chunked"], f"coding of {request}")
            request.body, request.trailers = self._chunks(connection)

    @staticmethod
    def _chunks(connection):
        parts = []
        while True:
            line = connection.until(b"\r\n")
            need(SIZE.fullmatch(line), f"chunk size {line!r}")
            size = int(line, 16)
            if not size:
                break
            parts.append(connection.exactly(size))
            need(connection.exactly(2) == b"\r\n", "no end of a chunk")
        lines = []
        while (line := connection.until(b"\r\n")) != b"\r\n":
            lines.append(line[:-2])
        trailers = parsed(lines)
        need(not {name.lower() for name, _ in trailers} & NOT_IN_TRAILERS, f"trailers {trailers}")
        return b"".join(parts), trailers

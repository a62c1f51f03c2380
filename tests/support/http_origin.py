# SPDX-License-Identifier: MIT
"""Serves HTTP/1.1 as an origin whose answer is chosen by the path.

Runs as a program of its own: python3 -m support.http_origin [--port N]

    /bytes/N            N bytes of the pattern with Content-Length; chunked with ?chunked=1; ended
                        by closing with ?close=1
    /upload             JSON about the request body: length, sha256, framing, trailers
    /echo…              JSON of the request: line, fields, body, trailers, connection, and its
                        number on that connection
    /status/N           status N with the body "status N"; 204 and 304 have no body; 304 has an ETag
                        and a Content-Length
    /delay?s=S          answers after S seconds
    /sse?n=N&gap=S      N events, S seconds apart
    /trailers           chunked, with the trailers X-Sum and Set-Cookie; oneport must drop the
                        latter
    /early103           a 103 with a Link, then a 200
    /cookies            three Set-Cookie lines
    /repeated           two fields that occur twice
    /redirect           a 302 to /elsewhere
    /hang               never answers

Each answer has X-Connection, the number of the origin connection on which it came.
"""

import argparse
import asyncio
import hashlib
import json
import socket
import urllib.parse

from . import pattern

LIMIT = 1 << 18
# With larger buffers, a thousand stalled connections would use up the kernel's memory for TCP and
# slow all others.
SEND_BUFFER = 1 << 18


class Request:
    def __init__(self, line, fields):
        self.line, self.fields = line, fields
        self.method, self.target, self.version = line.split(" ")
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.trailers = []
        self.length = 0
        self.sha256 = hashlib.sha256()
        self.kept = b""

    def get(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    @property
    def framing(self):
        if self.get("transfer-encoding"):
            return "chunked"
        return "length" if self.get("content-length") is not None else "none"

    def take(self, data):
        self.length += len(data)
        self.sha256.update(data)
        if len(self.kept) < 65536:
            self.kept += data


class Connection:
    count = 0

    def __init__(self, reader, writer):
        Connection.count += 1
        self.id, self.number = Connection.count, 0
        self.reader, self.writer = reader, writer

    async def serve(self):
        try:
            while await self.exchange():
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has closed
        finally:
            self.writer.close()

    async def exchange(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        fields = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:])
        ]
        request = Request(head[0], fields)
        self.number += 1
        if (request.get("expect") or "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self.read_body(request)
        name = request.path.split("/")[1]
        route = ROUTES.get(name) or (ROUTES["echo"] if name.startswith("echo") else missing)
        closed = await route(self, request)
        return not closed and (request.get("connection") or "").lower() != "close"

    async def read_body(self, request):
        if request.framing == "length":
            left = int(request.get("content-length"))
            while left:
                data = await self.reader.read(min(left, LIMIT))
                if not data:
                    raise asyncio.IncompleteReadError(b"", left)
                request.take(data)
                left -= len(data)
        elif request.framing == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                request.take((await self.reader.readexactly(size + 2))[:-2])
            while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = line.decode("latin-1").partition(":")
                request.trailers.append((name, value.strip()))

    def head(self, status, *fields):
        lines = [f"HTTP/1.1 {status} Whatever", f"X-Connection: {self.id}", *fields, "", ""]
        self.writer.write("\r\n".join(lines).encode("latin-1"))

    async def answer(self, request, body, *fields, status=200):
        self.head(status, f"Content-Length: {len(body)}", *fields)
        if request.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()

    async def answer_json(self, request, value):
        await self.answer(request, json.dumps(value).encode(), "Content-Type: application/json")


async def send_bytes(connection, request):
    size = int(request.path.split("/")[2])
    chunked, close = "chunked" in request.query, "close" in request.query
    framing = (
        "Transfer-Encoding: chunked"
        if chunked
        else "Connection: close"
        if close
        else f"Content-Length: {size}"
    )
    connection.head(200, framing, "Content-Type: application/octet-stream")
    if request.method == "HEAD":
        return close
    for piece in pattern.pieces(size):
        connection.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        await connection.writer.drain()
    if chunked:
        connection.writer.write(b"0\r\n\r\n")
    return close


async def upload(connection, request):
    await connection.answer_json(
        request,
        {
            "length": request.length,
            "sha256": request.sha256.hexdigest(),
            "framing": request.framing,
            "trailers": request.trailers,
        },
    )


async def echo(connection, request):
    await connection.answer_json(
        request,
        {
            "line": request.line,
            "method": request.method,
            "target": request.target,
            "fields": request.fields,
            "body": request.kept.decode("latin-1"),
            "trailers": request.trailers,
            "framing": request.framing,
            "connection": connection.id,
            "number": connection.number,
        },
    )


async def status(connection, request):
    code = int(request.path.split("/")[2])
    if code in (204, 304):
        connection.head(code, *(['ETag: "x"', "Content-Length: 1234"] if code == 304 else []))
    else:
        await connection.answer(request, f"status {code}".encode(), status=code)


async def delay(connection, request):
    await asyncio.sleep(float(request.query["s"]))
    await connection.answer(request, b"here at last")


async def events(connection, request):
    connection.head(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    for number in range(int(request.query["n"])):
        data = f"data: {number}\n\n".encode()
        connection.writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await connection.writer.drain()
        await asyncio.sleep(float(request.query["gap"]))
    connection.writer.write(b"0\r\n\r\n")


async def trailers(connection, request):
    connection.head(200, "Transfer-Encoding: chunked", "Trailer: X-Sum")
    connection.writer.write(b"5\r\nhello\r\n0\r\nX-Sum: 42\r\nSet-Cookie: stray=1\r\n\r\n")


async def early103(connection, request):
    connection.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    await connection.answer(request, b"after the hint")


async def cookies(connection, request):
    await connection.answer(
        request,
        b"ok",
        "Set-Cookie: a=1; Path=/",
        "Set-Cookie: b=2, 3; HttpOnly",
        "Set-Cookie: c=3; Domain=localhost; Path=/",
    )


async def repeated(connection, request):
    await connection.answer(
        request, b"ok", "X-Twice: one", "Vary: Accept", "X-Twice: two", "Vary: Origin"
    )


async def redirect(connection, request):
    await connection.answer(request, b"", "Location: /elsewhere", status=302)


async def hang(connection, request):
    await connection.reader.read(1)
    return True


async def missing(connection, request):
    await connection.answer(request, b"no such path here", status=404)


ROUTES = {
    "bytes": send_bytes,
    "upload": upload,
    "echo": echo,
    "status": status,
    "delay": delay,
    "sse": events,
    "trailers": trailers,
    "early103": early103,
    "cookies": cookies,
    "repeated": repeated,
    "redirect": redirect,
    "hang": hang,
}


async def main(port):
    async def accept(reader, writer):
        await Connection(reader, writer).serve()

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=LIMIT, backlog=2048)
    server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    asyncio.run(main(options.parse_args().port))

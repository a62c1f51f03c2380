# SPDX-License-Identifier: MIT
"""Runs origins: programs that answer by path, and origins that run a function of the test."""

import signal
import socket
import sys
import threading
import time

import websockets.utils

from .octets import Octets, value_of
from .programs import TOP, Program
from .wait import wait_until


class OriginProgram:
    """Runs an origin module of this package in a process of its own. After a restart it has the
    same port."""

    def __init__(self, module, directory):
        self.module, self.directory = module, directory
        self.port = 0
        self.start()

    def start(self):
        name = f"support.{self.module}"
        argv = [sys.executable, "-u", "-m", name, "--port", self.port]
        self.program = Program(argv, self.directory, self.module, env={"PYTHONPATH": TOP / "tests"})
        self.port = int(self.program.wait_output(r"\A(\d+)$", stream="stdout").group(1))

    def stop(self):
        if self.program.running:
            self.program.stop(code=-signal.SIGTERM)


class OriginConnection(Octets):
    """Is a connection from oneport, as a scripted origin sees it."""

    def request(self):
        """Reads a head and keeps it. Returns (line, fields)."""
        self.line, self.fields = self.head()
        return self.line, self.fields

    def get(self, name):
        return value_of(self.fields, name)

    def body(self):
        """Returns the body of the request that request() read."""
        if self.get("Transfer-Encoding"):
            parts = []
            while data := self.chunk():
                parts.append(data)
            self.trailer_fields = self.trailers()
            return b"".join(parts)
        return self.exactly(int(self.get("Content-Length") or 0))


class ScriptedOrigin:
    """Runs @serve(connection) in a thread for each connection and closes the connection when the
    function returns.

    close() raises the first exception of a script, so that the test fails. A connection that the
    other side cuts is no failure. @tls is a server context. With @path the origin listens on a unix
    socket."""

    def __init__(self, serve, tls=None, path=None, address="127.0.0.1"):
        self.serve, self.tls = serve, tls
        self.connections = []
        self.errors = []
        if path:
            self.listener = socket.create_server(str(path), family=socket.AF_UNIX)
        else:
            self.listener = socket.create_server((address, 0), backlog=512)
            self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return  # closed
            accepted.settimeout(60)
            connection = OriginConnection(accepted)
            with self.lock:
                self.connections.append(connection)
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _run(self, connection):
        try:
            if self.tls:
                connection.socket = self.tls.wrap_socket(connection.socket, server_side=True)
            self.serve(connection)
        except (EOFError, OSError):
            pass
        except Exception as error:  # close() reports it
            self.errors.append(error)
        finally:
            connection.close()

    def play(self, serve):
        """Changes the script for later connections. Closes those of the script before."""
        with self.lock:
            for connection in self.connections:
                wake(connection.socket)
            self.connections.clear()
            self.errors.clear()
            self.serve = serve

    def wait_connections(self, count, deadline_s=10.0):
        wait_until(
            lambda: len(self.connections) >= count, deadline_s, f"{count} origin connections"
        )

    def close(self):
        shut(self.listener)
        for connection in self.connections:
            wake(connection.socket)
        for thread in self.threads:
            thread.join(10)
        if self.errors:
            raise self.errors[0]


def wake(any_socket):
    """Shuts a socket down, so that a thread that is blocked in it returns. Does not close the
    socket: another one could get its descriptor at once, and the thread would wait for that one.
    A TLS socket stays one, or the thread would read records as if they were plain bytes."""
    try:
        plain = any_socket if isinstance(any_socket, socket.socket) else any_socket.socket
        socket.socket.shutdown(plain, socket.SHUT_RDWR)
    except OSError:
        pass


def shut(any_socket):
    wake(any_socket)
    any_socket.close()


def reply(body=b"ok", *fields, status=200):
    """Returns a complete response with Content-Length."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def answering(raw):
    """Returns a script that answers every request with @raw and then closes."""

    def serve(connection):
        connection.request()
        connection.body()
        connection.send(raw)

    return serve


def noting_end(ends, begun):
    """Returns a script that answers no request, or with @begun the start of an answer, and appends
    to @ends when the connection ended."""

    def serve(connection):
        connection.request()
        if begun:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        connection.ended()
        ends.append(time.monotonic())

    return serve


def halving(go):
    """Returns a script that sends half of the body "half", and the other half when @go is set."""

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
        go.wait(60)
        connection.send(b"lf")

    return serve


def accept_websocket(connection, *fields):
    """Does the origin's part of a WebSocket handshake by hand."""
    connection.request()
    answer_upgrade(connection, *fields)


def answer_upgrade(connection, *fields):
    """Sends the 101 to a request that was read."""
    value = websockets.utils.accept_key(connection.get("Sec-WebSocket-Key"))
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {value}",
    ]
    connection.send("\r\n".join([*lines, *fields, "", ""]))

# SPDX-License-Identifier: MIT
"""Gives programs that dial (nghttp, h2load, curl, h2spec) access to oneport's HTTP/2 side, and to
that of oneportd towards viewers.

For each connection to the door a oneport is started. It registers with and attaches to a minimal
server of the door's own. From then on the door copies all bytes between the connection and the
link."""

import queue
import select
import socket
import ssl
import threading

from . import h2_viewer
from .frames import ACK, PING, RawServer
from .origins import shut
from .programs import SLOW, Client

BLOCK = 1 << 16
FRAME_HEAD = 9
ATTACH_S = 20 * SLOW


class LinkServer(RawServer):
    """Hands over its links before the first byte of HTTP/2."""

    def __init__(self, certificate):
        self.links = queue.Queue()
        super().__init__(certificate, None, name="door-name")

    def _run(self, connection):
        self.links.put(connection.socket)


class Door:
    """Listens on .port for HTTP/2 without TLS, with prior knowledge, and calls _serve() with each
    connection on a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                driver, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(driver,), daemon=True).start()

    def close(self):
        shut(self.listener)


class H2Door(Door):
    """The oneports behind it share @origin.

    @filtered() makes, for each link, a function through which the link's bytes pass on their way to
    the program that dialled: a WithoutPings, or nothing."""

    def __init__(self, certificate, directory, origin, *options, filtered=None):
        self.certificate, self.directory, self.origin, self.options = (
            certificate,
            directory,
            origin,
            options,
        )
        self.filtered = filtered or (lambda: bytes)
        self.errors = []
        self.clients = []
        super().__init__()

    def _serve(self, driver):
        server = LinkServer(self.certificate)
        client = Client(
            server, self.origin, self.directory / str(driver.fileno()), *self.options, wait=False
        )
        self.clients.append(client)
        try:
            link = server.links.get(timeout=ATTACH_S)
            with driver, link:
                splice(driver, link, self.filtered())
            client.stop()
        except Exception as error:  # close() reports it
            self.errors.append(error)
        server.close()

    def close(self):
        """Stops all oneports. Fails if one did not end well."""
        super().close()
        for client in self.clients:
            client.stop()
        assert not self.errors, self.errors


class TlsDoor(Door):
    """Passes each connection on to the TLS port of @server, where it asks for @name. Bytes of the
    server pass through @filtered(), as those of a link in H2Door."""

    def __init__(self, server, name, filtered):
        self.server, self.name, self.filtered = server, name, filtered
        super().__init__()

    def _serve(self, driver):
        with driver, h2_viewer.connect(self.server.port, self.name) as connection:
            splice(driver, connection, self.filtered())


class WithoutPings:
    """Removes PINGs that ask for an answer (RFC 9113 6.7) from a link's bytes, for programs that
    take any PING for the answer to theirs. Nobody answers the removed ones, so oneport knows no
    round-trip time and waits for --ping-timeout or longer before it ends the link."""

    def __init__(self):
        self.pending = b""

    def __call__(self, data):
        self.pending += data
        out = b""
        while len(self.pending) >= FRAME_HEAD:
            length = FRAME_HEAD + int.from_bytes(self.pending[:3], "big")
            if len(self.pending) < length:
                break
            frame, self.pending = self.pending[:length], self.pending[length:]
            if frame[3] != PING or frame[4] & ACK:
                out += frame
        return out


def splice(driver, link, filtered=bytes, idle_s=60 * SLOW):
    """Copies both ways until one end closes. Runs in one thread, because a TLS connection cannot be
    used by two. @link is TLS."""
    driver.setblocking(False)
    link.setblocking(False)
    ends = {driver: link, link: driver}
    waiting = {driver: b"", link: b""}  # bytes to send to each end
    while True:
        readers = [end for end, other in ends.items() if len(waiting[other]) < 4 * BLOCK]
        writers = [end for end in ends if waiting[end]]
        pending = [link] if link in readers and link.pending() else []
        readable, writable, _ = select.select(readers, writers, [], 0 if pending else idle_s)
        if not readable and not writable and not pending:
            raise TimeoutError(f"nothing passed for {idle_s} s")
        for end in writable:
            waiting[end] = waiting[end][_send(end, waiting[end]) :]
        for end in {*readable, *pending}:
            data = _receive(end)
            if data == b"":
                _flush(ends[end], waiting[ends[end]])
                return
            if data:
                waiting[ends[end]] += filtered(data) if end is link else data


def _receive(end):
    """Returns the bytes that arrived, None when there are none yet, and b"" at the end."""
    try:
        return end.recv(BLOCK)
    except (BlockingIOError, ssl.SSLWantReadError):
        return None
    except (ConnectionError, ssl.SSLError):
        return b""


def _send(end, data):
    try:
        return end.send(data[: 4 * BLOCK])
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0
    except (ConnectionError, ssl.SSLError):
        return len(data)  # the end is closed; the next read finds that out


def _flush(end, data):
    end.settimeout(5)
    try:
        end.sendall(data)
    except (OSError, ssl.SSLError):
        pass

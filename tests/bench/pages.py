# SPDX-License-Identifier: MIT
"""Tests bodies of a page's size over real lines: TCP from end to end, each time on a fresh link, as
a user meets it who has just started a tunnel."""

import contextlib
import selectors
import socket
import statistics
import threading
import time

from .held import Failed
from .line import Line, need_line
from .measure import LONG_BODY
from .paths import Direct

SETTLE_S = 0.3  # the age of a link, and of the viewers' connections, when the first request comes
CALLS = 5  # small ones, of which the median counts
BUFFER = 1 << 20
DEADLINE_S = 120


class Answers:
    """Reads answers from viewers' connections until each has come whole."""

    def __init__(self, sockets):
        self.buffer = bytearray(BUFFER)
        self.left = {sock: None for sock in sockets}  # bytes of the body; None: no head yet
        self.heads = {sock: b"" for sock in sockets}

    def wait(self):
        with selectors.DefaultSelector() as selector:
            for sock in self.left:
                selector.register(sock, selectors.EVENT_READ)
            while selector.get_map():
                if not (ready := selector.select(DEADLINE_S)):
                    raise Failed(f"an answer did not come within {DEADLINE_S} s")
                for key, _ in ready:
                    if self._read(key.fileobj):
                        selector.unregister(key.fileobj)

    def _read(self, sock):
        """Reads once. Returns whether the answer is whole."""
        if not (count := sock.recv_into(self.buffer)):
            raise Failed(f"an answer broke off: {self.heads[sock][:200]}")
        if self.left[sock] is None:
            self.heads[sock] += self.buffer[:count]
            head, end, rest = self.heads[sock].partition(b"\r\n\r\n")
            if not end:
                return False
            self.left[sock] = length(head)
            count = len(rest)
        self.left[sock] -= count
        return self.left[sock] <= 0


def length(head):
    """Returns the length of the body of a good answer."""
    status, *fields = head.split(b"\r\n")
    for field in fields:
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length" and b" 200 " in status:
            return int(value)
    raise Failed(f"no good answer: {head[:200]}")


class Viewers:
    """Has connections to a path, opened before the first request and then idle."""

    def __init__(self, path, count):
        self.host = path.host
        self.stack = contextlib.ExitStack()
        with path.line.inside("server"):
            self.sockets = [
                self.stack.enter_context(
                    socket.create_connection((path.viewer_address, path.port), DEADLINE_S)
                )
                for _ in range(count)
            ]
        for sock in self.sockets:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        time.sleep(SETTLE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self, sock, target, body=None):
        method, size = ("GET", "") if body is None else ("POST", f"Content-Length: {len(body)}\r\n")
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: {self.host}\r\n{size}\r\n".encode())
        if body:
            sock.sendall(body)

    def take(self, target, count=1, body=None):
        """Returns the ms from the first byte of @count requests, one on each connection, to the
        last byte of the last answer."""
        used = self.sockets[:count]
        started = time.monotonic()
        for sock in used:
            self.send(sock, target, body)
        Answers(used).wait()
        return (time.monotonic() - started) * 1000


def megabyte_down(path):
    with Viewers(path, 1) as viewers:
        return {
            "1mb_down_first_ms": viewers.take("/bytes/1000000"),
            "1mb_down_again_ms": viewers.take("/bytes/1000000"),
        }


def five_down(path):
    with Viewers(path, 1) as viewers:
        return {"5mb_down_ms": viewers.take("/bytes/5000000")}


def megabyte_up(path):
    with Viewers(path, 1) as viewers:
        return {"1mb_up_first_ms": viewers.take("/sink", body=bytes(1000000))}


def small_down(path):
    with Viewers(path, 1) as viewers:
        return {"100kb_down_ms": viewers.take("/bytes/100000")}


def six_down(path):
    """Without a tunnel the same bytes come by one connection, as a link is one: six connections
    have six times the first flight."""
    if isinstance(path, Direct):
        with Viewers(path, 1) as viewers:
            return {"6x300kb_down_ms": viewers.take("/bytes/1800000")}
    with Viewers(path, 6) as viewers:
        return {"6x300kb_down_ms": viewers.take("/bytes/300000", 6)}


def call_beside(path):
    """Makes small calls alone, and then beside a download that has run for a while."""
    with Viewers(path, 2) as viewers:
        viewers.take("/bytes/200")  # warms up what dials when the first request comes
        alone = statistics.median(viewers.take("/bytes/200") for _ in range(CALLS))
        download = viewers.sockets.pop()
        viewers.send(download, LONG_BODY)
        reader = threading.Thread(target=_drain, args=(download,))
        reader.start()
        try:
            time.sleep(max(1, 0.008 * path.line.shape.rtt_ms))
            beside = statistics.median(viewers.take("/bytes/200") for _ in range(CALLS))
        finally:
            with contextlib.suppress(OSError):
                download.shutdown(socket.SHUT_RDWR)
            reader.join()
    return {"call_alone_ms": alone, "call_beside_ms": beside}


def _drain(sock):
    buffer = bytearray(BUFFER)
    with contextlib.suppress(OSError):
        while sock.recv_into(buffer):
            pass


ROWS = (megabyte_down, five_down, megabyte_up, small_down, six_down, call_beside)


def pages(bench, kind):
    """Measures each row over each line, every row on a link of its own."""
    need_line()
    figures = {}
    for shape in bench.lines:
        for row in ROWS:
            with Line(bench, shape, bench.round, bench.congestion) as line:
                with kind(bench, line.app_port, line) as path:
                    taken = row(path)
            figures.update({f"{shape}_{name}": value for name, value in taken.items()})
    return figures

# SPDX-License-Identifier: MIT
"""Plays the viewers of a plan. Each request has a nonce in its path; what comes back is kept as it
is, for the oracle to judge."""

import contextlib
import threading

from support.crowds import UPGRADE
from support.viewer import Broken, Viewer, head

BODY = 40_000  # bytes of an upload
BUSY_S = 0.1  # for which a late viewer does not read


class Tap:
    """Is a socket that keeps what it receives."""

    def __init__(self, wrapped):
        self.wrapped, self.raw = wrapped, b""

    def recv(self, size):
        data = self.wrapped.recv(size)
        self.raw += data
        return data

    def __getattr__(self, name):
        return getattr(self.wrapped, name)


class Seen:
    """Is what a viewer saw of one request. .end is complete, broken, hang, left or malformed."""

    def __init__(self, nonce, method="GET", body=b""):
        self.nonce, self.method, self.body_sent = nonce, method, body
        self.response, self.end, self.why = None, None, ""
        self.socket = False  # a WebSocket was opened; .response.body is what came on it

    def __repr__(self):
        return f"{self.method} {self.nonce}: {self.end} {self.why} {self.response!r}"


def upload(nonce):
    """Returns the body of the request with this nonce."""
    return (nonce.encode() * (BODY // len(nonce) + 1))[:BODY]


class Person:
    """Is one viewer of the name at .host. It begins when start() is called, and has .seen when its
    thread has ended."""

    def __init__(self, port, host, kind, nonce, patience_s):
        self.port, self.host, self.kind, self.nonce = port, host, kind, nonce
        self.patience_s = patience_s
        self.seen, self.raw, self.surplus = [], b"", b""
        self.done = threading.Event()  # everything that was asked for has ended
        self.over = threading.Event()  # the links have ended
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def nonces(self):
        return (
            [self.nonce, self.nonce + "-b"] if self.kind in ("twice", "pipelined") else [self.nonce]
        )

    def _run(self):
        small = 4096 if self.kind == "late" else None
        with contextlib.suppress(OSError), Viewer(
            self.port, receive_buffer=small, timeout_s=self.patience_s
        ) as viewer:
            viewer.socket = Tap(viewer.socket)
            try:
                getattr(self, self.kind)(viewer)
                self.done.set()
                self.after(viewer)
            finally:
                self.raw = viewer.socket.raw
        self.done.set()

    def ask(self, viewer, nonce, method="GET", *fields, body=b"", sent=None):
        self.seen.append(Seen(nonce, method, body))
        viewer.send(
            head(method, f"/{nonce}", self.host, *fields) + (body if sent is None else sent)
        )
        return self.seen[-1]

    def read(self, viewer, seen):
        """Reads one response. Returns whether the next one may follow."""
        try:
            seen.response = viewer.response(seen.method)
            seen.end = "complete"
        except Broken as error:
            seen.response, seen.end, seen.why = error.response, "broken", str(error)
        except TimeoutError:
            seen.end = "hang"
        except (EOFError, ConnectionError) as error:
            seen.end, seen.why = "broken", repr(error)
        except (AssertionError, ValueError, UnicodeError) as error:
            seen.end, seen.why = "malformed", repr(error)
        return seen.end == "complete" and seen.response.get("Connection") != "close"

    def after(self, viewer):
        """Waits until the links have ended, and keeps what came although nothing was asked for."""
        if self.seen[-1].end != "complete":
            return
        self.over.wait(self.patience_s)
        viewer.socket.settimeout(0.01)
        with contextlib.suppress(OSError):
            viewer.pending += viewer.socket.recv(65536)
        self.surplus = viewer.pending

    # ---- the kinds
    def get(self, viewer):
        self.read(viewer, self.ask(viewer, self.nonce))

    def head(self, viewer):
        self.read(viewer, self.ask(viewer, self.nonce, "HEAD"))

    def late(self, viewer):
        seen = self.ask(viewer, self.nonce)
        self.over.wait(BUSY_S)
        self.read(viewer, seen)

    def post(self, viewer):
        body = upload(self.nonce)
        self.upload(viewer, body, body, f"Content-Length: {BODY}")

    def chunked(self, viewer):
        body = upload(self.nonce)
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self.upload(viewer, body, sent, "Transfer-Encoding: chunked")

    def upload(self, viewer, body, sent, field):
        try:
            seen = self.ask(viewer, self.nonce, "POST", field, body=body, sent=sent)
        except TimeoutError:
            self.seen[-1].end = "hang"
        except OSError:  # the answer may have come before
            self.read(viewer, self.seen[-1])
        else:
            self.read(viewer, seen)

    def twice(self, viewer):
        first, second = self.nonces()
        if self.read(viewer, self.ask(viewer, first)):
            self.read(viewer, self.ask(viewer, second))

    def pipelined(self, viewer):
        asked = [self.ask(viewer, nonce) for nonce in self.nonces()]
        for number, seen in enumerate(asked):
            if not self.read(viewer, seen):
                del self.seen[number + 1 :]  # the connection has ended
                break

    def leaves(self, viewer):
        seen = self.ask(viewer, self.nonce)
        self.over.wait(BUSY_S)
        seen.end = "left"
        viewer.reset()

    def socket(self, viewer):
        seen = self.ask(viewer, self.nonce, "GET", *UPGRADE)
        if self.read(viewer, seen) and seen.response.status == 101:
            seen.socket, seen.end = True, "broken"
            with contextlib.suppress(EOFError, ConnectionError):
                try:
                    viewer.send(self.nonce)
                    while True:
                        seen.response.body += viewer.some()
                except TimeoutError:
                    seen.end = "hang"

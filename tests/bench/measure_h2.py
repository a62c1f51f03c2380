# SPDX-License-Identifier: MIT
"""Tests viewers who speak HTTP/2 over TLS: requests, new connections, and a page of many files over
a line between the viewer and the server."""

import contextlib
import json
import selectors
import socket
import ssl
import subprocess
import time

from support.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    SETTING_INITIAL_WINDOW,
    block,
    frame,
    settings,
    window_update,
)
from support.programs import clean_environment

from . import loads
from .held import TOOLS, Failed, Listener
from .line import ADDRESSES, LINK_PORT, Line, Shape, need_line
from .loads import milliseconds
from .meter import Used
from .paths import Loopback

CONNECTIONS, STREAMS = 16, 4  # 64 requests at a time, as `requests` has them
FILES, FILE_BYTES = 100, 5000
LINE = Shape(50, 50)
AT_ONCE = 4  # new connections
OF_A_BROWSER = 6  # connections of HTTP/1.1 to one host
SETTLE_S = 0.3
DEADLINE_S = 60
WINDOW = 1 << 24


def requests_h2(bench, kind):
    """Sends requests for bodies of 200 bytes, 64 at a time, as fast as they are answered."""
    with kind(bench, bench.origins.web_port) as path:
        load = {"connections": CONNECTIONS, "streams": STREAMS}
        loads.h2load(path, "/200", bench.sizes.warm_s, **load)
        with Used(path.pids()) as used:
            count, speed = loads.h2load(path, "/200", bench.sizes.load_s, **load)
        return {"requests_per_s": speed, "cpu_s_per_10k": used.cpu_s / count * 1e4}


def handshakes(bench, kind):
    """Opens TLS connections, four at a time, with full handshakes and with resumed ones."""
    figures = {}
    with kind(bench, bench.origins.web_port) as path:
        for name, options in (("full", ()), ("resumed", ("--resume",))):
            _shake_hands(path, bench.sizes.warm_s, options)
            with Used(path.pids("server")) as used:
                got = _shake_hands(path, bench.sizes.load_s, options)
            full = got["connections"] - got["resumed"]
            if full > AT_ONCE if options else got["resumed"]:
                raise Failed(f"{name}: {got}")
            figures[f"{name}_per_s"] = got["connections"] / got["seconds"]
            figures[f"{name}_cpu_ms"] = used.cpu_s / got["connections"] * 1e3
    return figures


def _shake_hands(path, seconds, options):
    argv = [TOOLS / "handshakes", "--port", path.tls_port, "--name", path.host.split(":")[0]]
    argv += ["--threads", AT_ONCE, "--time", milliseconds(seconds), *options]
    done = subprocess.run(
        [str(word) for word in argv],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        env=clean_environment(),
    )
    got = json.loads(done.stdout) if done.stdout else {"errors": done.stderr}
    if got["errors"] or not got["connections"]:
        raise Failed(f"handshakes: {got}")
    return got


# ---- a page of many files ----
class Inland(Loopback):
    """Puts all of a path at one side of a line, and viewers at the other one."""

    apart = False
    front = "0.0.0.0"  # in a namespace of its own
    viewers_port = LINK_PORT
    server_options = ("--listen", f"{ADDRESSES['server']}:{LINK_PORT}")

    def __init__(self, line):
        self.line = line

    def inside(self, end):
        return self.line.inside("server")


def page_files(bench, kind):
    """Measures a page of 100 files of 5 kB over a line of 50 ms and 50 Mbit/s, from the first byte
    of the viewer to the last one of the answers: over HTTP/2, and over HTTP/1.1 by the six
    connections of a browser. `cold` connects first, `warm` has connected before."""
    need_line()
    figures = {}
    with Line(bench, LINE, bench.round, bench.congestion) as line, contextlib.ExitStack() as stack:
        inland = Inland(line)
        with inland.inside("server"):
            origin = stack.enter_context(Listener(line.directory, "origin", 0))
        path = stack.enter_context(kind(bench, origin.port, inland))
        with inland.inside("server"):
            H1Page(
                path, ADDRESSES["server"], 1
            ).load()  # warms up what dials when the first request comes
        for page in (H2Page, H1Page):
            for name, when in (("cold", False), ("warm", True)):
                with line.inside("client"):
                    figures[f"{page.name}_{name}_ms"] = _page(page, path, when)
    return figures


def _page(page, path, connected):
    """Returns how many ms a page takes, with or without the time to connect."""
    with contextlib.closing(page(path, ADDRESSES["server"], FILES)) as viewer:
        if connected:
            viewer.connect()
            time.sleep(SETTLE_S)
        started = time.monotonic()
        viewer.load()
        return (time.monotonic() - started) * 1000


class Page:
    """Is a viewer that fetches @files files. connect() is called by load(), if not before."""

    name, protocol, most = "", "", 1

    def __init__(self, path, address, files):
        self.path, self.address, self.files = path, address, files
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.set_alpn_protocols([self.protocol])
        self.selector = selectors.DefaultSelector()
        self.connections = []

    def connect(self):
        """Opens the connections, which make their handshakes at the same time."""
        name = self.path.host.split(":")[0]
        for _ in range(min(self.most, self.files)):
            raw = socket.socket()
            raw.setblocking(False)
            raw.connect_ex((self.address, self.path.tls_port))
            self.connections.append(_Connection(self, raw, name))
        self.turn(lambda: not all(one.open for one in self.connections))

    def turn(self, goes_on):
        """Serves the connections while @goes_on()."""
        end = time.monotonic() + DEADLINE_S
        while goes_on():
            if time.monotonic() > end:
                raise Failed(f"the page did not come within {DEADLINE_S} s")
            for key, _ in self.selector.select(1):
                key.data.serve()

    def load(self):
        if not self.connections:
            self.connect()
        self.done = 0
        self.begin()
        self.turn(lambda: self.done < self.files)

    def close(self):
        for one in self.connections:
            one.socket.close()
        self.selector.close()


class _Connection:
    """Is one TLS connection, which never blocks."""

    def __init__(self, page, raw, name):
        self.page, self.open, self.pending = page, False, b""
        self.raw, self.sni = raw, name
        self.socket = raw
        page.selector.register(raw, selectors.EVENT_WRITE, self)

    def serve(self):
        """Goes on with the handshake, or reads."""
        try:
            if self.socket is self.raw:
                if error := self.raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise Failed(f"no connection: {error}")
                self.page.selector.unregister(self.raw)
                self.socket = self.page.context.wrap_socket(
                    self.raw, server_hostname=self.sni, do_handshake_on_connect=False
                )
                self.page.selector.register(self.socket, selectors.EVENT_READ, self)
            if not self.open:
                self.socket.do_handshake()
                if self.socket.selected_alpn_protocol() != self.page.protocol:
                    raise Failed(f"{self.page.protocol} is not spoken")
                self.open = True
            while data := self.socket.recv(65536):
                self.pending += data
                self.page.read(self)
            raise Failed("the connection was closed")
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass

    def send(self, data):
        self.socket.setblocking(True)
        self.socket.sendall(data)
        self.socket.setblocking(False)


class H2Page(Page):
    name, protocol = "h2", "h2"

    def begin(self):
        target = f"/bytes/{FILE_BYTES}"
        head = block(
            *((":method", "GET"), (":scheme", "https")),
            *((":authority", self.path.host), (":path", target)),
        )
        asked = b"".join(
            frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, head)
            for number in range(self.files)
        )
        first = PREFACE + settings({SETTING_INITIAL_WINDOW: WINDOW}) + window_update(0, WINDOW)
        self.bytes = 0
        self.connections[0].send(first + settings(flags=1) + asked)

    def read(self, one):
        """Takes frames off what has come."""
        while len(one.pending) >= 9:
            length = int.from_bytes(one.pending[:3], "big")
            if len(one.pending) < 9 + length:
                return
            kind, flags = one.pending[3], one.pending[4]
            if kind not in (0, 1, 4, 6, 8, 12):
                raise Failed(f"a frame of type {kind}")
            self.bytes += length if kind == DATA else 0
            self.done += kind in (DATA, HEADERS) and flags & END_STREAM
            one.pending = one.pending[9 + length :]
        if self.done == self.files and self.bytes != self.files * FILE_BYTES:
            raise Failed(f"{self.bytes} bytes came")


class H1Page(Page):
    name, protocol, most = "h1", "http/1.1", OF_A_BROWSER

    def begin(self):
        self.asked = 0
        for one in self.connections:
            self._ask(one)

    def _ask(self, one):
        if self.asked == self.files:
            return
        self.asked += 1
        one.send(f"GET /bytes/{FILE_BYTES} HTTP/1.1\r\nHost: {self.path.host}\r\n\r\n".encode())

    def read(self, one):
        """Takes an answer off what has come, and asks for the next file."""
        head, found, body = one.pending.partition(b"\r\n\r\n")
        if not found or len(body) < FILE_BYTES:
            return
        if not head.startswith(b"HTTP/1.1 200") or len(body) > FILE_BYTES:
            raise Failed(f"an answer is {head[:100]!r}")
        one.pending = b""
        self.done += 1
        self._ask(one)

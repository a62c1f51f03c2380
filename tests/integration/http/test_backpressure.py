# SPDX-License-Identifier: MIT
"""A side that stops reading stops only its own stream. It costs the memory of one window, not of
the whole body."""


import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import pattern
from support.faultproxy import DOWN, UP
from support.programs import stable
from support.viewer import Viewer, download_rate, fetch, head
from support.wait import wait_until

GIB, MIB = 1 << 30, 1 << 20
SHARE = 0.9
MEMORY = 16 * MIB

pytestmark = pytest.mark.release_only


def stall(port, host, path="/bytes/1073741824"):
    """Opens a viewer that reads the head and no byte of the body. Its socket has a small receive
    buffer."""
    viewer = Viewer(port, receive_buffer=64 << 10)
    viewer.send(head("GET", path, host))
    assert viewer.response_head().get("Content-Length") == str(GIB)
    return viewer


@pytest.mark.alone
def test_a_stalled_viewer_does_not_slow_the_others(new_server, new_client, http_origin):
    """Compares the rate of other viewers beside a stalled viewer with their rate alone, within one
    run. One of three attempts must reach SHARE."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    size = 64 * MIB
    # This warms up: windows grow, and the programs get the memory that they need for work.
    download_rate(server.port, client.host, 2, size)
    before = server.rss(), client.rss()
    ratios = []
    for _ in range(3):
        free = download_rate(server.port, client.host, 2, size)
        with stall(server.port, client.host):
            ratios.append(download_rate(server.port, client.host, 2, size) / free)
            grown = server.rss() - before[0], client.rss() - before[1]
            assert max(grown) < MEMORY, grown
        if ratios[-1] >= SHARE:
            return
    pytest.fail(f"beside a stalled viewer the others got only {ratios} of their rate")


def test_a_stalled_viewer_goes_on_where_it_stopped(server, tunnel):
    with Viewer(server.port, receive_buffer=64 << 10, timeout_s=60) as viewer:
        viewer.send(head("GET", f"/bytes/{64 * MIB}", tunnel.host))
        assert viewer.response_head().status == 200
        stable(server.rss)  # until all buffers are full
        at = 0
        for piece in pattern.pieces(64 * MIB, MIB):
            assert viewer.exactly(len(piece)) == piece, f"differs after {at}"
            at += len(piece)


@pytest.mark.rule("D11")
def test_a_stalled_origin_stops_the_upload(server, tunnel, shared):
    """The stream's window stays closed. Neither program buffers what the origin does not read, and
    other viewers are served."""
    go = threading.Event()

    def serve(connection):
        connection.request()
        go.wait(60)
        connection.body()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    client = shared(serve)
    fetch(server.port, tunnel.host, f"/bytes/{8 * MIB}")
    before = server.rss(), client.rss()
    with Viewer(server.port, timeout_s=60) as viewer:
        size = 256 * MIB
        viewer.send(head("POST", "/", client.host, f"Content-Length: {size}"))
        sent = push_until_stuck(viewer)
        assert sent < 64 * MIB, "nobody stopped the viewer"
        grown = server.rss() - before[0], client.rss() - before[1]
        assert max(grown) < MEMORY, grown
        assert fetch(server.port, tunnel.host, "/bytes/1000").status == 200
        go.set()
        block = bytes(MIB)
        while sent < size:
            sent += viewer.socket.send(block[: size - sent])
        assert viewer.response().status == 200


def push_until_stuck(viewer):
    """Sends zeros until the socket takes no more for a second. Returns the number of bytes that it
    took."""
    viewer.socket.settimeout(1)
    block, sent = bytes(1 << 16), 0
    try:
        while sent < 128 * MIB:
            sent += viewer.socket.send(block)
    except TimeoutError:
        pass
    viewer.socket.settimeout(60)
    return sent


def test_many_stalled_viewers_fit_into_the_links_budget(new_server, new_client, http_origin):
    """64 viewers read nothing. Memory stays within the link's 32 MiB, and another viewer is served
    at once."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    before = server.rss()
    stalled = [stall(server.port, client.host) for _ in range(64)]
    try:
        stable(server.rss)  # until all buffers are full
        assert server.rss() - before < 40 * MIB
        assert fetch(
            server.port, client.host, f"/bytes/{MIB}", timeout_s=10
        ).body == pattern.pattern(MIB)
    finally:
        for viewer in stalled:
            viewer.close()


class Crowd:
    """Viewers of a server whose budget is so small that 33 bodies may have windows of 32 KiB each.
    The link goes by a proxy. Each body begins with one byte; the rest follows after go()."""

    SIZE = 300_000

    def __init__(self, new_server, new_client, new_proxy, scripted, ended):
        self.server = new_server("--memory-budget", "5M")
        self.proxy = new_proxy(self.server.port)
        self.client = new_client(
            scripted(self._serve).port,
            server=self.server,
            url=f"https://localhost:{self.proxy.port}",
        )
        self.began = threading.Event()
        self.ended = ended
        self.threads = ended.enter_context(ThreadPoolExecutor(33))

    def _serve(self, connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nx" % self.SIZE)
        self.began.wait(60)
        connection.send(bytes(self.SIZE - 1))

    def ask(self):
        viewer = self.ended.enter_context(Viewer(self.server.port))
        viewer.send(head("GET", "/", self.client.host))
        return viewer

    def begin(self, count):
        """Asks for bodies. Returns their viewers when the first byte of each has come."""
        viewers = [self.ask() for _ in range(count)]
        for viewer in viewers:
            viewer.response_head()
            viewer.exactly(1)
        return viewers

    def read(self, viewers):
        return [self.threads.submit(viewer.exactly, self.SIZE - 1) for viewer in viewers]

    def go(self):
        self.began.set()

    def exchanges(self):
        path = f"/api/tunnels/{self.client.name}/status"
        return fetch(self.server.port, "localhost", path).json()["exchanges"]


@pytest.fixture
def crowd(new_server, new_client, new_proxy, scripted, ended):
    return Crowd(new_server, new_client, new_proxy, scripted, ended)


@pytest.mark.rule("F20")
def test_settings_of_the_33rd_request_cross_credit(crowd):
    """The 33rd request makes the windows of all streams smaller, by SETTINGS. Before their
    acknowledgement comes DATA of 32 bodies, whose viewers read, so that windows grow. Every body
    comes as a whole."""
    viewers = crowd.begin(32)
    crowd.proxy.freeze(DOWN)
    late = crowd.ask()
    wait_until(lambda: crowd.exchanges() == 33, 10, "the 33rd request")
    bodies = crowd.read(viewers)
    crowd.go()
    stable(lambda: crowd.proxy.relays[-1].passed[UP])  # until all windows are used up
    crowd.proxy.thaw()
    late.response_head()
    bodies += crowd.read([late])
    for body in bodies:
        body.result()


@pytest.mark.rule("F20")
@pytest.mark.parametrize("delay_s", [0.05, 0.005])
def test_the_33rd_request_beside_running_bodies(crowd, delay_s):
    """The acknowledgement takes 100 ms, or 10 ms, and bodies run all the time."""
    viewers = crowd.begin(32)
    crowd.proxy.shape(delay_s=delay_s)
    bodies = crowd.read(viewers)
    crowd.go()
    late = crowd.ask()
    late.response_head()
    bodies += crowd.read([late])
    for body in bodies:
        body.result()

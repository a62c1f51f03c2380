# SPDX-License-Identifier: MIT
"""What a line teaches: once bodies have shown how much it carries, the next one starts with what
that is in a round trip. A reader that stalls shows the start, as no more than that comes for it."""

import contextlib
import threading
import urllib.parse

import pytest
from support.faultproxy import DOWN, UP
from support.programs import stable
from support.viewer import Viewer, fetch, head, status_soon
from support.wait import wait_until

KIB, MIB = 1 << 10, 1 << 20
ROUND_TRIP_S = 0.1
RATE = 2_500_000  # bytes a second: 20 Mbit/s
PRODUCT = int(ROUND_TRIP_S * RATE)
WINDOW = 64 * KIB
START_MOST = 4 * MIB
MUCH = 2 * MIB
PIECE = 8 * KIB
TRIES = 5  # a busy machine makes the line stutter


class Line:
    """A long line between a server and a client, on which bodies come in one direction."""

    def __init__(self, server, proxy, direction):
        self.server, self.proxy, self.direction = server, proxy, direction
        self.url = f"https://localhost:{proxy.port}"
        self.carry(0)

    def carry(self, rate):
        """Sets the rate; 0: the line carries all at once."""
        self.proxy.shape(lag_s=ROUND_TRIP_S / 2)
        self.proxy.shape(self.direction, lag_s=ROUND_TRIP_S / 2, rate=rate, piece=PIECE)

    def lose(self, client):
        """Loses the link, and waits for the next one."""
        count = len(self.proxy.relays)
        self.proxy.reset()
        self.proxy.wait_relays(count + 1)
        assert status_soon(self.server.port, client.host, 200, "/bytes/1") == 200


@pytest.fixture
def line(new_server, new_proxy):
    """Returns line(direction), which makes a server and a line to it."""

    def make(direction):
        server = new_server()
        return Line(server, new_proxy(urllib.parse.urlsplit(server.url).port), direction)

    return make


def held(server):
    return fetch(server.port, "localhost", "/api/status").json()["buffered_octets"]


def start_of_download(server, client):
    """Returns what is held for a viewer that takes nothing: at least half of the start. The kernel
    has taken the rest, and its credit is kept."""
    with contextlib.closing(Viewer(server.port, receive_buffer=8 * KIB)) as viewer:
        viewer.send(head("GET", f"/bytes/{1 << 30}", client.host))
        wait_until(lambda: held(server) >= WINDOW / 2, 20, "a body")
        start = stable(lambda: held(server), still_s=1)
    wait_until(lambda: held(server) == 0, 20, "the viewer to be gone")
    return start


def download(port, client, size=MUCH):
    assert len(fetch(port, client.host, f"/bytes/{size}", timeout_s=60).body) == size


@pytest.mark.direct
@pytest.mark.rule("F83", "F85", "F86")
def test_downloads(line, new_client, http_origin):
    """The first one starts with 4 MiB, the next one with the product of 20 Mbit/s and 100 ms, also
    on a new link of the same client. When the line has become faster, the start follows."""
    far = line(UP)
    server = far.server
    client = new_client(http_origin.port, server=server, url=far.url)
    assert START_MOST / 2 <= start_of_download(server, client) <= START_MOST
    far.carry(RATE)
    for _ in range(TRIES):
        download(server.port, client)
        if (start := start_of_download(server, client)) < MIB:
            break
    assert WINDOW / 2 <= start < 3 * PRODUCT
    far.lose(client)
    assert WINDOW / 2 <= start_of_download(server, client) < 3 * PRODUCT
    far.carry(0)
    for _ in range(TRIES):
        download(server.port, client, 4 * MUCH)
        if (start := start_of_download(server, client)) >= 3 * PRODUCT:
            break
    assert start >= 3 * PRODUCT


@pytest.mark.direct
@pytest.mark.rule("F84")
@pytest.mark.parametrize("slow", ["viewer", "origin"])
def test_nothing_is_learned_of(slow, line, new_client, new_proxy, http_origin):
    """A viewer or an origin at 16 Mbit/s looks like a slow line."""
    far = line(UP)
    server = far.server
    proxies = {"viewer": new_proxy(server.port), "origin": new_proxy(http_origin.port)}
    proxies[slow].shape(DOWN, rate=2 * 10**6, piece=2000)
    client = new_client(proxies["origin"].port, server=server, url=far.url)
    download(proxies["viewer"].port, client, 3 * MUCH)
    proxies[slow].shape(DOWN)
    assert START_MOST / 2 <= start_of_download(server, client) <= START_MOST


@pytest.mark.direct
@pytest.mark.rule("F87")
def test_credit_of_a_start(line, new_client, http_origin):
    """A viewer stalls on a start of 4 MiB. When it has taken a part of it, as much as the kernel
    waits for, more comes."""
    far = line(UP)
    client = new_client(http_origin.port, server=far.server, url=far.url)
    relay = far.proxy.open_relays[-1]
    with contextlib.closing(Viewer(far.server.port, receive_buffer=8 * KIB)) as viewer:
        viewer.send(head("GET", f"/bytes/{1 << 30}", client.host))
        wait_until(lambda: held(far.server) >= WINDOW / 2, 20, "a body")
        passed = stable(lambda: relay.passed[UP], still_s=1)
        viewer.exactly(START_MOST * 3 // 8)
        wait_until(lambda: relay.passed[UP] >= passed + START_MOST // 8, 20, "more of the body")


class Uploads:
    """An origin that reads, or stalls on demand."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()

    def serve(self, connection):
        connection.request()
        self.go.wait(60)
        connection.body()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def upload(port, client, size=MUCH):
    assert fetch(port, client.host, method="POST", body=bytes(size), timeout_s=60).status == 200


def push(viewer, size):
    with contextlib.suppress(OSError):
        viewer.send(bytes(size))


def start_of_upload(far, client, origin):
    """Returns what comes to oneport for an origin that takes nothing: the start, and what a unix
    socket takes."""
    relay = far.proxy.open_relays[-1]
    origin.go.clear()
    before = relay.passed[DOWN]
    with contextlib.closing(Viewer(far.server.port)) as viewer:
        size = 2 * START_MOST
        viewer.send(head("POST", "/", client.host, f"Content-Length: {size}"))
        threading.Thread(target=push, args=(viewer, size), daemon=True).start()
        wait_until(lambda: relay.passed[DOWN] - before >= WINDOW, 20, "a body")
        start = stable(lambda: relay.passed[DOWN], still_s=1) - before
        viewer.reset()
    origin.go.set()
    return start


@pytest.mark.direct
@pytest.mark.rule("F85", "F86")
def test_uploads(line, new_client, scripted, tmp_path):
    """As for downloads. SETTINGS tell the start of an upload."""
    far, origin = line(DOWN), Uploads()
    path = tmp_path / "origin"
    scripted(origin.serve, path=path)
    client = new_client(f"unix:{path}", server=far.server, url=far.url)
    assert start_of_upload(far, client, origin) > START_MOST * 3 / 4
    far.carry(RATE)
    for _ in range(TRIES):
        upload(far.server.port, client)
        if (start := start_of_upload(far, client, origin)) < 2 * MIB:
            break
    assert WINDOW <= start < MIB + 3 * PRODUCT
    far.lose(client)
    start = start_of_upload(far, client, origin)
    assert WINDOW <= start < MIB + 3 * PRODUCT

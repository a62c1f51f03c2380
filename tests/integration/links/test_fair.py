# SPDX-License-Identifier: MIT
"""Viewers share a link, however many streams each of them has."""

import contextlib
import selectors
import socket
import time
import urllib.parse

import pytest
from support.faultproxy import DOWN, UP
from support.foreign import linked
from support.h2_viewer import H2Viewer
from support.programs import SLOW
from support.viewer import Viewer, head
from support.wait import wait_until

pytestmark = pytest.mark.rule("F91")

CROWD = 100
KIB, MIB = 1 << 10, 1 << 20
RATE = 4 * MIB  # bytes a second of the link, so that it is what viewers share
QUEUE = 128 * KIB  # of the line
LATE_S, SETTLE_S, COUNT_S = 1.0, 2.0, 3.0
LEAST, MOST = 0.3, 1.7  # of a half; a busy machine and the queue of the line are in it


@pytest.fixture
def narrow(new_client, new_proxy, http_origin):
    """Returns narrow(server, direction), which starts a client whose link is slow in it."""

    def start(server, direction):
        proxy = new_proxy(urllib.parse.urlsplit(server.url).port)
        proxy.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)
        proxy.shape(direction, rate=RATE)
        return new_client(http_origin.port, server=server, url=f"https://localhost:{proxy.port}")

    return start


class Transfers:
    """Counts what passes on many sockets, each of which belongs to a viewer."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.octets = {}

    def add(self, socket, viewer, event):
        socket.setblocking(False)
        self.octets.setdefault(viewer, 0)
        self.selector.register(socket, event, viewer)

    def run(self, seconds):
        """Reads, or writes zeros, for @seconds. Returns what passed for each viewer."""
        before, end, zeros = dict(self.octets), time.monotonic() + seconds, bytes(16 * KIB)
        while (left := end - time.monotonic()) > 0:
            for key, event in self.selector.select(left):
                with contextlib.suppress(BlockingIOError):
                    if event & selectors.EVENT_READ:
                        passed = len(key.fileobj.recv(64 * KIB))
                    else:
                        passed = key.fileobj.send(zeros)
                    assert passed, "a transfer has ended"
                    self.octets[key.data] += passed
        return {viewer: total - before[viewer] for viewer, total in self.octets.items()}


def share_of_one(transfers, begin):
    """Returns how much of its half the viewer "one" gets beside "many"; 1 is all of it. @begin
    starts one transfer of a viewer."""
    for _ in range(CROWD):
        begin("many")
    transfers.run(LATE_S)
    begin("one")
    transfers.run(SETTLE_S)
    passed = transfers.run(COUNT_S)
    return 2 * passed["one"] / sum(passed.values())


def proxied(server, host, stack, transfers, method, path, event):
    """Returns begin(viewer), which starts a transfer of a viewer whom a proxy names."""
    address = {"many": "192.0.2.1", "one": "192.0.2.2"}

    def begin(viewer):
        connection = stack.enter_context(Viewer(server.front.port, receive_buffer=64 * KIB))
        fields = [f"X-Forwarded-For: {address[viewer]}"]
        if method == "POST":
            fields.append(f"Content-Length: {1 << 40}")
        connection.send(head(method, path, host, *fields))
        transfers.add(connection.socket, viewer, event)

    return begin


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_beside_a_hundred_behind_a_proxy(server, narrow, method):
    down, transfers = method == "GET", Transfers()
    client = narrow(server, UP if down else DOWN)
    path = f"/bytes/{1 << 40}" if down else "/upload"
    event = selectors.EVENT_READ if down else selectors.EVENT_WRITE
    with contextlib.ExitStack() as stack:
        begin = proxied(server, client.host, stack, transfers, method, path, event)
        share = share_of_one(transfers, begin)
    assert LEAST < share < MOST, share


def test_one_connection_beside_another_with_a_hundred_streams(server, narrow):
    """Viewers without a proxy: one of HTTP/2, and one of HTTP/1.1."""
    client, transfers, path = narrow(server, UP), Transfers(), f"/bytes/{1 << 40}"
    with H2Viewer(server.port, client.host) as many, Viewer(server.port) as one:
        streams = [many.ask(path) for _ in range(CROWD)]
        wait_until(lambda: len(many.bodies) == CROWD, 20 * SLOW, "each download has begun")
        one.send(head("GET", path, client.host))
        transfers.add(one.socket, "one", selectors.EVENT_READ)
        transfers.run(SETTLE_S)
        before = sum(len(many.bodies[stream]) for stream in streams)
        passed = transfers.run(COUNT_S)["one"]
        others = sum(len(many.bodies[stream]) for stream in streams) - before
        share = 2 * passed / (passed + others)
    assert LEAST < share < MOST, share


@pytest.mark.rule("F92")
def test_what_a_link_is_told_of_viewers(server):
    """A link that asks is told of a stream that the viewer has; a viewer cannot say it."""
    forged = "oneport-party", "1"
    for asks in (True, False):
        name = f"told-{asks}".lower()
        fields = ["Oneport-Party: ?1"] if asks else []
        link = linked(server, name, *fields, serve=lambda stream: None)
        with H2Viewer(server.port, f"{name}.localhost") as first:
            first.ask("/a", forged)
            first.ask("/b", forged)
            wait_until(lambda: len(link.requests) == 2, 10 * SLOW, "two requests")
            with Viewer(server.port) as second:
                second.send(head("GET", "/c", f"{name}.localhost", "Oneport-Party: 1"))
                wait_until(lambda: len(link.requests) == 3, 10 * SLOW, "three requests")
        told = {request.get(":path"): request.get("oneport-party") for request in link.requests}
        link.close()
        assert told == {"/a": None, "/b": "1" if asks else None, "/c": None}


@pytest.mark.rule("F92")
def test_an_origin_sees_nothing_of_it(server, tunnel):
    with H2Viewer(server.port, tunnel.host) as viewer:
        streams = [viewer.ask("/echo", ("oneport-party", "1")) for _ in range(8)]
        for stream in streams:
            answer = viewer.answer(stream)
            assert answer.status == 200 and b"x-forwarded-for" in answer.body.lower()
            assert b"party" not in answer.body.lower()

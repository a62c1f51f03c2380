# SPDX-License-Identifier: MIT
"""Tests that data arrives piece by piece: no piece waits for the next one."""

import queue
import subprocess
import time

import pytest
from support.viewer import Viewer, fetch, head

EVENT = b"data: %d\n\n"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def told_by(commands, opening):
    """Returns a script that sends @opening when the request has come, then one chunk for each item
    of the queue. None ends the answer."""

    def serve(connection):
        connection.request()
        connection.send(opening)
        while (data := commands.get(timeout=60)) is not None:
            connection.send(b"%x\r\n%b\r\n" % (len(data), data))
        connection.send(b"0\r\n\r\n")

    return serve


@pytest.mark.rule("R16")
def test_each_event_reaches_curl_before_the_next_is_sent(server, shared):
    commands = queue.Queue()
    client = shared(told_by(commands, STREAM))
    curl = subprocess.Popen(
        ["curl", "-sSN", "-m", "60", f"http://{client.host}/"], stdout=subprocess.PIPE
    )
    for number in range(20):
        commands.put(EVENT % number)
        assert curl.stdout.read(len(EVENT % number)) == EVENT % number
    commands.put(None)
    assert curl.wait(10) == 0


@pytest.mark.rule("R16")
def test_the_head_does_not_wait_for_the_body(server, shared):
    commands = queue.Queue()
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(told_by(commands, STREAM)).host))
        got = viewer.response_head()
        assert got.status == 200
        assert got.get("X-Accel-Buffering") == "no"
        commands.put(EVENT % 1)
        assert viewer.chunk() == EVENT % 1
        commands.put(None)
        assert viewer.chunk() == b""


def test_a_chunk_with_a_known_length_does_not_wait_either(server, shared):
    commands = queue.Queue()

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            connection.send(commands.get(timeout=60))

    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(serve).host))
        assert viewer.response_head().get("Content-Length") == "10"
        for number in range(10):
            commands.put(b"%d" % number)
            assert viewer.exactly(1) == b"%d" % number


@pytest.mark.rule("R16")
@pytest.mark.release_only
def test_an_event_costs_little_time(server, shared):
    """The median delay on loopback is at most 5 ms."""
    commands = queue.Queue()
    delays = []
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(told_by(commands, STREAM)).host))
        viewer.response_head()
        for number in range(200):
            before = time.perf_counter()
            commands.put(EVENT % number)
            viewer.chunk()
            delays.append(time.perf_counter() - before)
        commands.put(None)
    assert sorted(delays)[len(delays) // 2] < 0.005


def test_an_upload_arrives_bit_by_bit(server, shared):
    arrived = queue.Queue()

    def serve(connection):
        connection.request()
        while data := connection.chunk():
            arrived.put(data)
        connection.trailers()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", shared(serve).host, "Transfer-Encoding: chunked"))
        for number in range(10):
            viewer.send(b"4\r\nbit%d\r\n" % number)
            assert arrived.get(timeout=5) == b"bit%d" % number
        viewer.send(b"0\r\n\r\n")
        assert viewer.response().status == 200


def test_both_directions_at_once(server, shared):
    """The origin answers while the request goes on. It sends back what it gets."""

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := connection.chunk():
            connection.send(b"%x\r\n%b\r\n" % (len(data), data.upper()))
        connection.trailers()
        connection.send(b"0\r\n\r\n")

    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", shared(serve).host, "Transfer-Encoding: chunked"))
        assert viewer.response_head().status == 200
        for word in (b"one", b"two", b"three"):
            viewer.send(b"%x\r\n%b\r\n" % (len(word), word))
            assert viewer.chunk() == word.upper()
        viewer.send(b"0\r\n\r\n")
        assert viewer.chunk() == b""


@pytest.mark.parametrize(
    "seconds", [5, pytest.param(90, marks=[pytest.mark.full, pytest.mark.timeout(150)])]
)
def test_a_long_poll(server, tunnel, seconds):
    got = fetch(server.port, tunnel.host, f"/delay?s={seconds}", timeout_s=seconds + 20)
    assert (got.status, got.body) == (200, b"here at last")


def test_a_long_poll_outlives_many_keepalives(new_server, new_client, http_origin):
    server = new_server("--keepalive", "500ms")
    client = new_client(http_origin.port, "--keepalive", "500ms", server=server)
    assert fetch(server.port, client.host, "/delay?s=4").body == b"here at last"
    assert "dead" not in server.log

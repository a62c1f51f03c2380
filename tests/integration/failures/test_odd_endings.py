# SPDX-License-Identifier: MIT
"""Tests unexpected endings: a side stops in the middle, never reads, ends half of a connection, or
comes back under load."""

import contextlib
import queue
import signal
import threading
import time

import pytest
from support import pattern
from support.foreign import linked, register
from support.frames import RawServer, request, window_update
from support.origins import ScriptedOrigin, reply
from support.programs import SLOW, Client, stable
from support.unread import unread
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE

MIB = 1 << 20


# ---- viewers that do not read ----
def push(viewer, data, limit):
    """Sends @data again and again until the socket takes no more for a second, or until @limit
    bytes were sent. Returns the number of bytes sent."""
    viewer.socket.settimeout(1)
    sent = 0
    try:
        while sent < limit:
            sent += viewer.socket.send(data)
    except TimeoutError:
        pass
    viewer.socket.settimeout(20)
    return sent


@pytest.mark.release_only
def test_a_viewer_that_reads_no_answers_is_not_read(new_server):
    """An answer is larger than its request. Without a limit a viewer that only sends requests would
    fill the memory."""
    server = new_server()
    before = stable(server.rss)
    with Viewer(server.port, receive_buffer=16 << 10) as viewer:
        sent = push(viewer, head("GET", "/", f"localhost:{server.port}") * 1000, 24 * MIB)
        assert sent < 24 * MIB, "nobody stopped the viewer"
        assert server.rss() - before < 8 * MIB


def test_pipelined_requests_are_all_answered_once_their_answers_are_read(server):
    count = 3000
    with Viewer(server.port, receive_buffer=16 << 10) as viewer:
        asking = threading.Thread(
            target=viewer.send,
            args=(head("GET", "/api/health", f"localhost:{server.port}") * count,),
        )
        asking.start()
        for _ in range(count):
            assert viewer.response().status in (200, 404)
        asking.join()


def test_a_viewer_that_takes_nothing_is_given_up(new_server):
    server = new_server("--idle-timeout", "1s", "--viewer-keepalive", "500ms")
    idle = stable(server.fds)
    with Viewer(server.port, receive_buffer=16 << 10) as viewer:
        wait_until(lambda: server.fds() > idle, what="the connection")
        # the server may close while the viewer still sends
        with contextlib.suppress(ConnectionError):
            push(viewer, head("GET", "/", f"localhost:{server.port}") * 1000, 24 * MIB)
        wait_until(lambda: server.fds() == idle, 10 * SLOW, "the connection's end")


# ---- a client that is away ----
def test_without_hold_the_answer_comes_at_once(new_server, name):
    server = new_server("--hold", "0")
    register(server, name)
    start = time.monotonic()
    got = fetch(server.port, f"{name}.localhost:{server.port}", timeout_s=10)
    assert got.status == 503
    assert time.monotonic() - start < 1 * SLOW


# ---- clients of other makes ----
@pytest.fixture
def foreign(server, ended):
    """Returns foreign(name, serve, ...), which registers @name at the file's server and opens a
    link with python3-h2."""
    return lambda name, serve, **keywords: ended.enter_context(
        contextlib.closing(linked(server, name, serve=serve, **keywords))
    )


@pytest.mark.parametrize("code", [0, 8], ids=["NO_ERROR", "CANCEL"])
def test_a_websocket_that_the_client_ends_by_end_stream_and_reset_ends_in_order(
    server, name, foreign, code
):
    """Some libraries cannot keep a stream half-closed. They reset it after END_STREAM, with
    NO_ERROR or, as HAProxy does, with CANCEL. The viewer still gets all data, even what it has not
    read yet."""
    said = b"\x82\x7e\x0f\xa0" + bytes(4000)

    def serve(stream):
        stream.answer(200, end=False)
        with stream.link.lock:
            for _ in range(15):
                stream.link.h2.send_data(stream.number, said)
            stream.link.h2.send_data(
                stream.number, b"\x88\x02\x03\xe8", end_stream=True
            )  # Close, 1000
            stream.reset(code)

    foreign(name, serve)
    with Viewer(server.port, receive_buffer=4096) as viewer:
        assert viewer.get(f"{name}.localhost:{server.port}", "/", *HANDSHAKE).status == 101
        assert viewer.rest() == said * 15 + b"\x88\x02\x03\xe8"


# ---- a client that stops ----
# the server's window of a stream; what oneport reads from an origin ahead of it
WINDOW, TAIL = MIB, 100_000


def test_a_client_that_is_stopped_sends_the_rest(certificate, tmp_path, ended):
    """The origin has sent everything, but the window is full. The last part is still in the client
    when it is told to stop."""
    said, links = threading.Event(), queue.Queue()

    def serve(connection):
        connection.request()
        connection.send(reply(pattern.pattern(WINDOW + TAIL)))
        wait_until(lambda: unread(connection.socket) == 0, 20 * SLOW, "oneport to have taken all")
        said.set()

    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(serve)))
    server = ended.enter_context(contextlib.closing(RawServer(certificate, links.put)))
    client = Client(server, origin.port, tmp_path)
    ended.callback(client.stop)
    peer = links.get(timeout=20 * SLOW)
    peer.send(request(1))
    assert said.wait(30 * SLOW)
    wait_until(lambda: len(peer.bodies.get(1, b"")) == WINDOW, 10 * SLOW, "a window full")
    client.program.signal(signal.SIGTERM)
    client.program.wait_output("leaving", 5)
    peer.send(window_update(1, MIB))
    wait_until(lambda: 1 in peer.over, 10 * SLOW, "the end")
    assert not peer.resets and peer.bodies[1] == pattern.pattern(WINDOW + TAIL)
    client.program.expect_exit(0)

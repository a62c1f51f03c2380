# SPDX-License-Identifier: MIT
"""Tests that oneportd does not trust viewers who speak HTTP/2: they flood it with frames that cost
them nothing, reset what they ask for, provoke resets, send bombs, or never read. Their connection
ends, other viewers of the same tunnel are served meanwhile, and its link stays as it is."""

import contextlib
import threading

import hpack
import pytest
from support.frames import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    HEADERS,
    PADDED,
    PING,
    PRIORITY,
    PRIORITY_UPDATE,
    PROTOCOL_ERROR,
    SETTING_INITIAL_WINDOW,
    STREAM_CLOSED,
    block,
    frame,
    reset,
    settings,
    window_update,
)
from support.h2_viewer import viewing
from support.programs import SLOW, VARIANT

MIB = 1 << 20
FLOOD = 2500  # more than the budget of 1,000 and what comes in the meantime


@contextlib.contextmanager
def harmless(tunnel):
    """Checks that another viewer of the same tunnel is served meanwhile, that its link is the same
    afterwards, and that memory does not grow."""
    server, before = tunnel.server, tunnel.server.rss()
    links = server.log.count("link_up")
    with viewing(tunnel) as other:
        assert other.get("/bytes/5").status == 200
        yield
        assert other.get("/bytes/5").status == 200
    assert server.log.count("link_up") == links and "link_lost" not in server.log
    if VARIANT == "release":
        assert server.rss() - before <= 8 * MIB, f"{(server.rss() - before) >> 10} KiB more"


def wait_calmed(viewer, *other_codes):
    assert viewer.ended.wait(10 * SLOW), "the connection is still open"
    assert {ENHANCE_YOUR_CALM, *other_codes} & {code for code, _ in viewer.goaways}


FLOODS = {
    "PING": frame(PING, 0, 0, b"12345678"),
    "answers to no PING": frame(PING, ACK, 0, b"12345678"),
    "SETTINGS": settings(),
    "empty DATA": frame(DATA, 0, 1),
    "DATA of padding": frame(DATA, PADDED, 1, b"\x03\x00\x00\x00"),
    "PRIORITY": frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x10"),
    "PRIORITY_UPDATE": frame(PRIORITY_UPDATE, 0, 0, b"\x00\x00\x00\x01u=1"),
    "unknown frames": frame(0x42, 0, 1, b"what"),
    "tiny WINDOW_UPDATE": window_update(0, 1),
    "HEADERS of a stream that is over": frame(
        HEADERS, END_HEADERS | END_STREAM, 3, block(("x", "y"))
    ),
}


@pytest.mark.rule("E11")
@pytest.mark.parametrize("what", FLOODS)
def test_a_flood_ends_the_connection(tunnel, what):
    with harmless(tunnel), viewing(tunnel) as viewer:
        assert viewer.ask("/upload", method="POST", end=False) == 1
        assert viewer.get("/bytes/5").status == 200  # stream 3, which is over
        for _ in range(FLOOD // 100):
            if not viewer.send(FLOODS[what] * 100):
                break
        wait_calmed(viewer)


def asks(viewer, wrong):
    """Returns a request that takes long, and the frames by which it ends."""
    stream, viewer.next_stream = viewer.next_stream, viewer.next_stream + 2
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", viewer.authority)]
    if wrong is None:
        head = block((":method", "POST"), *pseudo[1:], (":path", "/hang"), ("content-length", "1"))
        return frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, b"xx")
    head = block(*pseudo, (":path", "/hang"))
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, head) + wrong(stream)


PROVOKED = {
    "a reset of its own": lambda stream: reset(stream, CANCEL),
    "a window that grows by nothing": lambda stream: window_update(stream, 0),
    "a window that grows too much": lambda stream: window_update(stream, 0x7FFFFFFF),
    "DATA behind the end": lambda stream: frame(DATA, 0, stream, b"x"),
    "a body that is longer than its length": None,
    "a stream that depends on itself": lambda stream: frame(
        PRIORITY, 0, stream, stream.to_bytes(4, "big") + b"\x10"
    ),
}


@pytest.mark.rule("E11")
@pytest.mark.parametrize("what", PROVOKED)
def test_resets_end_the_connection(tunnel, what):
    """Rapid reset (CVE-2023-44487), and the resets that a viewer provokes (CVE-2025-8671)."""
    with harmless(tunnel), viewing(tunnel) as viewer:
        for _ in range(FLOOD):
            if not viewer.send(asks(viewer, PROVOKED[what])) or viewer.ended.is_set():
                break
        assert viewer.ended.wait(10 * SLOW), "the connection is still open"
        assert viewer.goaways[-1][0] in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, STREAM_CLOSED)


@pytest.mark.rule("E11")
def test_continuation_without_end(tunnel):
    with harmless(tunnel), viewing(tunnel) as viewer:
        viewer.send(frame(HEADERS, 0, 1, block((":method", "GET"))))
        viewer.send(frame(CONTINUATION, 0, 1, b"") * 20)
        wait_calmed(viewer, PROTOCOL_ERROR)  # nghttp2 counts them, too


@pytest.mark.rule("E15")
def test_bombs_of_fields_end_the_connection(tunnel):
    """A hundred bytes stand for 300 KB of fields. One costs its stream, many the connection."""
    bomb = hpack.Encoder()
    with harmless(tunnel), viewing(tunnel) as viewer:
        pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", tunnel.host)]
        first = bomb.encode([*pseudo, (":path", "/bytes/5"), ("x", "y" * 3000)])
        viewer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, first))
        assert viewer.answer(1).status == 200
        again = bomb.encode([*pseudo, (":path", "/bytes/5")]) + b"\xbe" * 100
        viewer.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, again))
        assert viewer.answer(3).status == 431
        for stream in range(5, 200, 2):
            if not viewer.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, again)):
                break
        wait_calmed(viewer)


@pytest.mark.rule("E12")
def test_a_viewer_that_never_reads_is_given_up(new_server, new_client, http_origin):
    """Its windows are closed for ever. What it has asked for is bounded, and is given up after
    --idle-timeout, whether its exchange is over or not."""
    server = new_server("--idle-timeout", "2s")
    client = new_client(http_origin.port, server=server)
    with viewing(client, window=0) as viewer, viewing(client) as other:
        short = viewer.ask("/bytes/1000")
        long = [viewer.ask(f"/bytes/{MIB}") for _ in range(20)]
        for stream in [short, *long]:
            assert viewer.head(stream).status == 200
        assert other.get("/bytes/5").status == 200
        for stream in [short, *long]:
            assert viewer.wait_reset(stream, 20 * SLOW) is not None
        status = other.get("/api/status", authority=f"localhost:{server.port}").json()
        assert status["buffered_octets"] < 64 << 10


@pytest.mark.rule("E12")
def test_uploads_wait_for_their_origin(shared):
    """An origin that reads nothing stops each upload after one window, and none of the others."""
    release = threading.Event()

    def serve(connection):
        line, _ = connection.request()
        if line.startswith("POST /slow"):
            release.wait(60)
        connection.body()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")

    client = shared(serve)
    with viewing(client) as viewer:
        assert viewer.settle()
        window = viewer.settings[SETTING_INITIAL_WINDOW]
        slow = [viewer.ask("/slow", method="POST", end=False) for _ in range(10)]
        for stream in slow:
            viewer.body(stream, bytes(window))
        assert viewer.settle()
        fast = viewer.ask("/fast", method="POST", end=False)
        viewer.body(fast, b"body", end=True)
        assert viewer.answer(fast).body == b"well"
        release.set()
        for stream in slow:
            viewer.body(stream, b"", end=True)
            assert viewer.answer(stream).status == 200


@pytest.mark.rule("E11")
def test_what_breaks_the_protocol_ends_the_connection(tunnel):
    for wrong in (
        frame(DATA, 0, 0, b"x"),
        frame(HEADERS, END_HEADERS, 2, b"\x82"),
        reset(99, CANCEL),
    ):
        with harmless(tunnel), viewing(tunnel) as viewer:
            assert viewer.settle()
            viewer.send(wrong)
            assert viewer.ended.wait(10 * SLOW)
            assert {code for code, _ in viewer.goaways} == {PROTOCOL_ERROR}

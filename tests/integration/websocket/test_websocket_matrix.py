# SPDX-License-Identifier: MIT
"""Tests WebSockets byte by byte: each end reads exactly what the other one writes, both ways at
once. Neither end uses a library."""

import os
import threading
import zlib

import pytest
from support.origins import accept_websocket
from support.pattern import pattern
from support.programs import SLOW
from support.viewer import Viewer, head
from support.wait import wait_until
from support.websocket_frames import (
    BINARY,
    CONTINUED,
    FIN,
    PING,
    PONG,
    RSV1,
    TEXT,
    close,
    fragments,
    frame,
)
from support.websocket_viewer import HANDSHAKE

MASK = b"\x9c\x01\xfe\x7b"
SIZES = [0, 1, 125, 126, 65_535, 65_536]
LARGE = 16 << 20


def deflated(messages, mask):
    """Returns compressed frames (RSV1, RFC 7692). One compressor makes all of them, so that each
    frame needs the ones before it."""
    compressor, frames = zlib.compressobj(wbits=-15), []
    for message in messages:
        data = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
        frames.append(frame(TEXT, data[:-4], mask, FIN | RSV1))
    return b"".join(frames)


def both(build):
    """Returns (the bytes of the viewer, the bytes of the origin)."""
    return build(MASK), build(None)


def flood(mask):
    """Returns pings and pongs with rising numbers and a message at the end. A change of their order
    would show."""
    return b"".join(
        frame(PING, b"%d" % n, mask) + frame(PONG, b"%d" % n, mask) for n in range(5000)
    ) + frame(TEXT, b"end", mask)


CODES = [*range(1000, 1016), 2999, 3000, 4999, 0, 65_535]
ROWS = {
    "sizes": both(lambda mask: b"".join(frame(BINARY, pattern(size), mask) for size in SIZES)),
    "one-byte-fragments": both(lambda mask: fragments(TEXT, pattern(3000), 1, mask)),
    "empty-fragments": both(
        lambda mask: frame(TEXT, b"", mask, 0)
        + frame(CONTINUED, b"", mask, 0) * 300
        + frame(CONTINUED, b"", mask)
    ),
    "many-fragments": both(lambda mask: fragments(BINARY, pattern(400_000), 127, mask)),
    "control-between": both(
        lambda mask: fragments(
            BINARY,
            pattern(50_000),
            997,
            mask,
            frame(PING, b"p" * 125, mask) + frame(PONG, b"", mask),
        )
    ),
    "deflate": both(
        lambda mask: deflated([pattern(size) * 2 for size in (0, 1, 1000, 70_000, 1000)], mask)
    ),
    "ping-flood": both(flood),
    "not-utf8": both(lambda mask: frame(TEXT, b"\xff\xfe\xc0", mask)),
    "reserved": both(
        lambda mask: frame(3, b"three", mask)
        + frame(BINARY, b"rsv", mask, FIN | 0x30)
        + frame(11, b"b", mask)
    ),
    "no-frames": both(lambda mask: bytes(range(256)) * 40),
    "16-MiB": both(lambda mask: frame(BINARY, pattern(LARGE), mask)),
    "16-MiB-fragments": both(lambda mask: fragments(BINARY, pattern(LARGE), 65_537, mask)),
}


@pytest.fixture
def opened(server, played, ended):
    """Returns opened(serve), which opens a WebSocket and returns its viewer. The script
    serve(connection) runs after the origin's 101."""

    def start(serve, *fields):
        client = played(
            lambda connection: (accept_websocket(connection, *fields), serve(connection))
        )
        viewer = ended.enter_context(Viewer(server.port, timeout_s=60))
        viewer.send(head("GET", "/", client.host, *HANDSHAKE, *fields))
        assert viewer.response().status == 101
        return viewer

    return start


def send_cut(end, data, sizes):
    """Sends @data in segments of these sizes in turn. After 500 segments it sends the rest at
    once."""
    for number in range(500 if sizes else 0):
        size = sizes[number % len(sizes)]
        end.send(data[:size])
        data = data[size:]
    end.send(data)


def exchange(opened, up, down, sizes=(), fields=()):
    """Lets both ends write at once and read all of it. Then each end sends FIN. Returns what the
    origin and the viewer read."""
    heard = []

    def serve(connection):
        writing = threading.Thread(target=send_cut, args=(connection, down, sizes))
        writing.start()
        got = connection.exactly(len(up))
        writing.join()
        connection.socket.shutdown(1)
        heard.append(got + connection.rest())

    viewer = opened(serve, *fields)
    writing = threading.Thread(target=send_cut, args=(viewer, up, sizes))
    writing.start()
    got = viewer.exactly(len(down))
    writing.join()
    got += viewer.rest()
    viewer.socket.shutdown(1)
    wait_until(lambda: heard, 20 * SLOW, "the origin's end")
    return heard[0], got


def same(heard, sent):
    """Fails unless @heard is @sent. It does not use assert, because pytest would print the
    difference of two times 16 MiB."""
    if heard != sent:
        at = len(os.path.commonprefix([heard, sent]))
        pytest.fail(
            f"{len(heard)} bytes for {len(sent)}; the first difference is at {at}: "
            f"{heard[at:at + 16]!r} for {sent[at:at + 16]!r}"
        )


@pytest.mark.rule("W7", "W10")
@pytest.mark.parametrize("row", ROWS)
def test_bytes_are_the_same(opened, row):
    up, down = ROWS[row]
    for heard, sent in zip(exchange(opened, up, down), (up, down)):
        same(heard, sent)


@pytest.mark.rule("W7")
@pytest.mark.parametrize(
    "sizes", [(1,), (1, 2, 3, 5, 7, 13), (1447, 1, 1449), (16_383, 2)], ids=str
)
def test_segments_may_cut_a_frame_anywhere(opened, sizes):
    """Segments end anywhere inside headers and masks."""
    up, down = both(
        lambda mask: b"".join(
            frame(BINARY, pattern(size), mask) for size in (0, 5, 125, 126, 300, 65_536)
        )
    )
    for heard, sent in zip(exchange(opened, up, down, sizes), (up, down)):
        same(heard, sent)


@pytest.mark.rule("W7")
def test_every_close_code(server, played):
    """All close codes pass, even those that must not be sent: they concern only the ends. The
    viewer closes first, the origin closes first, or both close at once."""
    cases = [(code, reason) for code in CODES for reason in (b"", b"r" * 123)] + [(None, b"")]
    wanted = [(close(code, reason, MASK), close(code, reason)) for code, reason in cases]
    heard = {}

    def serve(connection):
        accept_websocket(connection)
        number, who = map(int, connection.line.split()[1][1:].split("-"))
        up, down = wanted[number]
        first = connection.exactly(len(up)) if who == 0 else b""
        connection.send(down)
        got = first or connection.exactly(len(up))
        heard[number, who] = got + connection.rest()

    client = played(serve)
    for number, (up, down) in enumerate(wanted):
        for who in range(3):  # 0: the viewer closes first, 1: the origin, 2: both
            with Viewer(server.port) as viewer:
                viewer.send(
                    head("GET", f"/{number}-{who}", client.host, *HANDSHAKE)
                    + (up if who == 2 else b"")
                )
                assert viewer.response().status == 101
                if who == 0:
                    viewer.send(up)
                assert viewer.exactly(len(down)) == down
                if who == 1:
                    viewer.send(up)
                viewer.socket.shutdown(1)
                assert viewer.rest() == b"", cases[number]
    wait_until(lambda: len(heard) == 3 * len(wanted), 10 * SLOW, "the origin's ends")
    assert all(heard[key] == wanted[key[0]][0] for key in heard)

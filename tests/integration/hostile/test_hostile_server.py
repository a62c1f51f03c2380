# SPDX-License-Identifier: MIT
"""Tests that oneport does not trust its server: a server lets it register and attach, and then
sends frames to hurt (row 16).

oneport resets a bad request before a byte of it reaches the origin. A flood ends the link with the
right GOAWAY within a second, and oneport comes back. oneport connects to nothing but the configured
origin."""

import contextlib
import queue
import socket
import threading
import time

import pytest
from support.foreign_server import ForeignServer
from support.frames import (
    ACK,
    CANCEL,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INTERNAL_ERROR,
    PADDED,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    REFUSED_STREAM,
    RST_STREAM,
    SETTING_INITIAL_WINDOW,
    SETTINGS,
    WINDOW_UPDATE,
    RawServer,
    block,
    frame,
    goaway,
    headers,
    long_headers,
    request,
    reset,
    settings,
    window_update,
)
from support.hostile import Stage
from support.origins import ScriptedOrigin, answer_upgrade, reply
from support.programs import SLOW, VARIANT, Client
from support.wait import wait_until

MIB = 1 << 20
FLOOD = 16_000
CLOSED_S = 1.0 * SLOW


@pytest.fixture(scope="module")
def stage(certificate, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        made = Stage(certificate, tmp_path_factory.mktemp("hostile"), stack)
        assert made.ask() == (200, b"well")
        yield made


@contextlib.contextmanager
def harmless(stage):
    before = stage.client.rss()
    yield
    if VARIANT == "release":
        assert (
            stage.client.rss() - before <= 4 * MIB
        ), f"{(stage.client.rss() - before) >> 10} KiB more"


# ---- requests that must not reach the origin: D1, D2, D9 ----
def bad(**how):
    return lambda number: request(number, **how)


def raw(*fields, end=True):
    return lambda number: headers(number, *fields, end=end)


LINE = [(":method", "GET"), (":scheme", "http"), (":authority", "a.localhost"), (":path", "/bad")]


def line(**changed):
    return [(name, changed.get(name[1:], value)) for name, value in LINE]


def without(name):
    return [field for field in LINE if field[0] != name]


REQUESTS = [
    ("D1 host differs", raw(*LINE, ("host", "b.localhost"))),
    (
        "D1 host twice",
        raw(*without(":authority"), ("host", "a.localhost"), ("host", "a.localhost")),
    ),
    ("D1 nobody", raw(*without(":authority"))),
    ("D2 :path of a request line", bad(path="/bad HTTP/1.1\r\nX: y")),
    ("D2 :path with a space", bad(path="/bad x")),
    ("D2 :path with a fragment", bad(path="/bad#x")),
    ("D2 :path with an octet above 127", bad(path="/bad\x80")),
    ("D2 :path with NUL", bad(path="/bad\0")),
    ("D2 :path without a slash", bad(path="bad")),
    ("D2 :path of a URL", bad(path="http://b.localhost/bad")),
    ("D2 :path *", bad(path="*")),
    ("D2 :path of nothing", bad(path="")),
    ("D2 no :path", raw(*without(":path"))),
    ("D2 :path twice", raw(*LINE, (":path", "/bad"))),
    ("D2 :method with a space", bad(method="GET /bad")),
    ("D2 :method with a line", bad(method="GET\r\n")),
    ("D2 :method of nothing", bad(method="")),
    ("D2 no :method", raw(*without(":method"))),
    ("D2 :authority with credentials", bad(authority="user:word@a.localhost")),
    ("D2 :authority with a line", bad(authority="a.localhost\r\nX: y")),
    ("D2 :authority with a space", bad(authority="a.localhost b")),
    ("D2 :authority with a path", bad(authority="a.localhost/x")),
    ("D2 :authority with a port that is none", bad(authority="a.localhost:99999")),
    ("D2 a line in a value", bad(extra=[("x", "y\r\nz: forged")])),
    ("D2 NUL in a value", bad(extra=[("x", "y\0z")])),
    ("D2 a line in a name", bad(extra=[("x\r\nz", "y")])),
    ("D2 a colon in a name", bad(extra=[("x:y", "z")])),
    ("D2 a space in a name", bad(extra=[("x y", "z")])),
    ("D2 a name of nothing", bad(extra=[("", "z")])),
    ("D2 a name in capitals", bad(extra=[("X", "z")])),
    ("D2 a space before a value", bad(extra=[("x", " y")])),
    ("D2 transfer-encoding", bad(extra=[("transfer-encoding", "chunked")], end=False)),
    ("D2 connection", bad(extra=[("connection", "close")])),
    ("D2 upgrade", bad(extra=[("upgrade", "h2c")])),
    ("D2 te", bad(extra=[("te", "gzip")])),
    ("D2 a length with a sign", bad(extra=[("content-length", "+5")], end=False)),
    ("D2 two lengths", bad(extra=[("content-length", "5"), ("content-length", "6")], end=False)),
    ("D2 a pseudo-field behind the fields", raw(*without(":path"), ("x", "y"), (":path", "/bad"))),
    ("D2 a pseudo-field of an answer", raw(*LINE, (":status", "200"))),
    ("D2 a pseudo-field of nobody", raw(*LINE, (":what", "200"))),
    ("D9 :scheme ftp", bad(scheme="ftp")),
    ("D9 :scheme with a line", bad(scheme="http\r\n")),
    ("D9 no :scheme", raw(*without(":scheme"))),
    (
        "CONNECT to somewhere",
        raw((":method", "CONNECT"), (":authority", "b.localhost:443"), end=False),
    ),
    (":protocol without CONNECT", raw(*LINE, (":protocol", "websocket"))),
    ("129 fields", bad(extra=[("x", "y")] * 129)),
    ("fields of 66 KiB", lambda number: long_headers(number, *LINE, *[("x", "y" * 6000)] * 11)),
]


@pytest.mark.parametrize("make", [pytest.param(make, id=what) for what, make in REQUESTS])
def test_a_bad_request_never_reaches_the_origin(stage, make):
    peer = stage.link()
    number = stage.next_stream()
    before = len(stage.seen.lines)
    with harmless(stage):
        peer.send(make(number))
        wait_until(
            lambda: number in peer.resets or number in peer.over or peer.ended.is_set(),
            what="an end of the stream",
        )
    assert peer.resets.get(number) in (PROTOCOL_ERROR, INTERNAL_ERROR), (
        peer.heads.get(number),
        peer.goaways,
    )
    assert stage.ask("/next") == (200, b"well")
    assert [seen for seen in stage.seen.lines[before:] if "/next" not in seen] == []


@pytest.mark.parametrize("length", [3, 5])
def test_d4_a_body_of_another_length_never_looks_complete_to_the_origin(stage, length):
    peer, number = stage.link(), stage.next_stream()
    before = len(stage.seen.bodies)
    peer.send(request(number, "POST", "/bad", extra=[("content-length", str(length))], end=False))
    peer.send(frame(DATA, END_STREAM, number, b"four"))
    assert peer.wait_reset(number) == PROTOCOL_ERROR
    assert stage.ask("/next") == (200, b"well")
    assert stage.seen.bodies[before:] == [b""]  # of /next


# ---- only the configured origin ----
def test_authority_never_picks_the_target(stage):
    """Each request goes to the configured origin, whatever name, address or port :authority has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        port = other.getsockname()[1]
        for authority in (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"[::1]:{port}",
            f"0x7f000001:{port}",
            "metadata.internal",
            "169.254.169.254",
        ):
            before = len(stage.seen.lines)
            assert stage.ask(authority=authority, scheme="https") == (200, b"well")
            assert len(stage.seen.lines) == before + 1
            assert ("Host", authority) in [
                (name.title(), value) for name, value in stage.seen.heads[-1]
            ]
        peer, number = stage.link(), stage.next_stream()
        websocket = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":authority", f"127.0.0.1:{port}"),
            (":path", "/"),
        ]
        peer.send(headers(number, *websocket, ("sec-websocket-version", "13")))
        assert peer.wait_answer(number)[0] == 502  # this origin opens none
        with pytest.raises(BlockingIOError):
            other.accept()


# ---- what ends the link ----
FLOODS = [
    ("PING", b"", frame(PING, 0, 0, b"12345678")),
    ("answers to no PING", b"", frame(PING, ACK, 0, b"12345678")),
    ("SETTINGS", b"", settings()),
    (
        "SETTINGS that change the window",
        b"",
        settings({SETTING_INITIAL_WINDOW: 1}) + settings({SETTING_INITIAL_WINDOW: 99}),
    ),
    ("SETTINGS with 33 entries", frame(SETTINGS, 0, 0, b"\x00\x42\x00\x00\x00\x00" * 33), b""),
    ("empty DATA", request(1, "POST", "/flood", end=False), frame(DATA, 0, 1)),
    (
        "DATA of padding",
        request(1, "POST", "/flood", end=False),
        frame(DATA, PADDED, 1, b"\x03\x00\x00\x00"),
    ),
    ("PRIORITY", b"", frame(PRIORITY, 0, 1, b"\x00\x00\x00\x00\x10")),
    ("unknown frames", b"", frame(0x42, 0, 0, b"what")),
    ("tiny WINDOW_UPDATE of the connection", b"", window_update(0, 1)),
    (
        "tiny WINDOW_UPDATE of a stream",
        request(1, "POST", "/flood", end=False),
        window_update(1, 1),
    ),
    ("GOAWAY", request(1, "POST", "/flood", end=False), goaway(0, 0)),
    ("RST_STREAM of a stream that is over", request(1) + reset(1, CANCEL), reset(1, CANCEL)),
    ("CONTINUATION", frame(HEADERS, 0, 1, block(*LINE)), frame(CONTINUATION, 0, 1)),
]

WRONG = [
    ("CONTINUATION without HEADERS", frame(CONTINUATION, END_HEADERS, 1, b""), PROTOCOL_ERROR),
    (
        "something between HEADERS and CONTINUATION",
        frame(HEADERS, 0, 1, block(*LINE)) + settings(),
        PROTOCOL_ERROR,
    ),
    (
        "PUSH_PROMISE",
        request(1, "POST", "/bad", end=False)
        + frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00\x00\x00\x02" + block(*LINE)),
        PROTOCOL_ERROR,
    ),
    ("a stream of even number", request(2), PROTOCOL_ERROR),
    ("DATA of the connection", frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    ("HEADERS of the connection", frame(HEADERS, END_HEADERS, 0, block(*LINE)), PROTOCOL_ERROR),
    ("RST_STREAM of the connection", reset(0, CANCEL), PROTOCOL_ERROR),
    ("PRIORITY of the connection", frame(PRIORITY, 0, 0, b"\x00\x00\x00\x00\x10"), PROTOCOL_ERROR),
    ("PING of a stream", frame(PING, 0, 1, b"12345678"), PROTOCOL_ERROR),
    ("SETTINGS of a stream", frame(SETTINGS, 0, 1), PROTOCOL_ERROR),
    ("GOAWAY of a stream", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR),
    ("DATA of an idle stream", frame(DATA, 0, 99, b"x"), PROTOCOL_ERROR),
    ("RST_STREAM of an idle stream", reset(99, CANCEL), PROTOCOL_ERROR),
    ("WINDOW_UPDATE of an idle stream", window_update(99, 5000), PROTOCOL_ERROR),
    ("WINDOW_UPDATE of nothing", window_update(0, 0), PROTOCOL_ERROR),
    ("WINDOW_UPDATE over 2^31", window_update(0, 0x7FFFFFFF) * 2, FLOW_CONTROL_ERROR),
    (
        "INITIAL_WINDOW_SIZE over 2^31",
        settings({SETTING_INITIAL_WINDOW: 1 << 31}),
        FLOW_CONTROL_ERROR,
    ),
    ("ENABLE_PUSH 2", settings({2: 2}), PROTOCOL_ERROR),
    ("SETTINGS of 5 bytes", frame(SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00"), FRAME_SIZE_ERROR),
    (
        "SETTINGS acknowledged with something",
        frame(SETTINGS, ACK, 0, b"\x00\x03\x00\x00\x00\x01"),
        FRAME_SIZE_ERROR,
    ),
    ("PING of 7 bytes", frame(PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
    (
        "RST_STREAM of 3 bytes",
        request(1, "POST", "/bad", end=False) + frame(RST_STREAM, 0, 1, b"\x00\x00\x00"),
        FRAME_SIZE_ERROR,
    ),
    (
        "WINDOW_UPDATE of 5 bytes",
        frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x00\x01\x00"),
        FRAME_SIZE_ERROR,
    ),
    ("a frame of 16,385 bytes", frame(HEADERS, 0, 1, bytes(16_385)), FRAME_SIZE_ERROR),
    (
        "a field section that is none",
        frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
        COMPRESSION_ERROR,
    ),
    (
        "a table that is too large",
        frame(HEADERS, END_HEADERS, 1, b"\x3f\xff\xff\xff\x0f\x88"),
        COMPRESSION_ERROR,
    ),
]


def wait_closed(peer, since_s):
    assert peer.ended.wait(10 * SLOW), "the link is still open"
    assert time.monotonic() - since_s < CLOSED_S, f"closed after {time.monotonic() - since_s:.2f} s"


@pytest.fixture
def fresh(certificate, tmp_path, ended):
    """Starts a client for one test, because a client whose links never live long waits longer each
    time."""
    made = Stage(certificate, tmp_path, ended)
    made.link()
    return made


@pytest.mark.parametrize("once,again", [pytest.param(*row, id=what) for what, *row in FLOODS])
def test_a_flood_ends_the_link(fresh, once, again):
    peer = fresh.link()
    with harmless(fresh):
        alive = peer.send(once)
        for _ in range(FLOOD // 100 if again else 0):
            alive = alive and peer.send(again * 100)
        wait_closed(peer, time.monotonic())
    assert [ENHANCE_YOUR_CALM] == [given for given, _ in peer.goaways][-1:], peer.goaways
    assert fresh.ask() == (200, b"well")  # it has come back


@pytest.mark.parametrize("data,code", [pytest.param(*row, id=what) for what, *row in WRONG])
def test_a_malformed_frame_ends_the_link(fresh, data, code):
    peer = fresh.link()
    with harmless(fresh):
        peer.send(data)
        wait_closed(peer, time.monotonic())
    assert [code] == [given for given, _ in peer.goaways][-1:], peer.goaways


# ---- what is allowed and does no harm ----
def test_the_limit_of_streams_holds(certificate, tmp_path, ended):
    """oneport ends the link to a server that exceeds its limit of streams."""
    stage = Stage(certificate, tmp_path, ended, "--max-streams", "10")
    peer = stage.link()
    assert stage.ask() == (200, b"well")  # after this its SETTINGS are acknowledged
    before = len(stage.origin.connections)
    for _ in range(11):
        peer.send(request(stage.next_stream(), "POST", "/held", end=False))
    wait_closed(peer, time.monotonic())
    assert peer.goaways[-1][0] == PROTOCOL_ERROR
    assert len(stage.origin.connections) - before <= 10


class Stuck:
    """Accepts WebSockets, ends its own direction at once, and reads nothing until go is set."""

    def __init__(self):
        self.go = threading.Event()

    def __call__(self, connection):
        connection.request()
        if not connection.get("Sec-WebSocket-Key"):
            connection.send(reply(b"well", "Connection: close"))
            return
        answer_upgrade(connection)
        connection.socket.shutdown(socket.SHUT_WR)
        self.go.wait(60)


def push_until_stuck(server, answer):
    """Sends as much as the stream's window takes until it stays closed. Then sends the end."""
    still_since = time.monotonic()
    while time.monotonic() - still_since < 0.5:
        with server.lock:
            room = min(
                server.h2.local_flow_control_window(answer.number),
                server.h2.max_outbound_frame_size,
            )
            if room > 0:
                answer.send(bytes(room))
                still_since = time.monotonic()
        if room == 0:
            time.sleep(0.01)  # lets the reader take the lock
    answer.send(b"", end=True)
    answer.wait()


def test_a_slot_is_free_when_the_origin_is_done(certificate, tmp_path, ended):
    """A WebSocket is over in both directions, but the origin has not read its last bytes. The
    stream is gone and the connection is not, so the slot stays taken."""
    stuck = Stuck()
    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(stuck)))
    ended.callback(stuck.go.set)
    server = ended.enter_context(contextlib.closing(ForeignServer(certificate)))
    client = Client(server, origin.port, tmp_path, "--max-streams", "2")
    ended.callback(client.stop)
    for _ in range(2):
        push_until_stuck(
            server,
            server.ask(
                (":protocol", "websocket"),
                ("sec-websocket-version", "13"),
                method="CONNECT",
                end=False,
            ),
        )
    assert server.ask().wait_reset() == REFUSED_STREAM
    assert len(origin.connections) == 2
    stuck.go.set()
    wait_until(lambda: server.ask().wait().status == 200, 10 * SLOW, "free slots")


def floods_of_resets(count):
    """Returns a test that makes oneport reset @count live streams (CVE-2025-8671). Each of them is
    reset because its window overflows."""

    def run(certificate, directory, ended):
        streams = 10
        origin = Held()
        scripted = ended.enter_context(contextlib.closing(ScriptedOrigin(origin)))
        links = queue.Queue()
        server = ended.enter_context(contextlib.closing(RawServer(certificate, links.put)))
        client = Client(server, scripted.port, directory, "--max-streams", streams)
        ended.callback(client.stop)
        peer = links.get(timeout=20 * SLOW)
        before, seen = client.fds(), []
        for first in range(0, count, streams):
            batch = [2 * number + 1 for number in range(first, first + streams)]
            assert (
                peer.send(b"".join(request(number, "POST", "/held", end=False) for number in batch))
                and peer.settle()
            ), peer.goaways
            seen.append(client.fds() - before)
            assert (
                peer.send(b"".join(window_update(number, 0x7FFFFFFF) for number in batch))
                and peer.settle()
            ), peer.goaways
        assert set(peer.resets.values()) == {FLOW_CONTROL_ERROR} and len(peer.resets) == count
        renewal = 1  # the connection that renews the ticket may be open as well
        assert 0 < max(seen) <= streams + renewal, max(seen)
        wait_until(lambda: client.fds() <= before, 5 * SLOW, "the end of the origin's connections")
        wait_until(lambda: origin.open == 0, 5 * SLOW, "the origin to hear of it")

    return run


class Held:
    """This origin answers nothing, and closes only after the other side has closed."""

    def __init__(self):
        self.open, self.lock = 0, threading.Lock()

    def __call__(self, connection):
        with self.lock:
            self.open += 1
        try:
            while connection.some():
                pass
        except (EOFError, OSError):
            pass
        finally:
            with self.lock:
                self.open -= 1


def test_resets_that_we_are_made_to_send(certificate, tmp_path, ended):
    floods_of_resets(1000)(certificate, tmp_path, ended)


@pytest.mark.full
def test_nine_thousand_resets_that_we_are_made_to_send(certificate, tmp_path, ended):
    """The number is just below the budget of nuisances, at which the link would end."""
    floods_of_resets(9000)(certificate, tmp_path, ended)

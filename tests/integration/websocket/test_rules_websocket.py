# SPDX-License-Identifier: MIT
"""Tests the rules of WebSockets that need the whole path: which requests are upgrades, what waits
for the 101 and how a WebSocket ends."""

import signal
import threading

import pytest
from h2.settings import SettingCodes
from support.foreign import linked
from support.origins import accept_websocket, answer_upgrade, reply
from support.programs import SLOW, VARIANT, stable
from support.viewer import Viewer, head
from support.wait import wait_until
from support.websocket_frames import split as frames
from support.websocket_viewer import ACCEPT, HANDSHAKE

WAYS = ("direct", "nginx")
CLOSE_1012 = (1012).to_bytes(2, "big")


def without(name):
    return [line for line in HANDSHAKE if not line.lower().startswith(name)]


# ---- which requests are upgrades ----
UPGRADES = [
    ("W1 bad key", without("sec-websocket-key") + ["Sec-WebSocket-Key: AAAA"], 400),
    ("W1 no key", without("sec-websocket-key"), 400),
    ("W1 two keys", [*HANDSHAKE, HANDSHAKE[-1]], 400),
    ("W1 no version", without("sec-websocket-version"), 426),
    ("W1 another version", without("sec-websocket-version") + ["Sec-WebSocket-Version: 8"], 426),
    ("W1 with a body", [*HANDSHAKE, "Content-Length: 1"], 400),
    (
        "W1 lists and cases",
        ["upgrade: h2c, WebSocket", "connection: keep-alive, UPGRADE", *HANDSHAKE[2:]],
        101,
    ),
    (
        "W2 h2c",
        ["Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk"],
        200,
    ),
    ("W2 ptth", ["Upgrade: PTTH/1.0", "Connection: Upgrade"], 200),
    ("W2 not in Connection", without("connection"), 200),
]


@pytest.mark.parametrize(
    "fields,status", [pytest.param(fields, status, id=rule) for rule, fields, status in UPGRADES]
)
def test_only_a_whole_handshake_is_an_upgrade(server, played, fields, status):
    """A request that is no WebSocket handshake reaches the origin as a plain request, or is
    refused."""
    asked = []

    def serve(connection):
        connection.request()
        asked.append(connection.get("Upgrade"))
        answer_upgrade(connection) if asked[-1] else connection.send(reply())

    client = played(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *fields))
        got = viewer.response()
        assert got.status == status
    assert asked == {101: ["websocket"], 200: [None]}.get(status, [])
    if status == 426:
        assert got.get("Sec-WebSocket-Version") == "13"


@pytest.mark.rule("W12")
def test_a_handshake_has_the_spelling_of_the_rfc(server, played, way):
    """Servers and clients of small devices look for the names of RFC 6455 byte by byte."""
    offers = ["sec-websocket-protocol: a", "sec-websocket-extensions: x"]
    asked = []

    def serve(connection):
        asked.extend(connection.request()[1])
        answer_upgrade(connection, *offers)

    client = played(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *[line.lower() for line in HANDSHAKE], *offers))
        got = viewer.response()
    shared_names = ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"]
    sent = {"Sec-WebSocket-Key", "Sec-WebSocket-Version", *shared_names}
    assert sent <= {name for name, _ in asked}
    assert {("Upgrade", "websocket"), ("Connection", "Upgrade")} <= set(asked)
    names = {name for name, _ in got.fields}
    assert {"Sec-WebSocket-Accept", "Upgrade", "Connection", *shared_names} <= names
    if way == "direct":
        assert ("Connection", "Upgrade") in got.fields


@pytest.mark.rule("W5")
@pytest.mark.parametrize(
    "head_line",
    [
        "HTTP/1.1 200 OK\r\nContent-Length: 0",
        "HTTP/1.1 204 No",
        "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade",
        "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: "
        + ACCEPT,
    ],
)
def test_no_byte_passes_behind_half_a_handshake(server, played, head_line):
    """In the last row the accept belongs to the viewer's key. It is wrong, because oneport asked
    the origin with another key."""
    heard = []

    def serve(connection):
        connection.request()
        connection.send(f"{head_line}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        heard.append(connection.rest())

    with Viewer(server.port) as viewer:
        viewer.send(
            head("GET", "/", played(serve).host, *HANDSHAKE) + b"GET /smuggled HTTP/1.1\r\n\r\n"
        )
        got = viewer.response()
        assert (got.status, got.get("Proxy-Status")) == (502, "oneport; error=http_upgrade_failed")
        assert b"forged" not in viewer.rest()
    wait_until(lambda: heard, what="the origin connection's end")
    assert heard == [b""]


@pytest.mark.rule("W4")
def test_a_client_that_announces_no_websockets_gets_none(server, name, ended):
    link = linked(server.front, name, settings={SettingCodes.ENABLE_CONNECT_PROTOCOL: 0})
    ended.callback(link.close)
    with Viewer(server.port) as viewer:
        assert viewer.get(f"{name}.localhost", "/ws", *HANDSHAKE).status == 501
    assert not link.requests


# ---- what waits ----
@pytest.mark.rule("W6")
@pytest.mark.parametrize("size", [1, 60_000, 1 << 20])
def test_what_a_viewer_sends_early_waits_for_the_101(server, played, size):
    """All early bytes arrive in order, however many there are."""
    go, heard = threading.Event(), []
    early = bytes(number % 251 for number in range(size))

    def serve(connection):
        connection.request()
        assert connection.silent_for(0.1)
        go.wait(10)
        answer_upgrade(connection)
        heard.append(connection.exactly(size))

    client = played(serve)
    with Viewer(server.port) as viewer:
        sending = threading.Thread(
            target=viewer.send, args=(head("GET", "/", client.host, *HANDSHAKE) + early,)
        )
        sending.start()
        client.origin.wait_connections(1)
        go.set()
        got = viewer.response()
        assert (got.status, got.get("Sec-WebSocket-Accept")) == (101, ACCEPT)
        wait_until(lambda: heard, 10 * SLOW, "the early bytes")
        sending.join()
    assert heard == [early]


@pytest.mark.rule("W6")
def test_what_a_viewer_sends_early_is_not_all_buffered(new_server, shared):
    """oneportd buffers at most 64 KiB of early bytes. The kernel takes some more, then the viewer
    is held up."""
    go, size, sent = threading.Event(), 16 << 20, 0
    server = new_server()
    client = shared(lambda connection: (connection.request(), go.wait(20)), server=server)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        client.origin.wait_connections(1)
        before = stable(server.rss)
        viewer.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while sent < size:
                sent += viewer.socket.send(bytes(1 << 16))
        grown = server.rss() - before
        print(sent, grown)
        # 128 KiB on top allow for what one read takes.
        assert grown <= (64 + 128) << 10 or VARIANT != "release", grown
    go.set()


# ---- how they end ----
@pytest.fixture
def opened(server, ended):
    """Returns opened(client), which opens a WebSocket and returns its viewer."""

    def start(client, **keywords):
        viewer = ended.enter_context(Viewer(client.server.port, **keywords))
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        assert viewer.response().status == 101
        return viewer

    return start


@pytest.mark.rule("W7")
@pytest.mark.direct("N15")
def test_a_viewers_reset_reaches_the_origin_as_one(server, played, opened):
    ends = []

    def serve(connection):
        accept_websocket(connection)
        ends.append(connection.ended())

    viewer = opened(played(serve))
    viewer.reset()
    wait_until(lambda: ends, 5, "the origin connection's end")
    assert ends == [False]


@pytest.mark.rule("W8")
@pytest.mark.direct("N15")
def test_after_the_close_the_viewer_may_still_send(server, shared, opened):
    """oneportd reads what the viewer still sends, and does not answer with a reset."""
    client = shared(lambda connection: (accept_websocket(connection), connection.ended()))
    viewer = opened(client)
    client.kill9()
    found, rest = frames(viewer.exactly(2) + viewer.rest())
    assert rest == b"" and [(first, payload[:2]) for first, payload in found] == [
        (0x88, CLOSE_1012)
    ]
    for _ in range(3):
        viewer.send(b"\x81\x80\0\0\0\0\x88\x80\0\0\0\0")
    assert viewer.ended()


@pytest.mark.rule("W8")
def test_nothing_is_added_behind_the_origins_own_close(server, shared, opened):
    def serve(connection):
        accept_websocket(connection)
        connection.send(b"\x88\x02\x03\xe8")
        connection.ended()

    client = shared(serve)
    viewer = opened(client)
    assert viewer.exactly(4) == b"\x88\x02\x03\xe8"
    client.kill9()
    assert viewer.rest() == b""


@pytest.mark.rule("W8")
def test_a_frame_that_did_not_arrive_whole_is_not_sent(server, shared, opened):
    """The viewer does not read while the link is lost. Later it reads whole frames and a Close, or
    a part of a frame and no Close."""
    full = threading.Event()
    frame = b"\x82\x7e" + (5000).to_bytes(2, "big") + bytes(5000)

    def serve(connection):
        accept_websocket(connection)
        connection.socket.settimeout(0.5)
        try:
            while True:
                connection.send(frame)
        except TimeoutError:
            full.set()
        connection.socket.settimeout(20)
        connection.ended()

    client = shared(serve)
    viewer = opened(client, receive_buffer=32 << 10)
    assert full.wait(20)
    client.program.signal(signal.SIGKILL)
    client.program.judged = True
    found, rest = frames(viewer.rest())
    closes = [payload[:2] for first, payload in found if first == 0x88]
    assert [len(payload) for first, payload in found if first == 0x82] == [5000] * (
        len(found) - len(closes)
    ) and found
    assert (closes, rest) == ([CLOSE_1012], b"") or (closes == [] and rest)


# ---- silence ----
@pytest.mark.rule("W9", "F8")
def test_a_silent_socket_is_closed_in_order(new_server, shared, opened):
    """The PINGs of the link do not count as traffic of a WebSocket. Bytes in one direction do."""
    steps, server = threading.Event(), new_server(
        "--websocket-timeout", "600ms", "--keepalive", "200ms"
    )

    def serve(connection):
        accept_websocket(connection)
        for _ in range(6):
            steps.wait(0.2)  # the test needs this time to pass
            connection.send(b"\x82\x00")
        connection.ended()

    client = shared(serve, server=server)
    viewer = opened(client)
    found, rest = frames(viewer.exactly(12) + viewer.rest())
    assert rest == b"" and [first for first, _ in found] == [0x82] * 6 + [0x88]
    assert found[-1][1][:2] == CLOSE_1012
    server.wait_log(f"body_idle name={client.name} ")

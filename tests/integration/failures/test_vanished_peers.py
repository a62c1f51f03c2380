# SPDX-License-Identifier: MIT
"""Tests machines that vanish without a word: that of a viewer and that of an origin. Those that
live and read nothing lose nothing. Tests a sleep of the machine that runs a program, too.

Both programs run in one namespace, and who vanishes in another one behind a router."""

import contextlib
import socket
import threading
import time

import pytest
from support import netns, preload
from support.moved_clock import Clock
from support.netns import CLIENT, SERVER, Network
from support.origins import OriginConnection, answer_upgrade
from support.pattern import pattern
from support.programs import SLOW
from support.viewer import Viewer, fetch, head
from support.websocket_frames import frame

PORT = 8444
MIB = 1 << 20
SHORT = ("--peer-timeout", "2s")

apart_only = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


class Far:
    """Has a network, both programs at its one end, and an origin where the test wants it."""

    def __init__(self, net):
        self.net = net

    def vanish(self):
        """Neither end hears of the other any more."""
        self.net.lose(CLIENT, SERVER)


@pytest.fixture
def far(ended):
    return Far(ended.enter_context(contextlib.closing(Network())))


def origin_in(space, ended, serve, address):
    """Runs serve(connection) for each connection, in a namespace."""
    with space.inside():
        listener = ended.enter_context(socket.create_server((address, 0)))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                connection.settimeout(400)
                threading.Thread(target=run, args=(connection,), daemon=True).start()

    def run(connection):
        with contextlib.suppress(OSError, EOFError), OriginConnection(connection) as origin:
            serve(origin)

    threading.Thread(target=accept, daemon=True).start()
    return f"{address}:{listener.getsockname()[1]}"


def start(far, new_server, new_client, origin, *options):
    with far.net.server.inside():
        far.server = new_server("--listen", f"{SERVER}:{PORT}", *options)
        far.client = new_client(origin, *options, server=far.server)


def far_viewer(far):
    with far.net.client.inside():
        return Viewer(PORT, address=SERVER, timeout_s=400)


# ---- viewers
def viewer_vanishes(far, ended, new_server, new_client, options, websocket, talks, within_s):
    """The origin sees that its viewer is gone."""
    gone = threading.Event()

    def serve(connection):
        connection.request()
        if websocket:
            answer_upgrade(connection)
        else:
            connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.socket.settimeout(0.1)
        while True:
            try:
                if talks:
                    connection.send(frame(1, b"tick") if websocket else b"tick")
                if not connection.socket.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        gone.set()

    start(
        far, new_server, new_client, origin_in(far.net.server, ended, serve, "127.0.0.1"), *options
    )
    viewer = ended.enter_context(far_viewer(far))
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    viewer.send(head("GET", "/", far.client.host, *(upgrade if websocket else ())))
    assert viewer.until(b"\r\n\r\n").startswith(b"HTTP/1.1 101" if websocket else b"HTTP/1.1 200")
    if talks:
        viewer.until(b"tick")
    far.vanish()
    since = time.monotonic()
    assert gone.wait(within_s + 30)
    assert time.monotonic() - since <= within_s


@apart_only
@pytest.mark.rule("F26")
@pytest.mark.parametrize("websocket", [True, False], ids=["WebSocket", "answer"])
def test_a_viewer_vanishes(far, ended, new_server, new_client, websocket):
    viewer_vanishes(far, ended, new_server, new_client, SHORT, websocket, True, 6 * SLOW)


@apart_only
@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.rule("F26")
@pytest.mark.parametrize("talks", [True, False], ids=["talks", "silent"])
def test_a_viewer_vanishes_in_full(far, ended, new_server, new_client, talks):
    viewer_vanishes(far, ended, new_server, new_client, (), True, talks, 120)


# ---- origins
def origin_vanishes(far, ended, new_client, options, within_s):
    def serve(connection):
        while True:
            connection.request()
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    origin = origin_in(far.net.client, ended, serve, CLIENT)
    with far.net.server.inside():
        far.client = new_client(origin, *options, server=far.server)
        assert fetch(far.server.port, far.client.host).body == b"ok"
        far.vanish()
        since = time.monotonic()
        got = fetch(far.server.port, far.client.host, timeout_s=within_s + 30)
    assert (got.status, got.get("Proxy-Status")) == (502, "oneport; error=connection_terminated")
    assert time.monotonic() - since <= within_s


@apart_only
@pytest.mark.rule("F26")
def test_an_origin_vanishes(far, ended, new_server, new_client):
    with far.net.server.inside():
        far.server = new_server()
    origin_vanishes(far, ended, new_client, SHORT, 6 * SLOW)


@apart_only
@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.rule("F26")
def test_an_origin_vanishes_in_full(far, ended, new_server, new_client):
    with far.net.server.inside():
        far.server = new_server()
    origin_vanishes(far, ended, new_client, (), 35)


# ---- who lives and reads nothing
def stalls(new_server, new_client, scripted, options, side, stalled_s):
    """One side stops reading in the middle of a body, and then reads on."""
    size = 24 * MIB
    got = bytearray()

    def serve(connection):
        connection.socket.settimeout(stalled_s + 60)
        connection.request()
        if side == "viewer":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            connection.send(pattern(size))
            return
        got.extend(connection.exactly(MIB))
        time.sleep(stalled_s)  # the test is about such a time
        got.extend(connection.exactly(size - MIB))
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = new_server(*options)
    client = new_client(scripted(serve).port, *options, server=server)
    with Viewer(server.port, timeout_s=stalled_s + 60, receive_buffer=65536) as viewer:
        if side == "viewer":
            viewer.send(head("GET", "/", client.host))
            assert b"200 OK" in viewer.until(b"\r\n\r\n")
            got.extend(viewer.exactly(MIB))
            time.sleep(stalled_s)
            got.extend(viewer.exactly(size - MIB))
        else:
            viewer.socket.settimeout(stalled_s + 60)
            viewer.send(head("POST", "/", client.host, f"Content-Length: {size}"))
            viewer.send(pattern(size))
            assert viewer.response().status == 200
    assert bytes(got) == pattern(size)


@pytest.mark.rule("F27")
@pytest.mark.parametrize("side", ["viewer", "origin"])
def test_who_reads_nothing_loses_nothing(new_server, new_client, scripted, side):
    options = ("--peer-timeout", "500ms")
    stalls(new_server, new_client, scripted, options, side, 6)


@pytest.mark.full
@pytest.mark.timeout(400)
@pytest.mark.rule("F27")
@pytest.mark.parametrize("side", ["viewer", "origin"])
def test_who_reads_nothing_for_3_minutes(new_server, new_client, scripted, side):
    stalls(new_server, new_client, scripted, (), side, 185)


# ---- a sleep
@apart_only
@pytest.mark.skipif(preload.missing() is not None, reason=str(preload.missing()))
@pytest.mark.rule("F28")
@pytest.mark.parametrize("who", ["client", "server"])
def test_a_sleep(far, ended, new_server, new_client, http_origin, tmp_path, who):
    """Without the PING the link would be missed after an hour."""
    clock = Clock(tmp_path, "BOOT_CLOCK")
    rare = ("--keepalive", "1h")
    env = {who: clock.environment, "client" if who == "server" else "server": None}
    with far.net.server.inside():
        far.server = new_server(
            *("--listen", f"{SERVER}:{PORT}", "--attach-url", f"https://{SERVER}:{PORT}"),
            *rare,
            env=env["server"],
        )
    with far.net.client.inside():
        far.client = new_client(
            http_origin.port,
            *rare,
            "--insecure",
            server=far.server,
            url=f"https://{SERVER}:{PORT}",
            env=env["client"],
        )
    far.vanish()
    program = far.client.program if who == "client" else far.server.program
    clock.set(3600)
    program.wait_output(r"machine_has_slept.* ms=3(599|600)\d{3}\b", 15)
    missed = "link_missing|not_connected" if who == "client" else "link_lost"
    program.wait_output(missed, 25)

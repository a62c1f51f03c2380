# SPDX-License-Identifier: MIT
"""Tests the way from the start of a client to its first viewer: which round trips there are, and
that a viewer who is faster than the client's SETTINGS is served. docs/http-rules.md#few-round-trips
"""

import contextlib
import threading
import time

import pytest
from support.foreign import PREFACE, ForeignLink, attach, register
from support.faultproxy import DOWN, UP
from support.frames import ACK, SETTINGS, SWITCHING, RawServer, frame, request, settings
from support.front_ends import Caddy, Haproxy
from support.nginx import Nginx
from support.programs import Client
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE

FRONT_ENDS = {"nginx": Nginx, "caddy": Caddy, "haproxy": Haproxy}


@pytest.mark.rule("O83", "F54")
def test_a_viewer_who_comes_before_the_settings_is_held(server, name):
    """Before the 101 such a viewer gets 503 at once, since the name was never live."""
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    with Viewer(server.port) as viewer, contextlib.ExitStack() as stack:
        assert viewer.get(host).status == 503
        link = ForeignLink(server, name, ticket, start=False)
        stack.callback(link.close)
        viewer.send(head("GET", "/", host))
        assert viewer.silent_for(0.3), "not held"
        link.start()
        assert viewer.response().body == b"hello from a stranger"


@pytest.mark.rule("O83")
def test_a_websocket_that_comes_before_the_settings_is_held(server, name):
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    link = ForeignLink(
        server, name, ticket, serve=lambda stream: stream.answer(200, end=False), start=False
    )
    with contextlib.closing(link), Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", host, *HANDSHAKE))
        assert viewer.silent_for(0.2), "not held"
        link.start()
        assert viewer.response().status == 101


@pytest.mark.rule("O83")
def test_a_client_that_never_comes_up_holds_for_a_while(new_server, name):
    """A request waits for --hold; one that comes after --attach-timeout does not wait."""
    server = new_server("--hold", "2s", "--attach-timeout", "300ms")
    host, ticket = f"{name}.localhost", register(server, name)["ticket"]
    link, got = attach(server, name, ticket)
    with link, Viewer(server.port) as viewer:
        assert got.status == 101
        start = time.monotonic()
        assert viewer.get(host).status == 503
        assert time.monotonic() - start > 1.99
        link.rest()  # the server has ended the link meanwhile
        start = time.monotonic()
        assert viewer.get(host).status == 503
        assert time.monotonic() - start < 1.9


# ---- register and attach


@pytest.fixture(scope="module", params=["direct", *FRONT_ENDS])
def door(request, server, tmp_path_factory):
    """Is what has the TLS port: the server, or a front end."""
    kind = FRONT_ENDS.get(request.param)
    if not kind:
        yield server
        return
    if not kind.PROGRAM:
        pytest.skip(f"{kind.name} is not installed")
    front = kind(server, tmp_path_factory.mktemp(kind.name))
    yield front
    front.stop()


# No ticket file, so that no second register call tells that the ticket is kept.
NO_FILE = ["--ticket-file", "/dev/null/none"]


@pytest.mark.rule("O80")
def test_register_and_attach_are_one_connection(door, server, http_origin, new_client, new_proxy):
    proxy = new_proxy(door.port)
    client = new_client(http_origin.port, *NO_FILE, url=f"https://localhost:{proxy.port}")
    assert client.url == f"https://{client.name}.localhost:{proxy.port}"
    assert len(proxy.relays) == 1
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("O80")
@pytest.mark.parametrize("workers", [1, 2])
def test_the_next_link_dials(new_server, http_origin, new_client, new_proxy, workers):
    """A link that is lost comes back by its ticket, with a connection of its own. With workers, the
    connection moves to the one that has the name."""
    server = new_server("--workers", workers)
    for _ in range(4):
        proxy = new_proxy(server.port)
        client = new_client(
            http_origin.port, *NO_FILE, server=server, url=f"https://localhost:{proxy.port}"
        )
        assert len(proxy.relays) == 1
        proxy.reset()
        server.wait_link(client.name, 2)
        assert len(proxy.relays) == 2


@pytest.mark.rule("O80")
def test_another_port_is_dialled(new_server, http_origin, new_client, new_proxy):
    attaches = new_proxy(0)
    server = new_server("--attach-url", f"https://localhost:{attaches.port}")
    attaches.target_port = server.port
    registers = new_proxy(server.port)
    new_client(http_origin.port, *NO_FILE, server=server, url=f"https://localhost:{registers.port}")
    assert (len(registers.relays), len(attaches.relays)) == (1, 1)
    wait_until(lambda: registers.relays[0].gone, what="the end of the register call")


LAG_S = 0.15  # so that what leaves together passes together


@pytest.mark.rule("O80", "O82", "O85")
def test_the_round_trips_of_a_start(door, server, http_origin, new_client, new_proxy):
    """TCP, TLS, register and attach; then the URL is there. The first request takes one more."""
    proxy = new_proxy(door.port)
    proxy.shape(lag_s=LAG_S)
    proxy.allow(DOWN, 3)
    client = new_client(
        http_origin.port, *NO_FILE, url=f"https://localhost:{proxy.port}", wait=False
    )
    client.wait_url(20)
    (relay,) = proxy.relays
    assert relay.flights[:6] == [UP, DOWN] * 3
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/echo", client.host))
        assert viewer.silent_for(3 * LAG_S)
        proxy.allow(DOWN, 4)
        relay.thaw(DOWN)
        assert viewer.response().status == 200
    assert len(proxy.relays) == 1 and "link_up" in client.program.log


class OddServer(RawServer):
    """Answers the first register call, and what comes behind it, in an odd way."""

    def __init__(self, certificate, manner):
        self.manner = manner
        super().__init__(certificate, lambda peer: peer.ended.wait())

    def answer(self, connection, lines):
        if len(self.calls) == 1:
            self.manner(self, connection, lines)
        else:
            super().answer(connection, lines)


def says_close(server, connection, lines):
    connection.send(server.registered().replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
    raise EOFError


def speaks_http_1_0(server, connection, lines):
    connection.send(server.registered().replace("HTTP/1.1", "HTTP/1.0", 1))
    raise EOFError


def closes(server, connection, lines):
    connection.send(server.registered())
    raise EOFError


def says_the_next_answer(server, connection, lines):
    """Register's answer has the 101 behind it, and a request of HTTP/2, in one segment."""
    stolen = SWITCHING.encode() + PREFACE + settings({}) + request(1, path="/stolen")
    connection.send(server.registered().encode() + stolen)
    connection.head()  # comes only if the client goes on here


def closes_at_the_attach(server, connection, lines):
    if len(lines) > 1:
        raise EOFError
    connection.send(server.registered())


def resets_at_the_attach(server, connection, lines):
    if len(lines) > 1:
        connection.reset()
        raise EOFError
    connection.send(server.registered())


@pytest.mark.rule("O80", "O81")
@pytest.mark.parametrize(
    "manner, tries",
    [
        (says_close, 1),
        (speaks_http_1_0, 1),
        (closes, 1),
        (says_the_next_answer, 1),
        (closes_at_the_attach, 2),
        (resets_at_the_attach, 2),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_connection_that_cannot_go_on(certificate, tmp_path, ended, scripted, manner, tries):
    """Attach dials anew, and nobody hears of it."""
    server = ended.enter_context(contextlib.closing(OddServer(certificate, manner)))
    asked = []
    origin = scripted(lambda connection: asked.append(connection.request()))
    client = Client(server, origin.port, tmp_path, *NO_FILE)
    ended.callback(client.stop)
    assert client.url.startswith("https://hostile-name.")
    first, second = server.calls
    assert [line.split()[1] for line in first + second] == (
        ["/register"] + tries * ["/tunnel/hostile-name"]
    )
    assert "not_connected" not in client.program.log
    assert not asked


# ---- the URL


class SilentServer(RawServer):
    """Does not acknowledge the client's SETTINGS before .go is set."""

    def __init__(self, certificate, hold_ms):
        super().__init__(certificate, None)
        self.hold_ms = hold_ms
        self.settings, self.go = threading.Event(), threading.Event()

    def _run(self, connection):
        connection.send(PREFACE + settings({}))
        connection.exactly(9)
        self.settings.set()
        self.go.wait(60)
        connection.send(frame(SETTINGS, ACK, 0))
        connection.rest()


@pytest.mark.rule("O82")
@pytest.mark.parametrize("hold_ms", [4000, 0])
def test_the_url_comes_with_our_settings(certificate, tmp_path, ended, http_origin, hold_ms):
    """A client whose server holds nobody waits for the acknowledgement."""
    server = ended.enter_context(contextlib.closing(SilentServer(certificate, hold_ms)))
    client = Client(server, http_origin.port, tmp_path, *NO_FILE, wait=False)
    ended.callback(client.stop)
    assert server.settings.wait(20)
    if hold_ms > 0:
        client.wait_url()
        assert "link_up" not in client.program.log
    else:
        time.sleep(0.3)
        assert client.program.stdout == ""
    server.go.set()
    client.wait_up()


@pytest.mark.rule("O82", "O83")
def test_a_viewer_is_faster_than_the_settings(server, http_origin, new_client, new_proxy):
    """The line to the client is long, the viewer is beside the server."""
    proxy = new_proxy(server.port)
    proxy.shape(UP, lag_s=0.5)
    client = new_client(
        http_origin.port, *NO_FILE, url=f"https://localhost:{proxy.port}", wait=False
    )
    client.wait_url(20)
    seen = links(server, client.name)
    assert fetch(server.port, client.host, "/echo").status == 200
    assert seen == 0


@pytest.mark.rule("O84")
def test_the_next_link_resumes_the_session(certificate, tmp_path, ended, http_origin):
    server = RawServer(certificate, lambda peer: peer.ended.wait(60))
    ended.enter_context(contextlib.closing(server))
    client = Client(server, http_origin.port, tmp_path, *NO_FILE)
    ended.callback(client.stop)
    ended.callback(server.close)  # first, so that the client has no server to say goodbye to
    for number in range(3):
        wait_until(lambda: len(server.peers) > number, 20, "the next link")
        assert server.peers[number].connection.socket.session_reused == (number > 0)
        server.peers[number].close()

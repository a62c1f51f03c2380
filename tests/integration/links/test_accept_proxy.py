# SPDX-License-Identifier: MIT
"""Tests connections that a front end passes on: the PROXY protocol says whose they are."""

import select
import signal
import socket
import ssl
import struct
import time

import pytest
from support import netns, nginx
from support.addresses import SERVER
from support.front_ends import found
from support.old_clients import (
    ANSWER,
    CLIENT,
    HEAD,
    PORT,
    STRANGER,
    VIEWER,
    Raw,
    answering,
    register_from,
)
from support.origins import reply, wake
from support.programs import Program
from support.wait import wait_until

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))

FRONT = "10.9.5.5"
FAR, FAR6 = "10.9.6.6", "2001:db8:6::6"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def binary(address, tail=b""):
    """Returns a header of version 2, with the TLVs @tail."""
    family, kind = (socket.AF_INET6, 0x21) if ":" in address else (socket.AF_INET, 0x11)
    ends = 2 * socket.inet_pton(family, address) + struct.pack("!HH", 5000, 443) + tail
    return SIGNATURE + bytes([0x21, kind]) + struct.pack("!H", len(ends)) + ends


def text(address):
    """Returns a header of version 1."""
    return f"PROXY TCP{6 if ':' in address else 4} {address} {address} 5000 443\r\n".encode()


HAPROXY = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen relay
    bind {}:443
    server oneportd 127.0.0.1:{} send-proxy-v2 source 127.0.0.2
"""
LOCAL = SIGNATURE + b"\x20\0\0\0"
UNKNOWN = b"PROXY UNKNOWN\r\n"


class Seen:
    """Is a service that answers with the address of the viewer, without the front end behind it."""

    def __call__(self, connection):
        while True:
            connection.request()
            fields = {name.lower(): value for name, value in connection.fields}
            connection.send(reply(fields["x-forwarded-for"].partition(",")[0].encode()))


@pytest.fixture
def front(world):
    """Returns front(*options): a world with a front end at FRONT."""
    return lambda *options: world("--accept-proxy", f"{FRONT}/32", *options)


def of_any_name(w, *alpn):
    """Returns a context for tunnels, whose names OpenSSL does not find in *.localhost."""
    context = w.server.certificate.client_context(list(alpn))
    context.check_hostname = False
    return context


def relayed(w, header, tls=True, name="localhost"):
    """Returns a viewer whose connection the front end passes on behind @header."""
    context = of_any_name(w, "http/1.1") if tls else None
    return w.ended.enter_context(w.here.viewer(FRONT, PORT, context, name, first=header))


def accepts(w, port):
    try:
        w.here.connect(VIEWER, port).close()
    except ConnectionError:
        return False
    return True


def ending(w, source, data):
    """Returns what the server answers to @data before it closes."""
    viewer = w.viewer(source)
    viewer.send(data)
    try:
        return viewer.rest()
    except ConnectionResetError:
        return b""


# ---- who the viewer is ----
@pytest.mark.rule("L12")
@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize(
    "header, address",
    [
        (binary(FAR), FAR),
        (binary(FAR6), FAR6),
        (binary(FAR, b"\x04\0\3abc" * 200), FAR),
        (text(FAR), FAR),
        (text(FAR6), FAR6),
        (LOCAL, FRONT),
        (UNKNOWN, FRONT),
    ],
)
def test_the_viewer_is_who_the_header_names(header, address, tls, front):
    """It is for the service, also in the second request of a connection."""
    w = front()
    share = w.share(w.origin(Seen()))
    viewer = relayed(w, header, tls)
    for _ in range(2):
        assert viewer.get(share.host).body == address.encode()
    assert w.ask(share).body == VIEWER.encode(), "others have no header"


@pytest.mark.rule("L12")
def test_a_header_in_pieces(front):
    """Each byte of it has a segment of its own, and so has the begin of TLS."""
    w = front()
    share = w.share(w.origin(Seen()))
    for header in (binary(FAR), text(FAR)):
        raw = w.here.connect(FRONT, PORT)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = w.server.certificate.client_context(["http/1.1"])
        tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in header + outgoing.read():
            raw.sendall(bytes([byte]))
        while True:
            incoming.write(raw.recv(65536))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                continue
        tls.write(HEAD.replace(b"app", share.id.encode()))
        raw.sendall(outgoing.read())
        got = b""
        while not got.endswith(FAR.encode()):
            try:
                got += tls.read()
            except ssl.SSLWantReadError:
                incoming.write(raw.recv(65536))
        assert got.startswith(b"HTTP/1.1 200")
        raw.close()


@pytest.mark.rule("L12")
def test_on_all_workers(front):
    """A connection that moves to another worker keeps what its header said."""
    w = front("--workers", "4")
    shares = [w.share(w.origin(Seen()), f"app-{i}") for i in range(4)]
    for share in shares:
        assert relayed(w, text(FAR), name=share.host).get(share.host).body == FAR.encode()


@pytest.mark.rule("L12")
def test_a_network_that_the_header_names_may_be_limited(front):
    """The limit of requests counts the viewer that is named, not the front end."""
    w = front("--viewer-rate", "1")
    share = w.share(w.origin(answering))
    codes = [relayed(w, text(FAR), tls=False).get(share.host).status for _ in range(14)]
    assert codes[:10] == [200] * 10 and 429 in codes
    assert relayed(w, text(STRANGER), tls=False).get(share.host).status == 200


# ---- who may send a header, and who must ----
@pytest.mark.rule("L13")
@pytest.mark.parametrize("header", [text(FAR), binary(FAR)], ids=["text", "binary"])
def test_a_header_from_elsewhere(header, front):
    """It is a malformed request, whether or not the option is used."""
    w = front()
    assert ending(w, VIEWER, header + HEAD).startswith(b"HTTP/1.1 400 ")
    assert "proxy_header_refused" not in w.server.log


@pytest.mark.rule("L13")
@pytest.mark.parametrize(
    "data",
    [
        HEAD,
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"__h2o_leap__ app\n",
        b"PROXY TCP4 10.9.6.6 10.9.0.1 5000\r\n" + HEAD,
        b"PROXY TCP6 10.9.6.6 10.9.0.1 5000 443\r\n" + HEAD,
        b"PROXY TCP4 10.9.6.6 10.9.0.1 5000 443\n" + HEAD,
        b"PROXY " + b"x" * 110,
        SIGNATURE + b"\x31\x11\0\x0c" + bytes(12),
        SIGNATURE + b"\x21\x11\0\x04" + bytes(4),
        SIGNATURE + b"\x21\x11\xff\xff",
    ],
    ids=range(10),
)
def test_a_front_end_without_a_header(data, front):
    """It is closed without an answer, and the log says whose fault that is."""
    w = front()
    assert ending(w, FRONT, data) == b""
    w.server.program.wait_output(
        f'proxy_header_refused peer={FRONT} reason="no header of the PROXY protocol"'
    )


@pytest.mark.rule("L13")
@pytest.mark.parametrize("data", [b"", b"PROXY TCP4 10.9", binary(FAR)[:20]], ids=range(3))
def test_a_header_that_does_not_end(data, front):
    w = front("--head-timeout", "1s")
    start = time.monotonic()
    assert ending(w, FRONT, data) == b""
    assert time.monotonic() - start > 0.8


@pytest.mark.rule("L13")
def test_a_header_that_breaks_off(front):
    w = front()
    viewer = w.viewer(FRONT)
    viewer.send(binary(FAR)[:20])
    viewer.socket.shutdown(socket.SHUT_WR)
    assert viewer.rest() == b""


# ---- sockets of old clients ----
@pytest.mark.rule("L12")
@pytest.mark.parametrize("source, served", [(CLIENT, True), (STRANGER, False)])
def test_the_address_is_the_identity(source, served, front):
    """A socket serves the name that the address in its header has registered."""
    w = front()
    assert relayed(w, text(CLIENT), tls=False).get("localhost", "/register/app").status == 200
    raw = Raw(w, source=FRONT, first=binary(source))
    if served:
        wait_until(lambda: w.sockets("app") == 1, what="the socket")
        return
    assert raw.end() == "closed"
    assert "another address has registered the name" in w.server.log


def exchange(w, raw, answer=ANSWER):
    viewer = w.viewer()
    viewer.send(HEAD)
    raw.request()
    raw.answer(answer)
    assert viewer.response().status == 200


@pytest.mark.rule("L14", "L17")
def test_a_socket_is_never_closed_first(front):
    """It serves again after a rest. When it serves no more, empty lines ask whether its service is
    gone; it is lost if that is not."""
    w = front()
    register_from(w)
    raw = Raw(w, source=FRONT, first=binary(CLIENT))
    wait_until(lambda: w.sockets("app") == 1, what="the socket")
    exchange(w, raw)
    time.sleep(1.5)  # one that comes without a front end is reset after 1 s
    exchange(w, raw)
    assert w.status()["old_sockets_lost"] == 0
    exchange(w, raw, reply(b"bye", "Connection: close"))
    wait_until(lambda: w.status()["old_sockets_lost"] == 1, what="the socket's loss")
    w.server.program.wait_output("old_client_socket_lost name=app")
    assert raw.viewer.exactly(6) == b"\r\n" * 3
    raw.socket.settimeout(1.5)
    with pytest.raises(TimeoutError):
        raw.socket.recv(1)


@pytest.mark.rule("L17")
def test_a_client_that_ends_its_socket(front):
    """Its service is gone, and the empty lines have told it so: the socket is not lost."""
    w = front()
    register_from(w)
    raw = Raw(w, source=FRONT, first=binary(CLIENT))
    wait_until(lambda: w.sockets("app") == 1, what="the socket")
    exchange(w, raw, reply(b"bye", "Connection: close"))
    assert raw.viewer.exactly(2) == b"\r\n"
    raw.socket.close()
    wait_until(lambda: w.sockets("app") == 0, what="the socket's end")
    raw = Raw(w, source=FRONT, first=binary(CLIENT))
    wait_until(lambda: w.sockets("app") == 1, what="the new one")
    exchange(w, raw)
    assert w.status()["old_sockets_lost"] == 0


@pytest.mark.rule("L16", "L17")
def test_a_service_that_has_closed_one_connection(front):
    """A silent socket ends, and its request goes to the one that its client opens then. Another one
    that has rested is asked by empty lines, and serves on."""
    w = front()
    register_from(w)
    raws = [Raw(w, source=FRONT, first=binary(CLIENT)) for _ in range(2)]
    wait_until(lambda: w.sockets("app") == 2, what="both sockets")
    time.sleep(1.2)  # a socket is doubted that has rested for 1 s
    viewer = w.viewer()
    viewer.send(HEAD)
    ready = select.select([raw.socket for raw in raws], [], [], 20)[0]
    gone = next(raw for raw in raws if raw.socket in ready)
    there = next(raw for raw in raws if raw is not gone)
    gone.request()
    assert gone.viewer.exactly(2) == b"\r\n"
    gone.socket.close()
    back = Raw(w, source=FRONT, first=binary(CLIENT))
    back.request()
    back.answer()
    assert viewer.response().body == b"here"
    assert there.viewer.exactly(6) == b"\r\n" * 3
    viewers = [w.viewer() for _ in range(2)]
    for viewer in viewers:
        viewer.send(HEAD)
    for raw in (there, back):
        raw.request()
        raw.answer()
    assert [viewer.response().status for viewer in viewers] == [200, 200]
    assert w.status()["old_sockets_lost"] == 0


@pytest.mark.rule("L12", "L14")
def test_behind_haproxy(world, tmp_path):
    """HAProxy sends version 2, and ends nothing that oneportd does not end."""
    w = world("--accept-proxy", "127.0.0.2")
    file = tmp_path / "haproxy.cfg"
    file.write_text(HAPROXY.format(SERVER, w.server.port))
    with w.here.inside():
        haproxy = Program([found("haproxy"), "-db", "-f", file], tmp_path, "haproxy")
    w.ended.callback(haproxy.stop, code=-signal.SIGTERM)
    wait_until(lambda: accepts(w, 443), what="HAProxy's port")
    register_from(w)
    raws = [Raw(w, source=source, port=443) for source in (CLIENT, STRANGER)]
    assert raws[1].end() == "closed" and w.sockets("app") == 1
    for _ in range(2):
        viewer = w.viewer()
        viewer.send(HEAD)
        raws[0].request()
        raws[0].answer()
        assert viewer.response().body == b"here"
        time.sleep(1.2)  # one that comes without a front end is reset after 1 s
    assert w.sockets("app") == 1 and w.status()["old_sockets_lost"] == 0


# ---- nginx with stream.conf ----
@pytest.fixture
def behind(world, tmp_path):
    """Returns a world with nginx on port 443, as nginx/README.md sets it up."""
    if not nginx.STREAM.exists():
        pytest.skip(f"{nginx.STREAM} is missing: Debian's libnginx-mod-stream has it")
    w = world("--accept-proxy", "127.0.0.2")
    with w.here.inside():
        w.nginx = nginx.StreamNginx(w.server, tmp_path / "nginx")
    w.ended.callback(w.nginx.stop)
    return w


@pytest.mark.rule("L12", "L14")
def test_wave_share_behind_nginx(behind):
    """It shares as it does without nginx, and its sockets are served by their own address."""
    w = behind
    share = w.share(w.origin(Seen()), connections=3, port=443)
    tls = of_any_name(w, "http/1.1")
    for source in (VIEWER, STRANGER):
        viewer = w.ended.enter_context(w.here.viewer(source, 443, tls, share.host))
        for _ in range(3):
            assert viewer.get(share.host).body == source.encode()
    time.sleep(1.5)
    assert share.count("again") == 0 and w.sockets(share.id) == 3
    stranger = Raw(w, source=STRANGER, port=443)
    assert stranger.end() == "closed" and w.sockets(share.id) == 3


@pytest.mark.rule("L12")
def test_what_goes_where_behind_nginx(behind):
    """A hello without ALPN reaches the base domain at oneportd itself, and a tunnel by nginx; the
    address is the viewer's on either way."""
    w = behind
    share = w.share(w.origin(Seen()))
    tls = of_any_name(w)
    direct = w.ended.enter_context(w.here.viewer(VIEWER, 443, tls))
    assert direct.get("localhost", "/healthz").status == 200
    assert direct.get(share.host).body == VIEWER.encode()
    other = w.ended.enter_context(w.here.viewer(STRANGER, 443, tls, share.host))
    assert other.get(share.host).body == STRANGER.encode()
    code, output = w.nginx.check()
    assert code == 0 and w.nginx.COMPLAINT not in output, output


@pytest.mark.rule("L17")
def test_connection_close_behind_nginx(behind):
    """Behind `Connection: close` a socket serves no more. Its client hears of that by the empty
    lines, and opens it anew."""
    w = behind

    def serve(connection):
        connection.request()
        connection.send(reply(b"bye", "Connection: close"))

    share = w.share(w.origin(serve), connections=3, port=443)
    for again in (1, 2, 3, 4):
        assert w.ask(share).body == b"bye"
        share.wait_output(r"^again$", stream="stdout", count=again)
    wait_until(lambda: w.sockets(share.id) == 3, what="all sockets")
    assert w.status()["old_sockets_lost"] == 0 and share.count("lost") == 0


@pytest.mark.rule("L16", "L17")
def test_a_service_that_starts_again_behind_nginx(behind):
    """All its connections have ended unseen. The first request finds that out, and is served."""
    w = behind
    origin = w.origin(answering)
    share = w.share(origin, connections=3, port=443)
    for connection in list(origin.connections):
        wake(connection.socket)
    time.sleep(1.2)  # a socket is doubted that has rested for 1 s
    assert w.ask(share).body == b"here"
    share.wait_output(r"^again$", stream="stdout", count=3, deadline_s=20)
    wait_until(lambda: w.sockets(share.id) == 3, what="all sockets")
    assert w.status()["old_sockets_lost"] == 0 and share.count("lost") == 0

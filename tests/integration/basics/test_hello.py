# SPDX-License-Identifier: MIT
"""Tests the gate: how it reads the ClientHello of a connection before TLS begins."""

import json
import socket
import ssl

import pytest
from support.origins import OriginProgram
from support.programs import Client, Server
from support.viewer import Viewer, fetch, head

WORKERS = 4
TUNNELS = 4
VIEWERS = 24
DECODE_ERROR = b"\x15\x03\x01\x00\x02\x02\x32"
HEAD_OF_RECORD = 5


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, certificate):
    """Starts a server with several workers, and tunnels on them."""
    server = Server(tmp_path_factory.mktemp("server"), certificate, "--workers", WORKERS)
    origin = OriginProgram("http_origin", tmp_path_factory.mktemp("origin"))
    clients = [
        Client(server, origin.port, tmp_path_factory.mktemp("client"), name=f"hello{number}")
        for number in range(TUNNELS)
    ]
    for client in clients:
        client.program.wait_output(r"ticket_renewed")  # by a call that may be handed on, too
    yield server, [client.host for client in clients]
    for thing in (*clients, origin, server):
        thing.stop()


def insecure(alpn=("http/1.1",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


def name_of(host):
    return host.partition(":")[0]


class Hand:
    """Does TLS by hand: sends the first message as the test wants it."""

    def __init__(self, port, name, alpn):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = insecure(alpn).wrap_bio(
            self.incoming, self.outgoing, server_hostname=name_of(name)
        )
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        self.hello = self.outgoing.read()

    def _until_done(self, act, *arguments):
        while True:
            try:
                done = act(*arguments)
            except ssl.SSLWantReadError:
                done = None
            if self.outgoing.pending:
                self.socket.sendall(self.outgoing.read())
            if done is not None:
                return done
            self.incoming.write(self.socket.recv(65536))

    def get(self, host):
        """Finishes the handshake and returns the first bytes of an answer."""
        self._until_done(lambda: self.tls.do_handshake() or True)
        self._until_done(self.tls.write, head("GET", "/echo", host))
        return self._until_done(self.tls.read, 65536)


def long_alpn(size):
    """Returns protocols that make a hello longer by about @size bytes."""
    return [f"{number:03}" + "x" * 96 for number in range(size // 100)] + ["http/1.1"]


@pytest.mark.rule("E50")
@pytest.mark.parametrize("segments", [1, 2, 1800])
def test_a_long_hello_in_segments(crowd, segments):
    """A hello of 1.8 KB is read whole, however many segments bring it."""
    server, hosts = crowd
    hand = Hand(server.port, hosts[0], long_alpn(1400))
    assert 1700 < len(hand.hello) < 2100
    size = -(-len(hand.hello) // segments)
    for at in range(0, len(hand.hello), size):
        hand.socket.sendall(hand.hello[at : at + size])
    assert hand.get(hosts[0]).startswith(b"HTTP/1.1 200")


@pytest.mark.rule("E50")
@pytest.mark.parametrize("size", [1, 100])
def test_a_hello_over_many_records(crowd, size):
    server, hosts = crowd
    hand = Hand(server.port, hosts[1], ["http/1.1"])
    message = hand.hello[HEAD_OF_RECORD:]
    for at in range(0, len(message), size):
        part = message[at : at + size]
        hand.socket.sendall(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part)
    assert hand.get(hosts[1]).startswith(b"HTTP/1.1 200")


def answer_to(server, data):
    with socket.create_connection(("127.0.0.1", server.port), 20) as peer:
        peer.sendall(data)
        got = b""
        while more := peer.recv(100):
            got += more
        return got


@pytest.mark.rule("E51")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", id="another message"),
        pytest.param(b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", id="a short hello"),
    ],
)
def test_tls_says_what_is_wrong(crowd, data):
    """A malformed hello goes to TLS, which answers it with an alert."""
    server, _ = crowd
    assert answer_to(server, data)[:1] == b"\x15"


@pytest.mark.rule("E52")
def test_a_hello_that_is_too_long(crowd):
    """An alert tells the peer as soon as the length is known."""
    server, _ = crowd
    assert answer_to(server, b"\x16\x03\x01\x00\x04\x01\x00\x40\x00") == DECODE_ERROR


def handoffs(server):
    return json.loads(fetch(server.port, "localhost", "/api/status").body)["handoffs"]


@pytest.mark.rule("E53")
def test_a_connection_moves_before_tls(crowd):
    """The name in the hello leads the connection to its worker. A request for that name finds it
    there."""
    server, hosts = crowd
    before = handoffs(server)
    viewers = [
        Viewer(server.port, insecure(), server_hostname=name_of(hosts[number % TUNNELS]))
        for number in range(VIEWERS)
    ]
    moved = handoffs(server)
    assert before < moved <= before + VIEWERS
    for number, viewer in enumerate(viewers):
        with viewer:
            assert viewer.get(hosts[number % TUNNELS], "/echo").status == 200
    assert handoffs(server) == moved


@pytest.mark.rule("E53")
@pytest.mark.parametrize("name", ["localhost", "nobody.localhost", "a.hello0.localhost", "x.test"])
def test_a_name_of_nobody_moves_nothing(crowd, name):
    """The connection is served where it is, and moves with a request as any other."""
    server, hosts = crowd
    before = handoffs(server)
    viewers = [Viewer(server.port, insecure(), server_hostname=name) for _ in range(8)]
    assert handoffs(server) == before
    for number, viewer in enumerate(viewers):
        with viewer:
            assert viewer.get(hosts[number % TUNNELS], "/echo").status == 200

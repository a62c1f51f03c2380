# SPDX-License-Identifier: MIT
"""Tests that one port is enough: the real nginx with the shipped configuration carries viewers,
register calls and tunnels."""

import asyncio
import subprocess

import pytest
import websockets
from support import nginx, pattern
from support.foreign import ATTACH, call
from support.nginx import Nginx
from support.programs import Client, Server
from support.viewer import Viewer, fetch, head, links
from support.websocket_viewer import HANDSHAKE

pytestmark = pytest.mark.skipif(not nginx.PROGRAM, reason="nginx is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    """Starts a server that sends a PING every second, so that a few seconds of silence have several
    of them."""
    server = Server(tmp_path_factory.mktemp("server"), certificate, "--keepalive", "1s")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front(server, tmp_path_factory):
    front = Nginx(server, tmp_path_factory.mktemp("nginx"))
    yield front
    front.stop()


def behind(front, origin, directory, name):
    return Client(front, origin.port, directory, "--keepalive", "1s", name=name)


@pytest.fixture(scope="module")
def tunnel(front, http_origin, tmp_path_factory):
    client = behind(front, http_origin, tmp_path_factory.mktemp("tunnel"), "front-http")
    yield client
    client.stop()


@pytest.fixture(scope="module")
def websocket_tunnel(front, websocket_origin, tmp_path_factory):
    client = behind(front, websocket_origin, tmp_path_factory.mktemp("tunnel"), "front-socket")
    yield client
    client.stop()


@pytest.fixture
def tls(front):
    return front.certificate.client_context(["http/1.1"])


def test_the_shipped_file_is_valid(front):
    code, text = front.check()
    assert code == 0 and "warn" not in text, text


def test_register_answers_with_nginxs_port(front):
    answer = call(front).json()
    assert answer["url"] == f"https://{answer['id']}.localhost:{front.port}"
    assert answer["attach"] == f"https://localhost:{front.port}/tunnel/{answer['id']}"


def test_viewers_and_tunnel_share_the_port(front, tunnel, server, tls):
    assert tunnel.url == f"https://{tunnel.name}.localhost:{front.port}"
    # The link goes to a worker process of nginx, not to its main process or to oneportd.
    assert tunnel.program.established(front.program) == 0
    assert tunnel.program.established(server.program) == 0
    got = fetch(front.port, tunnel.host, "/echo", tls=tls)
    fields = {name.lower(): value for name, value in got.json()["fields"]}
    assert fields["host"] == tunnel.host
    assert (fields["x-forwarded-for"].split(",")[0], fields["x-forwarded-proto"]) == (
        "127.0.0.1",
        "https",
    )


def test_browsers_speak_http2_to_nginx(front, tunnel):
    """curl needs --insecure, because it accepts no wildcard for a top-level name."""
    got = subprocess.run(
        [
            "curl",
            "-sS",
            "-m",
            "10",
            "--http2",
            "--insecure",
            "-w",
            "%{http_version}",
            f"https://{tunnel.host}/bytes/1000",
        ],
        capture_output=True,
    )
    assert got.stdout == pattern.pattern(1000) + b"2", got.stderr


def test_a_forged_forwarded_for_does_not_pass(front, tunnel, tls):
    got = fetch(
        front.port,
        tunnel.host,
        "/echo",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Host: evil",
        tls=tls,
    )
    assert "6.6.6.6" not in got.body.decode() and "evil" not in got.body.decode()


@pytest.mark.parametrize("framing", ["", "?chunked=1"], ids=["length", "chunked"])
def test_downloads(front, tunnel, tls, framing):
    size = 32 << 20
    with Viewer(front.port, tls, timeout_s=60) as viewer:
        assert viewer.get(tunnel.host, f"/bytes/{size}{framing}").body == pattern.pattern(size)


def test_uploads_have_no_limit(front, tunnel, tls):
    size = 32 << 20
    with Viewer(front.port, tls, timeout_s=60) as viewer:
        got = viewer.get(tunnel.host, "/upload", method="POST", body=pattern.pattern(size))
    assert (got.status, got.json()["sha256"]) == (200, pattern.digest(size))


def test_events_are_not_buffered(front, scripted, new_client, tls):
    """The origin sends the next event only when the one before has arrived."""
    steps = []

    def serve(connection):
        connection.request()
        steps.append(connection)
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        connection.ended()

    client = new_client(scripted(serve).port, server=front)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
        for number in range(5):
            event = b"data: %d\n\n" % number
            steps[0].send(b"%x\r\n%b\r\n" % (len(event), event))
            assert viewer.chunk() == event


def test_an_upload_is_not_buffered(front, scripted, new_client, tls):
    arrived = []

    def serve(connection):
        connection.request()
        arrived.append(connection.exactly(5))
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    client = new_client(scripted(serve).port, server=front)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 10") + b"first")
        assert viewer.response().body == b"ok"
    assert arrived == [b"first"]


def test_websockets(front, websocket_tunnel, tls):
    async def run():
        url = f"wss://{websocket_tunnel.host}/"
        async with websockets.connect(
            url, host="127.0.0.1", port=front.port, ssl=tls, max_size=8 << 20
        ) as socket:
            for size in (1, 65_536, 1 << 20):
                await socket.send(pattern.pattern(size))
                assert await socket.recv() == pattern.pattern(size)

    asyncio.run(run())


def test_an_early_hint_does_not_become_the_answer(front, tunnel, tls):
    got = fetch(front.port, tunnel.host, "/early103", tls=tls)
    assert (got.status, got.body) == (200, b"after the hint")


@pytest.mark.parametrize("upgrade", ["h2c", "ptth", "TLS/1.2"])
def test_no_other_upgrade_passes_for_viewers(front, tunnel, tls, upgrade):
    with Viewer(front.port, tls) as viewer:
        got = viewer.get(
            tunnel.host, "/echo", f"Upgrade: {upgrade}", "Connection: upgrade", "ALPN: h2"
        )
    assert got.status == 200
    assert "upgrade" not in [name.lower() for name, _ in got.json()["fields"]]


def test_no_websocket_where_tunnels_attach(front, tls):
    with Viewer(front.port, tls) as viewer:
        assert viewer.get(f"localhost:{front.port}", "/tunnel/any-name", *HANDSHAKE).status == 426


def test_no_tunnel_attaches_under_a_tunnels_name(front, tunnel, tls):
    with Viewer(front.port, tls) as viewer:
        got = viewer.get(tunnel.host, f"/tunnel/{tunnel.name}", *ATTACH, "Authorization: Bearer x")
    assert got.status != 101 and got.get("X-Connection")  # the origin's own 404


def test_unknown_names_are_answered_by_oneportd(front, tls):
    for host in ("nobody-here.localhost", "elsewhere.example"):
        got = fetch(front.port, host, tls=tls)
        assert got.status == 404 and "destination_not_found" in got.get("Proxy-Status")


def test_plain_http_is_redirected(front, tunnel):
    got = fetch(front.plain_port, tunnel.host.split(":")[0], "/a?b")
    assert (got.status, got.get("Location")) == (308, f"https://{tunnel.name}.localhost/a?b")


def test_the_client_is_stopped_and_comes_back_through_nginx(
    front, new_client, http_origin, server, tls
):
    client = new_client(http_origin.port, server=front)
    client.restart()
    assert fetch(front.port, client.host, "/echo", tls=tls).status == 200
    assert links(server, client.name) == 1


@pytest.mark.parametrize(
    "seconds", [4, pytest.param(90, marks=[pytest.mark.full, pytest.mark.timeout(240)])]
)
def test_the_tunnel_lives_through_silence(front, tunnel, websocket_tunnel, server, tls, seconds):
    """No request comes meanwhile. Link and WebSocket are the same afterwards."""
    before = server.log.count("link_up")

    async def run():
        url = f"wss://{websocket_tunnel.host}/"
        async with websockets.connect(
            url, host="127.0.0.1", port=front.port, ssl=tls, ping_interval=None
        ) as socket:
            await asyncio.sleep(seconds)
            await socket.send("still here")
            assert await socket.recv() == "still here"

    asyncio.run(run())
    assert fetch(front.port, tunnel.host, "/echo", tls=tls).status == 200
    assert server.log.count("link_up") == before

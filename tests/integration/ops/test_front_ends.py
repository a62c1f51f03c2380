# SPDX-License-Identifier: MIT
"""Tests the front ends whose configuration comes with oneport: nginx, Caddy and HAProxy. One TLS
port of each carries viewers, register calls and tunnels."""

import asyncio
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest
import websockets
from support import pattern
from support.foreign import ATTACH, call, linked
from support.front_ends import Caddy, Haproxy
from support.nginx import Nginx
from support.origins import answering, reply
from support.programs import SLOW, Client, Server
from support.viewer import Broken, Viewer, fetch, head, links
from support.wait import wait_until
from support.websocket_viewer import ACCEPT, HANDSHAKE

KINDS = {"nginx": Nginx, "caddy": Caddy, "haproxy": Haproxy}


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    """The front ends are trusted proxies that name the viewers, so each viewer's names count."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        certificate,
        *("--keepalive", "1s", "--max-tunnels-per-address", "1000", "--register-rate", "10000"),
    )
    yield server
    server.stop()


@pytest.fixture(scope="module", params=KINDS)
def front(request, server, tmp_path_factory):
    kind = KINDS[request.param]
    if not kind.PROGRAM:
        pytest.skip(f"{kind.name} is not installed")
    front = kind(server, tmp_path_factory.mktemp(kind.name))
    yield front
    front.stop()


def behind(front, origin, directory, name):
    return Client(front, origin.port, directory, "--keepalive", "1s", name=name)


@pytest.fixture(scope="module")
def tunnel(front, http_origin, tmp_path_factory):
    client = behind(front, http_origin, tmp_path_factory.mktemp("tunnel"), f"{front.name}-http")
    yield client
    client.stop()


@pytest.fixture(scope="module")
def websocket_tunnel(front, websocket_origin, tmp_path_factory):
    client = behind(front, websocket_origin, tmp_path_factory.mktemp("tunnel"), f"{front.name}-ws")
    yield client
    client.stop()


@pytest.fixture
def shared(front, new_client, scripted):
    """Returns shared(serve), which starts a client behind the front end that shares a scripted
    origin."""
    return lambda serve: new_client(scripted(serve).port, server=front)


@pytest.fixture
def tls(front):
    return front.tls


def fields_of(got):
    """Returns what the origin saw: {name in lower case: [values]}."""
    fields = {}
    for name, value in got.json()["fields"]:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def test_the_shipped_file_is_valid(front):
    code, text = front.check()
    assert code == 0 and front.COMPLAINT not in text.lower(), text


def test_register_answers_with_the_port_of_the_front_end(front):
    answer = call(front).json()
    assert answer["url"] == f"https://{answer['id']}.localhost:{front.port}"
    assert answer["attach"] == f"https://localhost:{front.port}/tunnel/{answer['id']}"


def test_viewers_and_tunnel_share_the_port(front, tunnel, server, tls):
    assert tunnel.url == f"https://{tunnel.name}.localhost:{front.port}"
    assert tunnel.program.established(server.program) == 0
    assert links(server, tunnel.name) == 1
    fields = fields_of(fetch(front.port, tunnel.host, "/echo?a=%2f", tls=tls))
    assert fields["host"] == [tunnel.host]
    assert fields["x-forwarded-for"] == ["127.0.0.1, 127.0.0.1"]
    assert fields["x-forwarded-proto"] == ["https"]


def curl(front, host, path, *words):
    """Returns (version, body). curl needs --insecure, because it accepts no wildcard for a
    top-level name."""
    line = ["curl", "-sS", "-m", "10", "--insecure", "-w", "\n%{http_version}", *words]
    got = subprocess.run([*line, f"https://{host}{path}"], capture_output=True)
    assert got.returncode == 0, got.stderr
    body, _, version = got.stdout.rpartition(b"\n")
    return version, body


@pytest.mark.parametrize("asked,version", [("--http1.1", b"1.1"), ("--http2", b"2")])
def test_browsers_choose_the_version(front, tunnel, asked, version):
    assert curl(front, tunnel.host, "/bytes/1000", asked) == (version, pattern.pattern(1000))


# ---- what viewers say of themselves ----
FORGED = [
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "Client-IP",
    "Fastly-Client-IP",
    "Fly-Client-IP",
    "Forwarded",
    "Forwarded-For",
    "Front-End-Https",
    "Proxy",
    "Proxy-Client-IP",
    "True-Client-IP",
    "WL-Proxy-Client-IP",
    "X-Accel-Mapping",
    "X-Azure-ClientIP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Envoy-External-Address",
    "X-Envoy-Original-Path",
    "X-Forwarded",
    "X-Forwarded-Access-Token",
    "X-Forwarded-By",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Context",
    "X-Forwarded-Email",
    "X-Forwarded-For",
    "X-Forwarded-Groups",
    "X-Forwarded-Host",
    "X-Forwarded-Method",
    "X-Forwarded-Path",
    "X-Forwarded-Port",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Protocol",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-Uri",
    "X-Forwarded-User",
    "X-Host",
    "X-Middleware-Subrequest",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-Method",
    "X-Original-Port",
    "X-Original-Proto",
    "X-Original-Uri",
    "X-Original-URL",
    "X-ProxyUser-Ip",
    "X-Real-IP",
    "X-Real-Port",
    "X-Request-Id",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Sendfile-Type",
    "X-Url-Scheme",
    "X_Forwarded_For",
    "X.Forwarded.For",
    "x_real_ip",
]
OURS = {
    "X-Forwarded-For": "127.0.0.1, 127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "{host}",
}


@pytest.mark.rule("H30", "H7", "H8")
@pytest.mark.parametrize("name", [*FORGED, *(name.upper() for name in OURS)])
def test_a_forged_field_does_not_arrive(front, tunnel, tls, name):
    """The field comes twice. The origin sees what would be there without it."""
    got = fetch(front.port, tunnel.host, "/echo", f"{name}: 6.6.6.6", f"{name}: 66", tls=tls)
    assert b"6.6.6.6" not in got.body and b'"66"' not in got.body, got.body


@pytest.mark.rule("H30", "H7", "H8")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_forged_fields_do_not_arrive_together(front, tunnel, version):
    forged = [word for name in FORGED for word in ("-H", f"{name}: 6.6.6.6")]
    _, text = curl(front, tunnel.host, "/echo", version, *forged, "-H", "X-Own: 1")
    fields = {name.lower(): value for name, value in json.loads(text)["fields"]}
    assert fields["x-own"] == "1"
    for name in FORGED:
        ours = OURS.get(name)
        assert fields.get(name.lower()) == (ours and ours.format(host=tunnel.host)), name


@pytest.mark.rule("H30")
def test_a_forged_port_does_not_move_the_url(front, tunnel, tls):
    got = fetch(front.port, tunnel.host, "/echo", "X-Forwarded-Port: 666", tls=tls)
    assert "x-forwarded-port" not in fields_of(got)
    lines = ["X-Forwarded-Port: 666", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http"]
    assert call(front, "/register", *lines).json()["url"].endswith(f".localhost:{front.port}")


# ---- large heads ----
@pytest.mark.rule("H31")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("fields,size", [(1, 16_300), (90, 330)])
def test_the_largest_request_that_oneportd_takes(front, tunnel, version, fields, size):
    lines = [word for n in range(fields) for word in ("-H", f"X-Big-{n}: {'a' * size}")]
    _, text = curl(front, tunnel.host, "/echo", version, *lines)
    got = {name.lower(): value for name, value in json.loads(text)["fields"]}
    assert all(got[f"x-big-{n}"] == "a" * size for n in range(fields))


@pytest.mark.rule("H31")
def test_the_longest_target_that_oneportd_takes(front, tunnel, tls):
    target = "/echo?" + "q" * 8_100
    assert fetch(front.port, tunnel.host, target, tls=tls).json()["target"] == target


@pytest.mark.rule("R31")
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("fields", [1, 90])
def test_a_response_head_of_32_kib(front, shared, fields, version, tmp_path):
    size = 32_300 // fields - 20
    lines = [f"X-{n}: {'a' * size}" for n in range(fields)]
    client = shared(answering(reply(b"ok", *lines)))
    _, body = curl(front, client.host, "/", version, "-D", tmp_path / "head")
    text = (tmp_path / "head").read_text()
    assert body == b"ok"
    assert text.count("a" * size) == fields and len(text) > 32_000 - 15 * fields


@pytest.mark.rule("R31")
def test_a_response_head_of_60_kib(front, name, tls, ended):
    """A client of another make may send more than oneport does."""
    big = [(f"x-{n}", "a" * 15_000) for n in range(4)]
    link = linked(front, name, serve=lambda stream: stream.answer(200, b"ok", *big))
    ended.callback(link.close)
    got = fetch(front.port, f"{name}.localhost:{front.port}", tls=tls)
    assert (got.status, got.body) == (200, b"ok")
    assert all(got.get(field) == value for field, value in big)


# ---- bodies ----
@pytest.mark.parametrize("framing", ["", "?chunked=1"], ids=["length", "chunked"])
def test_downloads(front, tunnel, tls, framing):
    size = 16 << 20
    with Viewer(front.port, tls, timeout_s=60) as viewer:
        assert viewer.get(tunnel.host, f"/bytes/{size}{framing}").body == pattern.pattern(size)


def test_uploads_have_no_limit(front, tunnel, tls):
    size = 16 << 20
    with Viewer(front.port, tls, timeout_s=60) as viewer:
        got = viewer.get(tunnel.host, "/upload", method="POST", body=pattern.pattern(size))
    assert (got.status, got.json()["sha256"]) == (200, pattern.digest(size))


@pytest.mark.parametrize(
    "kind", ["text/event-stream", "application/x-ndjson"], ids=["events", "lines"]
)
@pytest.mark.rule("R16")
def test_the_first_event_comes_at_once(front, shared, tls, kind):
    """The origin sends the next event only when the one before has arrived."""
    steps = []

    def serve(connection):
        connection.request()
        steps.append(connection)
        connection.send(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.ended()

    client = shared(serve)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
        for number in range(5):
            event = b"data: %d\n\n" % number
            steps[0].send(b"%x\r\n%b\r\n" % (len(event), event))
            assert viewer.chunk() == event


def test_a_body_with_a_length_is_not_buffered(front, shared, tls):
    more = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        more.wait(10)
        connection.send(b"other")

    client = shared(serve)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
        assert viewer.exactly(5) == b"first"
        more.set()
        assert viewer.exactly(5) == b"other"


def test_an_upload_is_not_buffered(front, shared, tls):
    arrived = []

    def serve(connection):
        connection.request()
        arrived.append(connection.exactly(5))
        connection.exactly(5)
        connection.send(reply(b"ok"))

    client = shared(serve)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 10") + b"first")
        wait_until(lambda: arrived, what="the first bytes at the origin")
        viewer.send(b"other")
        assert viewer.response().body == b"ok"
    assert arrived == [b"first"]


@pytest.mark.rule("R17")
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
def test_a_viewer_that_leaves_frees_the_origin(front, shared, tls, begun):
    asked, ends = [], []

    def serve(connection):
        asked.append(connection.request())
        if begun:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nstart")
        connection.ended()
        ends.append(time.monotonic())

    client = shared(serve)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", client.host))
        wait_until(lambda: asked, what="the request")
        if begun:
            assert viewer.response_head().status == 200
    left = time.monotonic()
    wait_until(lambda: ends, 5, "the origin connection's end")
    assert ends[0] - left < 1 * SLOW


# ---- what an origin says to the hop in front ----
REMOVED = {("caddy", "Server")}  # N18


@pytest.mark.rule("R30", "R14", "R15", "R19", "N16")
def test_the_front_end_obeys_and_rewrites_no_field_of_an_origin(front, shared, tls, server):
    """An origin that could steer the front end would fetch other tunnels' pages, or slow its own
    answer down."""
    asked = []
    said = [
        "X-Accel-Redirect: /elsewhere",
        "X-Accel-Limit-Rate: 1",
        "X-Accel-Buffering: yes",
        "X-Accel-Charset: utf-16",
        "X-Accel-Expires: 100",
        "X-Sendfile: /etc/passwd",
        "X-LiteSpeed-Location: /elsewhere",
        "X-Reproxy-URL: http://127.0.0.1/",
        "Location: http://oneportd/x",
        "Server: own/1",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT",
        "Content-Type: text/plain",
        "Set-Cookie: a=b; Path=/x",
        "Cache-Control: max-age=100",
    ]

    def serve(connection):
        while True:
            asked.append(connection.request()[0])
            connection.body()
            connection.send(reply(b"own" * 10_000, *said))

    client = shared(serve)
    start = time.monotonic()
    for _ in range(2):
        got = fetch(front.port, client.host, "/here", method="POST", body=b"x", tls=tls)
        assert (got.status, got.body) == (200, b"own" * 10_000)
        for line in said[:8]:  # oneportd removes them itself, whatever is in front (R19)
            assert got.get(line.partition(": ")[0]) is None
        for line in said[8:]:
            name, _, value = line.partition(": ")
            assert got.get(name) == (None if (front.name, name) in REMOVED else value), name
    assert time.monotonic() - start < 5 * SLOW
    assert asked == ["POST /here HTTP/1.1"] * 2


HIDDEN = {("caddy", "chunked")}  # a cut that looks like the end: N18
CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n",
}


@pytest.mark.rule("R9", "R10", "N18", "N19")
@pytest.mark.parametrize("framing", CUT)
def test_a_cut_body_looks_cut(front, shared, tls, framing):
    more = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(CUT[framing] + b"only")
        more.wait(10)
        connection.reset()

    client = shared(serve)
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", client.host))
        taken = viewer.until(b"only")  # so the answer has begun
        viewer.pending = taken + viewer.pending
        more.set()
        if (front.name, framing) in HIDDEN:
            assert viewer.response().body == b"only"
        else:
            with pytest.raises((Broken, EOFError, ConnectionError)):
                viewer.response()


# ---- WebSockets and tunnels ----
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


@pytest.mark.rule("W1", "W6")
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, WebSocket", "websocket, h2c"])
def test_a_websocket_in_any_spelling(front, websocket_tunnel, tls, upgrade):
    lines = [f"Upgrade: {upgrade}", "Connection: keep-alive, UPGRADE", *HANDSHAKE[2:]]
    with Viewer(front.port, tls) as viewer:
        viewer.send(head("GET", "/", websocket_tunnel.host, *lines))
        got = viewer.response()
    assert (got.status, got.get("Sec-WebSocket-Accept")) == (101, ACCEPT)


@pytest.mark.rule("W2")
@pytest.mark.parametrize("upgrade", ["h2c", "ptth", "TLS/1.2", "websocketx"])
def test_no_other_upgrade_passes_for_viewers(front, tunnel, tls, upgrade):
    with Viewer(front.port, tls) as viewer:
        got = viewer.get(
            tunnel.host, "/echo", f"Upgrade: {upgrade}", "Connection: upgrade", "ALPN: h2"
        )
    assert got.status == 200
    assert "upgrade" not in fields_of(got)


@pytest.mark.rule("W1")
def test_http_1_0_has_no_upgrade(front, websocket_tunnel, tls):
    lines = "\r\n".join([f"Host: {websocket_tunnel.host}", *HANDSHAKE])
    with Viewer(front.port, tls) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\n{lines}\r\n\r\n")
        assert viewer.some().split()[1] in (b"200", b"426")


@pytest.mark.rule("Q45")
def test_bytes_beyond_ascii_pass(front, tunnel, tls):
    with Viewer(front.port, tls) as viewer:
        viewer.send("GET /echo/\u00e9?q=\u20ac HTTP/1.1\r\n".encode())
        viewer.send(f"Host: {tunnel.host}\r\n\r\n")
        got = viewer.response()
    assert got.json()["target"] == "/echo/%C3%A9?q=%E2%82%AC"


@pytest.mark.rule("W2")
def test_an_upgrade_that_connection_does_not_name_is_none(front, tunnel, tls):
    with Viewer(front.port, tls) as viewer:
        got = viewer.get(tunnel.host, "/echo", *(HANDSHAKE[:1] + HANDSHAKE[2:]))
    assert got.status == 200
    assert "upgrade" not in fields_of(got)


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


def test_the_client_is_stopped_and_comes_back(front, new_client, http_origin, server, tls):
    client = new_client(http_origin.port, server=front)
    client.restart()
    assert fetch(front.port, client.host, "/echo", tls=tls).status == 200
    assert links(server, client.name) == 1


@pytest.mark.parametrize(
    "seconds", [3, pytest.param(90, marks=[pytest.mark.full, pytest.mark.timeout(240)])]
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


def test_a_silent_viewer_is_probed(front, tls):
    """The kernel's keepalive timer runs on the connection of a viewer, and probes it within a
    minute."""
    with Viewer(front.port, tls) as viewer:
        mine = viewer.socket.getsockname()[1]
        # The kernel shows the timer that runs, 02 is keepalive's, and when it ends.
        ends = rf": \w+:{front.port:04X} \w+:{mine:04X} 01 \w+:\w+ 02:(\w+) "
        table = pathlib.Path("/proc/net/tcp")
        timer = wait_until(lambda: re.search(ends, table.read_text()), what="the timer")
    assert int(timer[1], 16) <= 60 * os.sysconf("SC_CLK_TCK")


@pytest.mark.rule("R4", "N11")
def test_an_early_hint_does_not_become_the_answer(front, tunnel, tls):
    got = fetch(front.port, tunnel.host, "/early103", tls=tls)
    assert (got.status, got.body) == (200, b"after the hint")


@pytest.mark.parametrize("front", ["nginx"], indirect=True)
def test_a_reload_of_nginx_cuts_no_tunnel(front, tunnel, websocket_tunnel, server, tls):
    before = server.log.count("link_up")

    async def run():
        url = f"wss://{websocket_tunnel.host}/"
        async with websockets.connect(
            url, host="127.0.0.1", port=front.port, ssl=tls, ping_interval=None
        ) as socket:
            old = workers_of(front)
            front.reload()
            wait_until(lambda: workers_of(front) - old, what="a new worker")
            await asyncio.sleep(0.3)  # an old worker would close its connections now
            await socket.send("still here")
            assert await socket.recv() == "still here"

    asyncio.run(run())
    assert fetch(front.port, tunnel.host, "/echo", tls=tls).status == 200
    assert server.log.count("link_up") == before


def workers_of(front):
    """Returns the ids of nginx's worker processes."""
    children = f"/proc/{front.program.pid}/task/{front.program.pid}/children"
    return set(pathlib.Path(children).read_text().split())

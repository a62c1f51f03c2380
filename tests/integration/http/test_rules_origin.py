# SPDX-License-Identifier: MIT
"""Tests what oneport writes to its origin and which requests it refuses. A server that is not
oneportd sends well-formed and malformed requests."""

import contextlib
import re
import socket
import threading
import time

import pytest
from support.foreign_server import ForeignServer
from support.origins import ScriptedOrigin, reply
from support.programs import SLOW, Client, Server, free_port, stable
from support.viewer import fetch
from support.wait import wait_until

PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL = 1, 2, 8


@pytest.fixture(scope="module")
def server(certificate):
    """Starts a server in place of oneportd. The fixtures stage and played use it."""
    with contextlib.closing(ForeignServer(certificate)) as server:
        yield server


@pytest.fixture
def ask(server, stage):
    """Returns ask(*fields, **pseudo), which sends a request to the client of stage."""
    return server.ask


def keeping(seen, answer=reply()):
    """Returns a script that appends (line, fields, body) of each request to @seen and sends
    @answer."""

    def serve(connection):
        while True:
            line, fields = connection.request()
            seen.append(
                (line, [(name.lower(), value) for name, value in fields], connection.body())
            )
            connection.send(answer)

    return serve


# ---- what leaves ----
@pytest.mark.rule("D1")
@pytest.mark.parametrize(
    "named,host",
    [("a.example", None), ("a.example", "A.example"), (None, "a.example")],
    ids=["authority", "both alike", "host alone"],
)
def test_there_is_one_host(ask, played, named, host):
    seen = []
    played(keeping(seen))
    assert ask(*([("host", host)] if host else []), authority=named).wait().status == 200
    assert [value.lower() for name, value in seen[0][1] if name == "host"] == ["a.example"]


@pytest.mark.rule("D3")
def test_cookies_become_one_line(ask, played):
    seen = []
    played(keeping(seen))
    assert (
        ask(("cookie", "a=1"), ("x-between", "1"), ("cookie", "b=2"), ("cookie", "c=3; d=4"))
        .wait()
        .status
        == 200
    )
    assert [value for name, value in seen[0][1] if name == "cookie"] == ["a=1; b=2; c=3; d=4"]


@pytest.mark.rule("D4", "D5", "D6")
def test_a_body_keeps_its_length_or_is_chunked(ask, played):
    seen = []
    played(keeping(seen))
    with_length = ask(("content-length", "5"), end=False, method="POST")
    with_length.send(b"hello", end=True)
    without = ask(end=False, method="POST")
    without.send(b"hello")
    without.send_trailers(("x-sum", "42"), ("authorization", "x"))
    assert with_length.wait().status == without.wait().status == 200
    framing = [
        {name: value for name, value in fields if name in ("content-length", "transfer-encoding")}
        for _, fields, _ in seen
    ]
    assert sorted(map(str, framing)) == sorted(
        map(str, [{"content-length": "5"}, {"transfer-encoding": "chunked"}])
    )
    assert [body for _, _, body in seen] == [b"hello"] * 2


# ---- what is refused ----
MALFORMED = [
    ("D1 host is not the authority", [("host", "other.example")], {}),
    ("D1 two hosts", [("host", "foreign.localhost"), ("host", "foreign.localhost")], {}),
    ("D2 fragment", [], {"path": "/a#b"}),
    ("D2 high octet in the path", [], {"path": "/\x80"}),
    ("D2 space in the path", [], {"path": "/a b"}),
    ("D2 CR LF in the path", [], {"path": "/\r\nX: y"}),
    ("D2 no slash", [], {"path": "a"}),
    ("D2 userinfo", [], {"authority": "u@foreign.localhost"}),
    ("D2 port", [], {"authority": "foreign.localhost:65536"}),
    ("D2 method", [], {"method": "GET /x HTTP/1.1"}),
    ("D2 CR LF in a value", [("x", "a\r\nHost: evil")], {}),
    ("D2 NUL in a value", [("x", "a\0b")], {}),
    ("D2 space around a value", [("x", " a")], {}),
    ("D2 name", [("x y", "a")], {}),
    ("D2 coding", [("transfer-encoding", "chunked")], {}),
    ("D2 hop by hop", [("connection", "content-length")], {}),
    ("D9 ftp", [], {"scheme": "ftp"}),
    ("D9 no scheme of the web", [], {"scheme": "file", "path": "/etc/passwd"}),
]


@pytest.mark.parametrize(
    "fields,pseudo", [pytest.param(fields, pseudo, id=rule) for rule, fields, pseudo in MALFORMED]
)
def test_nothing_of_a_malformed_request_is_written(ask, played, fields, pseudo):
    """oneport resets the stream of the malformed request and serves the next one."""
    seen = []
    played(keeping(seen))
    assert ask(*fields, **pseudo).wait_reset() == PROTOCOL_ERROR
    assert ask().wait().status == 200
    assert [line for line, _, _ in seen] == ["GET / HTTP/1.1"]


@pytest.mark.rule("D1")
def test_a_host_that_differs_is_in_the_log(ask, stage):
    assert ask(("host", "other.example")).wait_reset() == PROTOCOL_ERROR
    stage.program.wait_output("request_refused .*host")


# ---- the origin's connection ----
@pytest.mark.rule("D4", "D7")
def test_an_upload_that_is_cut_costs_the_connection(ask, played):
    ends = []

    def serve(connection):
        connection.request()
        try:
            ends.append(connection.body())
        except EOFError:
            ends.append("cut")
            raise
        connection.send(reply())

    client = played(serve)
    short = ask(("content-length", "10"), end=False, method="POST")
    short.send(b"hello", end=True)
    assert short.wait_reset() == PROTOCOL_ERROR
    wait_until(lambda: ends == ["cut"], what="the origin to notice")
    assert ask(("content-length", "2"), end=False, method="POST").send(b"ok", end=True) is None
    wait_until(lambda: ends == ["cut", b"ok"], what="the next upload")
    assert len(client.origin.connections) == 2


@pytest.mark.rule("D7")
@pytest.mark.parametrize(
    "answer,used",
    [
        (reply(), 1),
        (reply(b"ok", "Connection: close"), 2),
        (reply() + b"HTTP/1.1 200 OK\r\n", 2),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 2),
    ],
    ids=["kept", "close", "surplus", "1.0"],
)
def test_which_connections_are_used_again(ask, played, answer, used):
    client = played(keeping([], answer))
    for _ in range(2):
        assert ask().wait().status == 200
    assert len(client.origin.connections) == used


@pytest.mark.rule("D7")
def test_an_idle_connection_is_let_go(ended, certificate, tmp_path):
    """oneport closes an idle connection before the origin does, after 4 s by default. Neither side
    sends a byte meanwhile."""
    server = ended.enter_context(contextlib.closing(ForeignServer(certificate)))
    idle_s = []

    def serve(connection):
        connection.request()
        connection.send(reply())
        start = time.monotonic()
        idle_s.append(connection.rest() == b"" and time.monotonic() - start)

    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(serve)))
    client = Client(server, origin.port, tmp_path, "--origin-keepalive", "400ms")
    ended.callback(client.stop)
    assert server.ask().wait().status == 200
    wait_until(lambda: idle_s, 5 * SLOW, "the connection's end")
    assert 0.39 < idle_s[0] < 0.4 + 0.7 * SLOW


@pytest.mark.rule("D8")
@pytest.mark.parametrize(
    "method,body,again",
    [("GET", None, True), ("PUT", None, True), ("POST", None, False), ("PUT", b"x", False)],
)
def test_what_is_asked_again_on_a_fresh_connection(ask, played, method, body, again):
    """The connection that the second request comes on closes: the one that has answered the first
    request, or a fresh one for what must not be sent twice (D16). The next one answers."""
    lines = []

    def serve(connection):
        while True:
            lines.append(connection.request()[0])
            connection.body()
            if len(lines) == 2:
                return
            connection.send(reply())

    played(serve)
    assert ask().wait().status == 200
    asked = ask(
        *([("content-length", str(len(body)))] if body else []), method=method, end=not body
    )
    if body:
        asked.send(body, end=True)
    assert asked.wait().status == (200 if again else 502)
    assert lines[1:] == [f"{method} / HTTP/1.1"] * (2 if again else 1)


@pytest.mark.rule("D12")
def test_an_answer_before_the_uploads_end(ask, played):
    """The answer is complete, then RST(NO_ERROR) follows. oneport closes the connection, since half
    a request is on it."""
    ends = []

    def serve(connection):
        connection.request()
        connection.exactly(1000)
        connection.send(reply(b"enough", status=413))
        ends.append(connection.ended() or True)

    client = played(serve)
    asked = ask(("content-length", "100000"), end=False, method="POST")
    asked.send(b"a" * 1000)
    asked.wait()
    assert (asked.status, asked.body, asked.ended) == (413, b"enough", True)
    assert asked.wait_reset() == 0  # NO_ERROR
    wait_until(lambda: ends, what="the connection's end")
    played(keeping([]))
    assert ask().wait().status == 200 and len(client.origin.connections) == 1


class Upload:
    """This is a POST of @size zeros that are sent as the windows allow."""

    def __init__(self, server, size):
        self.server, self.size, self.sent = server, size, 0
        self.asked = server.ask(("content-length", str(size)), end=False, method="POST")

    def push(self):
        """Sends as many bytes as the windows allow, and none after a reset. Returns the number of
        bytes sent so far."""
        while True:
            with self.server.lock:
                if self.asked.reset is not None:
                    return self.sent
                room = min(
                    self.server.h2.local_flow_control_window(self.asked.number),
                    self.server.h2.max_outbound_frame_size,
                    self.size - self.sent,
                )
                if room <= 0:
                    return self.sent
                self.sent += room
                self.asked.send(bytes(room), end=self.sent == self.size)


@pytest.mark.rule("D11")
def test_an_origin_that_does_not_read_closes_the_window(ask, played, server):
    go = threading.Event()

    def serve(connection):
        connection.request()
        go.wait(20)
        connection.body()
        connection.send(reply())

    played(serve)
    upload = Upload(server, 64 << 20)
    stood = stable(upload.push)
    assert stood < 16 << 20, "a stream's window is 8 MiB at most; the rest is kernel buffers"
    go.set()
    wait_until(lambda: upload.push() > stood + (1 << 20), 20 * SLOW, "it to go on")


@pytest.mark.full  # the kernel takes a little more data for about six seconds
@pytest.mark.rule("D11", "F8")
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "behind it"])
def test_an_origin_that_does_not_read_is_given_up(ended, certificate, tmp_path, begun):
    """The client answers 504 if there is no head yet. After a head it resets the stream."""
    go = threading.Event()

    def serve(connection):
        connection.request()
        if begun:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome")
        go.wait(20)

    server = ended.enter_context(contextlib.closing(ForeignServer(certificate)))
    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(serve)))
    client = Client(server, origin.port, tmp_path, "--idle-timeout", "600ms")
    ended.callback(client.stop)
    ended.callback(go.set)
    upload = Upload(server, 64 << 20)
    wait_until(
        lambda: upload.push() and (upload.asked.status == 504 or upload.asked.reset is not None),
        10 * SLOW,
        "an end",
    )
    if begun:
        assert upload.asked.wait_reset() == CANCEL and upload.asked.status == 200
    else:
        assert upload.asked.fields["oneport-error"] == "http_response_timeout"


# ---- no origin ----
def full_listener(ended):
    """Returns a port whose listener takes no more connections. It does not answer a SYN."""
    listener = ended.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):
        filler = ended.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return listener.getsockname()[1]


@pytest.fixture(scope="module")
def real(tmp_path_factory, certificate):
    server = Server(tmp_path_factory.mktemp("server"), certificate)
    yield server
    server.stop()


NOWHERE = [
    (
        "D10 refused",
        lambda ended: f"127.0.0.1:{free_port()}",
        502,
        "connection_refused",
        "[Rr]efused",
    ),
    ("D10 no such name", lambda ended: "nobody.invalid:80", 502, "dns_error", ""),
    (
        "D10 no answer to connect",
        lambda ended: f"127.0.0.1:{full_listener(ended)}",
        504,
        "connection_timeout",
        "step=TCP",
    ),
]


@pytest.mark.parametrize(
    "origin,status,kind,words", [pytest.param(*rest, id=rule) for rule, *rest in NOWHERE]
)
def test_no_origin(real, new_client, ended, origin, status, kind, words):
    where = origin(ended)
    client = new_client(where, "--connect-timeout", "500ms", server=real)
    got = fetch(real.port, client.host, timeout_s=6)
    assert (got.status, got.get("Proxy-Status").partition("error=")[2]) == (status, kind)
    line = client.program.wait_output(f"exchange_failed.*error={kind}.*").group(0)
    assert f"origin={where} " in line and re.search(words, line)


@pytest.mark.rule("D10")
def test_an_origin_that_speaks_no_tls(real, new_client, scripted):
    origin = scripted(lambda connection: connection.send(b"HTTP/1.1 400 This is not TLS\r\n\r\n"))
    client = new_client(f"https://127.0.0.1:{origin.port}", server=real)
    got = fetch(real.port, client.host)
    assert (got.status, got.get("Proxy-Status").partition("error=")[2]) == (
        502,
        "tls_alert_received",
    )


# ---- what goes back ----
@pytest.mark.rule("H11")
def test_cookies_of_one_viewer_stay_out_of_the_table(ask, played, server):
    played(keeping([], reply(b"", "Set-Cookie: sid=" + "s" * 40, "X-Known: " + "n" * 40)))
    assert ask().wait().status == 200
    table = [name for name, _ in server.h2.decoder.header_table.dynamic_entries]
    assert b"x-known" in table and b"set-cookie" not in table


BROKEN = [
    # rule, what the origin sends of an answer before it closes
    ("R9 length", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsome"),
    ("R10 chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"),
    (
        "R10 nonsense for a chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\nxyz\r\n",
    ),
]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in BROKEN])
def test_an_answer_that_breaks_off_is_reset_as_our_fault(ask, played, raw):
    """The stream never ends in order, but with RST(INTERNAL_ERROR). If no head is complete yet, the
    client answers the stream instead."""
    told = threading.Event()

    def serve(connection):
        connection.request()
        at = raw.index(b"some") + 4
        connection.send(raw[:at])
        told.wait(10)
        connection.send(raw[at:])

    played(serve)
    asked = ask()
    wait_until(lambda: asked.body == b"some", what="the body's beginning")
    told.set()
    assert asked.wait_reset() == INTERNAL_ERROR
    assert (asked.status, asked.body, asked.ended) == (200, b"some", False)


@pytest.mark.rule("R13")
def test_trailers_of_an_answer_pass(ask, played):
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n0\r\nX-Sum: 42\r\nSet-Cookie: a=b\r\n\r\n"
    )
    played(keeping([], chunked))
    got = ask(("te", "trailers")).wait()
    assert (got.body, got.trailers) == (b"hello", {"x-sum": "42"})

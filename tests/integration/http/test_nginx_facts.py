# SPDX-License-Identifier: MIT
"""Tests what nginx does by itself where a rule says something else: the facts N of
docs/http-rules.md#nginx-122. The tests that show the rules without nginx are marked `direct`."""

import contextlib
import threading
import time

import pytest
from support import pattern
from support.foreign import linked
from support.nginx import Nginx
from support.origins import ScriptedOrigin, accept_websocket, answering, reply
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until
from support.websocket_frames import split as frames
from support.websocket_viewer import HANDSHAKE

WAYS = ("nginx",)


def seen_by(got):
    """Returns what the origin saw: {name in lower case: [values]}."""
    fields = {}
    for name, value in got.json()["fields"]:
        fields.setdefault(name.lower(), []).append(value)
    return fields


# ---- request lines and heads ----
@pytest.mark.rule("Q8", "N1")
def test_options_of_everything_is_400(server, tunnel):
    got = fetch(server.port, tunnel.host, "*", method="OPTIONS")
    assert (got.status, got.get("Proxy-Status")) == (400, None)


@pytest.mark.rule("Q14", "N1")
@pytest.mark.parametrize("target", ["/../x", "/%2e%2e/x", "/a%00b"])
def test_a_target_that_leaves_the_root_or_has_nul_is_400(server, tunnel, target):
    got = fetch(server.port, tunnel.host, target)
    assert (got.status, got.get("Proxy-Status")) == (400, None)


@pytest.mark.rule("H2", "N2")
def test_a_field_that_connection_names_reaches_the_origin(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/echo", "Connection: X-Hop, keep-alive", "X-Hop: 1")
    assert seen_by(got)["x-hop"] == ["1"]


@pytest.mark.rule("H3", "N3")
def test_names_with_other_bytes_and_te_are_dropped(server, tunnel):
    lines = ["X_A: 1", "X.A: 1", "X!A: 1", "X-A: 2", "TE: trailers", "Connection: TE"]
    with Viewer(server.port) as viewer:
        fields = seen_by(viewer.get(tunnel.host, "/echo", *lines))
    assert fields["x-a"] == ["2"]
    assert not {"x_a", "x.a", "x!a", "te"} & set(fields)


@pytest.mark.rule("Q29", "D6", "N3")
def test_the_trailers_of_a_request_are_dropped(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/upload", tunnel.host, "Transfer-Encoding: chunked"))
        viewer.send("5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")
        got = viewer.response().json()
    assert (got["length"], got["trailers"]) == (5, [])


@pytest.mark.rule("R13", "N3")
def test_the_trailers_of_a_response_are_dropped(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/trailers", "TE: trailers", "Connection: TE")
    assert (got.body, got.trailers) == (b"hello", [])


@pytest.mark.rule("D5", "N4")
def test_a_small_chunked_request_gets_a_length(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/upload", tunnel.host, "Transfer-Encoding: chunked")
            + b"5;a=b\r\nhello\r\n0\r\n\r\n"
        )
        got = viewer.response().json()
    assert (got["length"], got["framing"]) == (5, "length")


@pytest.mark.rule("Q9", "N5")
def test_the_authority_of_the_target_counts_alone(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, f"http://nobody-here.localhost:{server.port}/echo")
        assert (got.status, got.get("X-Connection")) == (404, None)
        got = viewer.get("nobody-here.localhost:99", f"http://{tunnel.host}/echo")
        assert seen_by(got)["host"] == [f"{tunnel.name}.localhost:99"]


@pytest.mark.rule("Q18", "Q19", "N5")
@pytest.mark.parametrize("spelled", ["{name}.LOCALHOST:81", "{name}.localhost.:81"])
def test_the_host_is_written_in_one_way(server, tunnel, spelled):
    got = fetch(server.port, spelled.format(name=tunnel.name), "/echo")
    assert seen_by(got)["host"] == [f"{tunnel.name}.localhost:81"]
    got = fetch(server.port, f"{tunnel.name}.localhost:", "/echo")
    assert seen_by(got)["host"] == [f"{tunnel.name}.localhost"]


@pytest.mark.rule("H6", "N7")
def test_nginx_says_continue_by_itself(server, shared):
    def serve(connection):
        connection.request()
        assert connection.get("Expect") is None
        connection.body()
        connection.send(reply(b"too big", status=413))

    with Viewer(server.port) as viewer:
        lines = ["Content-Length: 5", "Expect: 100-continue"]
        viewer.send(head("POST", "/", shared(serve).host, *lines))
        assert viewer.response_head().status == 100
        viewer.send("hello")
        assert viewer.response().status == 413


@pytest.mark.rule("Q40", "N8")
def test_http_1_0_reaches_the_origin_as_1_1(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(f"GET /echo HTTP/1.0\r\nHost: {tunnel.host}\r\n\r\n")
        assert viewer.response().json()["line"] == "GET /echo HTTP/1.1"


@pytest.mark.rule("R4", "N11")
def test_no_hint_is_sent_towards_nginx(server, tunnel):
    got = fetch(server.port, tunnel.host, "/early103")
    assert (got.status, got.interim, got.body) == (200, [], b"after the hint")


@pytest.mark.rule("Q3", "N12")
def test_a_request_without_version_gets_a_body_without_head(server):
    with Viewer(server.port) as viewer:
        viewer.send(b"GET /\r\n\r\n")
        assert b"destination_not_found" in viewer.rest()


@pytest.mark.rule("Q16", "N12")
def test_empty_lines_before_a_request_are_skipped(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(b"\r\n\r\n\r\n" + head("GET", "/echo", tunnel.host))
        assert viewer.response().status == 200


@pytest.fixture
def hurried(server, ended, tmp_path):
    """Starts another nginx in front of the file's server, which waits 0.3 s for a head."""
    front = Nginx(
        server.server, tmp_path, [("client_header_timeout 15s", "client_header_timeout 300ms")]
    )
    ended.callback(front.stop)
    return front


@pytest.mark.rule("Q39", "N13")
def test_a_half_head_gets_no_answer(hurried):
    with Viewer(hurried.port, hurried.tls) as viewer:
        viewer.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
        start = time.monotonic()
        assert viewer.rest() == b""
        assert time.monotonic() - start > 0.25


# ---- responses ----
@pytest.fixture
def bare(ended, certificate, tmp_path):
    """Returns bare(raw, more), which starts nginx in front of a server that answers all requests
    with @raw. The front end has the request lines that the server saw as .asked."""

    def start(raw, more=()):
        asked = []

        def serve(connection):
            line, _ = connection.request()
            if line.startswith("GET /healthz"):  # asks whether nginx is up
                connection.send(reply())
                return
            asked.append(line)
            connection.send(raw)
            connection.silent_for(0.1)  # lets nginx read before the end

        origin = ended.enter_context(contextlib.closing(ScriptedOrigin(serve)))
        origin.certificate = certificate
        front = Nginx(origin, tmp_path / "nginx", more)
        ended.callback(front.stop)
        front.asked = asked
        return front

    return start


FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"


@pytest.mark.rule("N9")
def test_nginx_alone_passes_a_101_that_nobody_asked_for(bare):
    front = bare(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + FORGED)
    with Viewer(front.port, front.tls) as viewer:
        viewer.send(head("GET", "/", "localhost", *HANDSHAKE))
        assert viewer.response().status == 101
        assert viewer.until(b"forged") == FORGED


@pytest.mark.rule("N10")
def test_nginx_alone_passes_heads_that_oneportd_refuses(bare):
    front = bare(b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello")
    assert fetch(front.port, "localhost", tls=front.tls).get("Content-Length") == "5"


@pytest.mark.rule("R3", "R6", "N10")
def test_nginx_sees_no_such_head_from_oneportd(server, played):
    both = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\n\r\nabc"
    assert fetch(server.port, played(answering(both)).host).status == 502
    none = answering(b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello")
    got = fetch(server.port, played(none).host)
    assert (got.status, got.get("Content-Length")) == (204, None)


@pytest.mark.rule("N11")
def test_nginx_alone_takes_a_hint_for_the_answer(bare):
    front = bare(b"HTTP/1.1 103 Early Hints\r\n\r\n" + reply(b"the answer"))
    with Viewer(front.port, front.tls) as viewer:
        viewer.send(head("GET", "/", "localhost", "Connection: close"))
        assert viewer.response_head().status == 103
        assert b"the answer" in viewer.rest()


IGNORE = "proxy_ignore_headers X-Accel-Redirect"


@pytest.mark.rule("N16", "R30")
@pytest.mark.parametrize("shipped", [True, False], ids=["shipped", "without"])
def test_nginx_alone_obeys_an_origin(bare, shipped):
    """Without the directive one POST becomes eleven GETs."""
    more = [] if shipped else [(IGNORE, "proxy_ignore_headers")]
    front = bare(reply(b"own", "X-Accel-Redirect: /elsewhere"), more)
    got = fetch(front.port, "localhost", "/here", method="POST", tls=front.tls)
    if shipped:
        assert (got.status, got.body) == (200, b"own")
        assert front.asked == ["POST /here HTTP/1.1"]
    else:
        assert got.status == 500
        assert front.asked == ["POST /here HTTP/1.1"] + ["GET /elsewhere HTTP/1.1"] * 10


@pytest.mark.rule("N17", "R31")
@pytest.mark.parametrize("size,status", [(65_000, 200), (80_000, 502)])
def test_a_head_has_to_fit_the_buffer(bare, size, status):
    front = bare(reply(b"own", "X-Big: " + "a" * size))
    assert fetch(front.port, "localhost", tls=front.tls).status == status


@pytest.mark.rule("R9", "R12", "N14")
def test_a_cut_looks_complete_to_http_1_0(server, played):
    """nginx ends such a body by FIN in any case."""
    told = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        told.wait(10)
        connection.reset()

    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\nHost: {played(serve).host}\r\n\r\n")
        assert viewer.response_head().status == 200
        assert viewer.until(b"hello")
        told.set()
        assert viewer.rest() == b""


@pytest.mark.rule("R12", "N14")
def test_a_cut_length_is_seen_by_http_1_0(server, played):
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly"
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\nHost: {played(answering(cut)).host}\r\n\r\n")
        try:
            assert viewer.response().status == 502
        except (Broken, ConnectionError):
            pass


@pytest.mark.rule("R14", "R15", "R30", "N16")
def test_what_nginx_would_hide_or_rewrite_stays(server, played):
    said = [
        "Server: own/1",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT",
        "Location: http://oneportd/x",
        "Refresh: 5; url=http://oneportd/x",
        "Set-Cookie: a=b; Path=/x",
    ]
    got = fetch(server.port, played(answering(reply(b"ok", *said, status=302))).host)
    for line in said:
        assert got.get(line.split(": ")[0]) == line.split(": ")[1]


@pytest.mark.rule("R16", "N16")
def test_x_accel_buffering_is_not_shown(server, tunnel):
    got = fetch(server.port, tunnel.host, "/sse?n=2&gap=0")
    assert (got.get("X-Accel-Buffering"), got.body) == (None, b"data: 0\n\ndata: 1\n\n")


# ---- WebSockets ----
@pytest.fixture
def opened(server, ended):
    """Returns opened(client), which opens a WebSocket and returns its viewer."""

    def start(client):
        viewer = ended.enter_context(Viewer(client.server.port))
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        assert viewer.response().status == 101
        return viewer

    return start


@pytest.mark.rule("W7", "N15")
def test_a_fin_of_either_end_ends_both_directions(played, opened):
    ends = []

    def serve(connection):
        accept_websocket(connection)
        ends.append(connection.ended())

    viewer = opened(played(serve))
    viewer.socket.shutdown(1)
    assert viewer.rest() == b""
    wait_until(lambda: ends, what="the end at the origin")

    def leave(connection):
        accept_websocket(connection)
        connection.send(pattern.pattern(100_000))

    assert opened(played(leave)).rest() == pattern.pattern(100_000)


@pytest.mark.rule("W7", "N15")
def test_a_reset_of_either_end_becomes_an_end(played, opened):
    ends = []

    def serve(connection):
        accept_websocket(connection)
        ends.append(connection.ended())

    opened(played(serve)).reset()
    wait_until(lambda: ends, what="the end at the origin")

    def leave(connection):
        accept_websocket(connection)
        connection.exactly(1)
        connection.reset()

    viewer = opened(played(leave))
    viewer.send(b"\x82")
    viewer.ended()


@pytest.mark.rule("W8", "N15")
def test_the_close_of_a_lost_link_passes(shared, opened):
    client = shared(lambda connection: (accept_websocket(connection), connection.ended()))
    viewer = opened(client)
    client.kill9()
    found, rest = frames(viewer.rest())
    assert (found[0][1][:2], rest) == ((1012).to_bytes(2, "big"), b"")


@pytest.mark.rule("Q46", "R17", "N20")
def test_nginx_takes_a_half_closed_viewer_for_gone(server, played):
    ends = []

    def serve(connection):
        connection.request()
        connection.ended()
        ends.append(True)

    client = played(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        client.origin.wait_connections(1)
        viewer.socket.shutdown(1)
        assert viewer.rest() == b""
        wait_until(lambda: ends, 5, "the end at the origin")


# ---- what nginx says of the viewer ----
@pytest.mark.rule("H5", "H7", "H10", "H30", "N6")
def test_a_viewer_says_nothing_about_itself(server, name, ended):
    link = linked(server.front, name)
    ended.callback(link.close)
    lines = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 666",
        "X-Request-Id: abc-1",
    ]
    assert fetch(server.port, f"{name}.localhost", "/a", *lines).status == 200
    fields = dict(link.heads[0])
    assert fields["x-forwarded-for"] == "127.0.0.1, 127.0.0.1"
    assert fields[":scheme"] == fields["x-forwarded-proto"] == "http"
    assert not {"x-forwarded-port", "x-request-id"} & set(fields)

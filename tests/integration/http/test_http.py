# SPDX-License-Identifier: MIT
"""Tests the HTTP rules from viewer to origin. The letters are those of docs/http-rules.md: Q
request line and framing, H request fields, D towards the origin, R responses."""

import re
import time

import pytest
from support import pattern
from support.origins import answering, reply
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until

WAYS = ("direct", "nginx", "http2")
HOST = "Host: {host}\r\n"
GET = "GET / HTTP/1.1\r\n" + HOST


# ---- requests that are refused ----
REFUSED = [
    # rule, what is sent, status
    ("Q2 version", "GET / HTTP/1.2\r\n" + HOST + "\r\n", 505),
    ("Q2 version 2", "GET / HTTP/2.0\r\n" + HOST + "\r\n", 505),
    ("Q2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("Q3 no version", "GET /\r\n\r\n", 400),
    ("Q4 method no token", "G(T / HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q4 method of 33", "A" * 33 + " / HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q6 CONNECT", "CONNECT {host} HTTP/1.1\r\n" + HOST + "\r\n", 405),
    ("Q7 TRACE", "TRACE / HTTP/1.1\r\n" + HOST + "\r\n", 405),
    ("Q8 GET *", "GET * HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q9 other authority", "GET http://other.localhost/ HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q10 userinfo", "GET http://user@{host}/ HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q11 no slash", "GET index.html HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q12 fragment", "GET /a#b HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q13 CTL", "GET /a\x01b HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q13 DEL", "GET /a\x7fb HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q45 0x80 in the authority", "GET http://\x80/ HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q45 too long once encoded", "GET /" + "\xc3" * 2731 + " HTTP/1.1\r\n" + HOST + "\r\n", 414),
    ("Q13 space", "GET /a b HTTP/1.1\r\n" + HOST + "\r\n", 400),
    ("Q15 target", "GET /" + "a" * 8192 + " HTTP/1.1\r\n" + HOST + "\r\n", 414),
    ("Q17 no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("Q17 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("Q17 Host twice", GET + HOST + "\r\n", 400),
    ("Q18 Host chars", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("Q18 Host port", "GET / HTTP/1.1\r\nHost: {name}.localhost:65536\r\n\r\n", 400),
    (
        "Q21 CL and TE",
        GET + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("Q22 CL list", GET + "Content-Length: 5,5\r\n\r\nhello", 400),
    ("Q22 CL twice", GET + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("Q23 CL plus", GET + "Content-Length: +5\r\n\r\nhello", 400),
    ("Q23 CL minus", GET + "Content-Length: -1\r\n\r\n", 400),
    ("Q23 CL hex", GET + "Content-Length: 0x5\r\n\r\nhello", 400),
    ("Q23 CL two", GET + "Content-Length: 5 5\r\n\r\nhello", 400),
    ("Q23 CL empty", GET + "Content-Length:\r\n\r\n", 400),
    ("Q23 CL huge", GET + "Content-Length: 9223372036854775808\r\n\r\n", 400),
    ("Q24 TE gzip", GET + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("Q24 TE unknown", GET + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ("Q24 TE twice", GET + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
    ("Q24 TE parameter", GET + "Transfer-Encoding: chunked;a\r\n\r\n0\r\n\r\n", 400),
    ("Q24 TE empty", GET + "Transfer-Encoding:\r\n\r\n", 400),
    ("Q24 TE vertical tab", GET + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (
        "Q25 TE in 1.0",
        "POST / HTTP/1.0\r\n" + HOST + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("Q31 bare LF", "GET / HTTP/1.1\n" + HOST + "\r\n", 400),
    ("Q31 bare LF in a field", GET + "X-A: b\nX-C: d\r\n\r\n", 400),
    ("Q32 bare CR", GET + "X-A: b\rc\r\n\r\n", 400),
    ("Q33 NUL", GET + "X-A: b\x00c\r\n\r\n", 400),
    ("Q33 CTL", GET + "X-A: b\x02c\r\n\r\n", 400),
    ("Q34 name", GET + "X(A: b\r\n\r\n", 400),
    ("Q34 empty name", GET + ": b\r\n\r\n", 400),
    ("Q34 space before colon", GET + "X-A : b\r\n\r\n", 400),
    ("Q34 no colon", GET + "nonsense\r\n\r\n", 400),
    ("Q35 obs-fold", GET + "X-A: b\r\n c\r\n\r\n", 400),
    ("Q36 field", GET + "X-A: " + "a" * (16 << 10) + "\r\n\r\n", 431),
    ("Q36 fields", GET + "".join(f"X-{n}: a\r\n" for n in range(101)) + "\r\n", 431),
    ("Q36 head", GET + "".join(f"X-{n}: {'a' * 8000}\r\n" for n in range(5)) + "\r\n", 431),
    ("H2 Connection names host", GET + "Connection: host\r\n\r\n", 400),
    (
        "H2 Connection names a length",
        GET + "Connection: content-length\r\nContent-Length: 0\r\n\r\n",
        400,
    ),
    (
        "H2 Connection names a coding",
        GET + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("H2 Connection names cookie", GET + "Connection: cookie\r\nCookie: a=b\r\n\r\n", 400),
    (
        "H2 Connection names authorization",
        GET + "Connection: close, Authorization\r\nAuthorization: x\r\n\r\n",
        400,
    ),
    ("H2 Connection names forwarded", GET + "Connection: x-forwarded-for\r\n\r\n", 400),
    ("H6 expectation", GET + "Expect: 200-maybe\r\n\r\n", 417),
    (
        "W1 version",
        GET + "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 12\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        426,
    ),
    (
        "W1 key",
        GET + "Upgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: short\r\n\r\n",
        400,
    ),
]


# What nginx does with some of the rows before oneportd sees them: the status that the viewer gets.
# PASSES is the origin's answer to a request that nginx has repaired.
PASSES = 404
BY_NGINX = {
    "Q2 version": PASSES,
    "Q6 CONNECT": 400,
    "Q24 TE twice": 501,
    "Q24 TE parameter": 501,
    "Q24 TE empty": 501,
    "Q24 TE vertical tab": 501,
    "Q31 bare LF": PASSES,
    "Q31 bare LF in a field": PASSES,
    "Q34 name": PASSES,
    "Q34 no colon": PASSES,
    "H2 Connection names host": PASSES,
    "H2 Connection names a length": PASSES,
    "H2 Connection names a coding": PASSES,
    "H2 Connection names cookie": PASSES,
    "H2 Connection names authorization": PASSES,
    "H2 Connection names forwarded": PASSES,
    "H6 expectation": PASSES,
}
# nginx leaves these to oneportd, and the others it refuses itself with the same status.
LEFT = {
    "Q4 method of 33",
    "Q12 fragment",
    "Q45 too long once encoded",
    "Q15 target",
    "Q18 Host port",
    "Q33 CTL",
    "Q36 field",
    "Q36 fields",
    "Q36 head",
    "W1 version",
    "W1 key",
}
# nginx answers these in another way, see test_nginx_facts.
ELSEWHERE = {"Q3 no version": "N12", "Q9 other authority": "N5"}


def refused_row(rule, raw, status):
    marks = [pytest.mark.direct(ELSEWHERE[rule])] if rule in ELSEWHERE else []
    return pytest.param(rule, raw, status, id=rule, marks=marks)


@pytest.mark.http1("HAProxy refuses or repairs most of them")
@pytest.mark.rule("N1", "N2", "N3", "N7", "N12")
@pytest.mark.parametrize("rule,raw,status", [refused_row(*row) for row in REFUSED])
def test_refused(server, tunnel, way, rule, raw, status):
    if way == "nginx":
        status = BY_NGINX.get(rule, status)
    with Viewer(server.port) as viewer:
        viewer.send(raw.format(host=tunnel.host, name=tunnel.name))
        got = viewer.response()
        assert got.status == status, got
        if way == "direct":
            assert "close" in got.get("Connection")
            viewer.ended()
    assert bool(got.get("Proxy-Status")) == (way == "direct" or rule in LEFT), got
    assert bool(got.get("X-Connection")) == (status == PASSES), got
    if status == 426:
        assert got.get("Sec-WebSocket-Version") == "13"


BODIES_REFUSED = [
    ("Q27 empty size", "\r\n"),
    ("Q27 no hex", "g\r\n"),
    ("Q27 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("Q27 sign", "+5\r\nhello\r\n0\r\n\r\n"),
    ("Q27 space", " 5\r\nhello\r\n0\r\n\r\n"),
    ("Q27 overflow", "1" * 17 + "\r\nhello\r\n"),
    ("Q27 extension too long", "5;" + "a" * 300 + "\r\nhello\r\n0\r\n\r\n"),
    ("Q27 extensions too long together", ("1;" + "a" * 250 + "\r\nx\r\n") * 17 + "0\r\n\r\n"),
    ("Q27 LF in extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("Q27 CR in extension", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("Q28 no CRLF after data", "5\r\nhelloX0\r\n\r\n"),
    ("Q31 LF after size", "5\nhello\r\n0\r\n\r\n"),
]


BODIES_REPAIRED = {
    "Q27 extension too long",
    "Q27 extensions too long together",
    "Q31 LF after size",
}


@pytest.mark.http1("HAProxy refuses or repairs most of them")
@pytest.mark.rule("N1", "N2")
@pytest.mark.parametrize("rule,body", BODIES_REFUSED, ids=[rule for rule, _ in BODIES_REFUSED])
def test_refused_bodies(server, tunnel, way, rule, body):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/upload", tunnel.host, "Transfer-Encoding: chunked")
            + body.encode("latin-1")
        )
        got = viewer.response()
        if way == "nginx" and rule in BODIES_REPAIRED:  # nginx writes chunks of its own
            assert (got.status, bool(got.get("X-Connection"))) == (200, True)
            return
        assert got.status == (431 if "too long" in rule else 400)
        viewer.ended()


# ---- requests that pass, and how ----
def as_seen(got):
    """Returns what the origin saw: (method, target, {name in lower case: [values]})."""
    seen = got.json()
    fields = {}
    for name, value in seen["fields"]:
        fields.setdefault(name.lower(), []).append(value)
    return seen["method"], seen["target"], fields


TARGETS = [
    "//a//b",
    pytest.param("/../x", marks=pytest.mark.direct("N1")),
    pytest.param("/%2e%2e/x", marks=pytest.mark.direct("N1")),
    "/a%2Fb",
    "/a;b=c",
    "/a\\b",
    pytest.param("/a%00b", marks=pytest.mark.direct("N1")),
    "/?",
    "/a?b?c=d&e",
    "/?" + "q" * 8000,
    "/a?x=%23&y=%zz",
    "/[::1]",
    '/~|{}^`"<>',
]


@pytest.mark.rule("Q14")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target[:16])
def test_q14_the_target_is_never_touched(server, shared, target):
    lines = []

    def serve(connection):
        line, _ = connection.request()
        lines.append(line)
        connection.send(reply())

    assert fetch(server.port, shared(serve).host, target).status == 200
    assert lines == [f"GET {target} HTTP/1.1"]


@pytest.mark.rule("Q7")
def test_q7_options_with_max_forwards_0_is_answered_here(server, tunnel):
    got = fetch(server.port, tunnel.host, "/echo", "Max-Forwards: 0", method="OPTIONS")
    assert (got.status, got.get("X-Connection")) == (204, None)


@pytest.mark.rule("Q8")
@pytest.mark.direct("N1")
def test_q8_options_of_everything(server, shared):
    lines = []

    def serve(connection):
        lines.append(connection.request()[0])
        connection.send(reply())

    assert fetch(server.port, shared(serve).host, "*", method="OPTIONS").status == 200
    assert lines == ["OPTIONS * HTTP/1.1"]


@pytest.mark.rule("Q9")
def test_q9_absolute_form_of_the_same_authority(server, tunnel):
    method, target, fields = as_seen(
        fetch(server.port, tunnel.host, f"http://{tunnel.host}/echo?a")
    )
    assert (method, target, fields["host"]) == ("GET", "/echo?a", [tunnel.host])


@pytest.mark.rule("Q16")
def test_q16_one_empty_line_before_the_request(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(b"\r\n" + head("GET", "/echo", tunnel.host))
        assert viewer.response().status == 200


@pytest.mark.rule("Q37")
def test_q37_bytes_above_7f_pass_in_values(server, tunnel):
    _, _, fields = as_seen(fetch(server.port, tunnel.host, "/echo", "X-Name: caf\xe9"))
    assert fields["x-name"] == ["caf\xe9"]


@pytest.mark.rule("Q38")
def test_q38_pipelined_requests_are_answered_in_order(server, tunnel):
    with Viewer(server.port) as viewer:
        paths = ["/delay?s=0.3", "/echo/1", "/bytes/100000", "/status/404", "/echo/2"]
        viewer.send(b"".join(head("GET", path, tunnel.host) for path in paths))
        answers = [viewer.response() for _ in paths]
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]
    assert answers[0].body == b"here at last"
    assert answers[2].body == pattern.pattern(100_000)
    assert answers[4].json()["target"] == "/echo/2"


@pytest.mark.rule("Q38")
def test_q38_pipelined_requests_may_name_different_hosts(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("GET", "/echo", tunnel.host)
            + head("GET", "/", "nobody-here.localhost")
            + head("GET", "/healthz", "localhost")
        )
        assert [viewer.response().status for _ in range(3)] == [200, 404, 200]


@pytest.mark.rule("Q39")
@pytest.mark.direct("N13")
def test_q39_a_half_head_is_not_waited_for_long(server, tunnel):
    with Viewer(server.port, timeout_s=25) as viewer:
        start = time.monotonic()
        viewer.send(f"GET / HTTP/1.1\r\nHost: {tunnel.host}\r\n")
        assert viewer.response().status == 408
        assert 14.9 < time.monotonic() - start < 15 + SLOW
        assert viewer.ended()


@pytest.mark.rule("Q39")
def test_q39_a_body_that_stops_coming(new_server, new_client, http_origin):
    server = new_server("--idle-timeout", "1s")
    client = new_client(http_origin.port, server=server)
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/upload", client.host, "Content-Length: 100") + b"only this")
        assert viewer.response().status == 408
        viewer.ended()


@pytest.mark.rule("H1")
def test_h1_repeated_fields_stay_apart_and_in_order(server, tunnel):
    got = fetch(
        server.port,
        tunnel.host,
        "/echo",
        "X-A: 1",
        "X-B: 2",
        "X-A: 3",
        "Accept: text/a",
        "Accept: text/b",
    )
    _, _, fields = as_seen(got)
    assert fields["x-a"] == ["1", "3"] and fields["accept"] == ["text/a", "text/b"]


@pytest.mark.rule("D3")
def test_d3_cookies_arrive_as_one_line(server, tunnel):
    _, _, fields = as_seen(
        fetch(server.port, tunnel.host, "/echo", "Cookie: a=1; b=2", "Cookie: c=3")
    )
    assert fields["cookie"] == ["a=1; b=2; c=3"]


@pytest.mark.rule("H2", "H3", "H8", "H10")
def test_h2_h3_h8_h10_what_never_reaches_the_origin(server, tunnel):
    got = fetch(
        server.port,
        tunnel.host,
        "/echo",
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "HTTP2-Settings: AAA",
        "TE: gzip, trailers",
        "X_Forwarded_For: 6.6.6.6",
        "Oneport-Error: forged",
        "Oneport-Ticket: forged",
    )
    _, _, fields = as_seen(got)
    gone = {
        "keep-alive",
        "proxy-connection",
        "http2-settings",
        "x_forwarded_for",
        "oneport-error",
        "oneport-ticket",
        "upgrade",
    }
    assert not gone & set(fields)
    assert fields.get("te", ["trailers"]) == ["trailers"]


@pytest.mark.rule("H2")
@pytest.mark.direct("N2")
def test_h2_fields_that_connection_names_are_dropped(server, tunnel):
    with Viewer(server.port) as viewer:
        _, _, fields = as_seen(
            viewer.get(
                tunnel.host, "/echo", "Connection: X-Hop, keep-alive", "X-Hop: 1", "X-Stays: 2"
            )
        )
    assert "x-hop" not in fields and fields["x-stays"] == ["2"]


@pytest.mark.http1("HAProxy takes an upgrade for one to WebSockets")
@pytest.mark.rule("W2")
def test_w2_other_upgrades_become_plain_requests(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(
            tunnel.host,
            "/echo",
            "Upgrade: h2c",
            "Connection: Upgrade, HTTP2-Settings",
            "HTTP2-Settings: AAMAAABk",
        )
        _, _, fields = as_seen(got)
    assert got.status == 200
    assert "upgrade" not in fields and "http2-settings" not in fields


@pytest.mark.rule("H14")
def test_h14_get_with_a_body(server, tunnel):
    assert (
        fetch(server.port, tunnel.host, "/echo", method="GET", body=b"query").json()["body"]
        == "query"
    )


def test_h15_a_head_that_fits_http1_but_not_the_link(server, tunnel):
    """The head is close to the size limit. It passes whole or is refused with 431, and the tunnel
    goes on."""
    big = fetch(server.port, tunnel.host, "/echo", *[f"X-{n}: {'a' * 7900}" for n in range(4)])
    assert big.status in (200, 431)
    assert fetch(server.port, tunnel.host, "/echo").status == 200


@pytest.mark.rule("D5", "Q29")
@pytest.mark.direct("N3, N4")
def test_d5_q29_chunked_with_trailers(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/upload", tunnel.host, "Transfer-Encoding: CHUNKED", "Trailer: X-Sum")
        )
        viewer.send(
            "5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\n"
            "X-Sum: 42\r\nContent-Length: 6\r\nHost: evil\r\n\r\n"
        )
        got = viewer.response().json()
    assert (got["length"], got["framing"]) == (6, "chunked")
    names = [name.lower() for name, _ in got["trailers"]]
    assert "host" not in names and "content-length" not in names
    assert names in ([], ["x-sum"])


@pytest.mark.rule("H12", "D4")
def test_h12_a_viewer_that_leaves_early_ends_the_request_as_broken(server, shared):
    outcome = []

    def serve(connection):
        try:
            connection.request()
            connection.exactly(1000)
            outcome.append("complete")
        except (EOFError, ConnectionError):
            outcome.append("cut")

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 1000") + b"a" * 10)
        client.origin.wait_connections(1)
    wait_until(lambda: outcome, 3, "the origin to notice")
    assert outcome == ["cut"]


@pytest.mark.rule("H12", "D5")
def test_h12_a_chunked_upload_cut_in_the_middle_is_never_completed(server, shared):
    outcome = []

    def serve(connection):
        try:
            connection.request()
            connection.body()
            outcome.append("complete")
        except (EOFError, ConnectionError, ValueError):
            outcome.append("cut")

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/", client.host, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n"
        )
        client.origin.wait_connections(1)
    wait_until(lambda: outcome, 3, "the origin to notice")
    assert outcome == ["cut"]


# ---- Expect ----
@pytest.mark.rule("H6", "R4")
@pytest.mark.direct("N7")
def test_h6_the_origins_100_is_relayed(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/upload", tunnel.host, "Content-Length: 5", "Expect: 100-continue")
        )
        assert viewer.response_head().status == 100
        viewer.send("hello")
        got = viewer.response()
    assert (got.status, got.json()["length"]) == (200, 5)


@pytest.mark.rule("H6")
@pytest.mark.direct("N7")
def test_h6_a_refusal_instead_of_100(server, shared):
    def serve(connection):
        connection.request()
        connection.send(reply(b"too big", status=413))

    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/", shared(serve).host, "Content-Length: 5", "Expect: 100-continue")
        )
        got = viewer.response()
        assert (got.status, got.body, got.interim) == (413, b"too big", [])


@pytest.mark.rule("R4")
def test_r4_no_100_for_a_viewer_that_did_not_ask(server, shared):
    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.body()
        connection.send(reply(b"done"))

    got = fetch(server.port, shared(serve).host, method="POST", body=b"x")
    assert (got.status, got.body, got.interim) == (200, b"done", [])


# ---- responses ----
@pytest.mark.rule("R4")
@pytest.mark.direct("N11")
def test_r4_103_reaches_a_direct_viewer(server, tunnel):
    got = fetch(server.port, tunnel.host, "/early103")
    assert [hint.status for hint in got.interim] == [103]
    assert got.interim[0].get("Link") == "</style.css>; rel=preload"
    assert (got.status, got.body) == (200, b"after the hint")


@pytest.mark.rule("R4")
def test_r4_103_is_dropped_towards_a_trusted_proxy(server, tunnel):
    got = fetch(server.port, tunnel.host, "/early103", "X-Forwarded-For: 198.51.100.7")
    assert (got.status, got.interim, got.body) == (200, [], b"after the hint")


@pytest.mark.rule("R13")
@pytest.mark.direct("N3")
def test_r13_trailers_for_a_viewer_that_wants_them(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/trailers", "TE: trailers", "Connection: TE")
    assert got.body == b"hello"
    assert [(name.lower(), value) for name, value in got.trailers] == [("x-sum", "42")]


@pytest.mark.rule("R13")
def test_r13_no_trailers_for_others(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/trailers")
    assert (got.body, got.trailers) == (b"hello", [])


def test_set_cookie_lines_stay_apart(server, tunnel):
    got = fetch(server.port, tunnel.host, "/cookies")
    assert got.all("Set-Cookie")[:2] == ["a=1; Path=/", "b=2, 3; HttpOnly"]


@pytest.mark.rule("R15a")
def test_r15a_a_cookie_for_the_base_domain_stays_with_its_tunnel(server, tunnel):
    third = fetch(server.port, tunnel.host, "/cookies").all("Set-Cookie")[2]
    assert re.fullmatch(r"c=3; *Path=/", third)


def test_repeated_response_fields(server, tunnel):
    got = fetch(server.port, tunnel.host, "/repeated")
    assert got.all("X-Twice") == ["one", "two"] and got.all("Vary") == ["Accept", "Origin"]


@pytest.mark.rule("R14")
def test_r14_hop_by_hop_fields_of_the_origin_are_dropped(server, shared):
    fields = [
        "Connection: X-Hop, keep-alive",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "Upgrade: h2c",
        'Alt-Svc: h3=":443"',
        "Oneport-Error: forged",
        "Strict-Transport-Security: max-age=1",
        "Server: mine",
        "Date: today",
    ]
    got = fetch(server.port, shared(answering(reply(b"ok", *fields))).host)
    names = {name.lower() for name, _ in got.fields}
    assert not names & {"x-hop", "keep-alive", "upgrade", "alt-svc", "oneport-error"}
    assert (got.get("Strict-Transport-Security"), got.get("Server"), got.get("Date")) == (
        "max-age=1",
        "mine",
        "today",
    )


@pytest.mark.rule("R15")
def test_r15_location_is_untouched(server, tunnel):
    got = fetch(server.port, tunnel.host, "/redirect")
    assert (got.status, got.get("Location")) == (302, "/elsewhere")


@pytest.mark.rule("R8")
def test_r8_205_has_length_0(server, shared):
    got = fetch(
        server.port, shared(answering(b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n")).host
    )
    assert (got.status, got.get("Content-Length")) == (205, "0")


@pytest.mark.rule("R12")
def test_r12_without_length_it_is_chunked(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/bytes/70000?close=1")
        assert got.get("Transfer-Encoding") == "chunked" and got.body == pattern.pattern(70_000)
        # The viewer's connection stays open when the origin's closes.
        assert viewer.get(tunnel.host, "/echo").status == 200


NONSENSE = [
    # rule, what the origin sends before it closes
    ("R1 no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("R1 status 099", b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n"),
    ("R1 status 600", b"HTTP/1.1 600 No\r\nContent-Length: 0\r\n\r\n"),
    ("R1 status 20", b"HTTP/1.1 20 No\r\nContent-Length: 0\r\n\r\n"),
    ("R1 HTTP/2", b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    (
        "R2 fields",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n",
    ),
    ("R2 head", b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n"),
    ("R3 NUL", b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n"),
    ("R3 name", b"HTTP/1.1 200 OK\r\nX(A: a\r\nContent-Length: 0\r\n\r\n"),
    ("R3 space before colon", b"HTTP/1.1 200 OK\r\nX-A : a\r\nContent-Length: 0\r\n\r\n"),
    ("R3 obs-fold", b"HTTP/1.1 200 OK\r\nX-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
    ("R3 CL unequal", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    ("R3 TE", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc"),
    (
        "R4 unasked 101",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ),
    ("R9 half a head", b"HTTP/1.1 200 OK\r\nContent-Le"),
    ("R9 nothing", b""),
]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in NONSENSE])
def test_nonsense_of_the_origin_is_502(server, shared, raw):
    got = fetch(server.port, shared(answering(raw)).host)
    assert got.status == 502
    assert got.get("Proxy-Status")


CUT = [
    ("R9 length", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
    ("R10 chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ("R10 in a chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello"),
    ("R10 bad chunk", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n"),
]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in CUT])
def test_a_cut_response_looks_cut(server, shared, raw):
    """A viewer never gets a complete response with the wrong body. Its connection breaks, or it
    gets a 502 if no head was sent yet."""
    client = shared(answering(raw))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        try:
            got = viewer.response()
        except Broken:
            return
        assert got.status == 502


@pytest.mark.rule("R12")
@pytest.mark.direct("N14")
def test_r12_a_cut_response_to_http_1_0_is_reset(server, shared):
    """Without a length or chunks only a reset shows that the body was cut."""

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        connection.silent_for(0.3)  # lets the head leave before the reset
        connection.reset()

    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\nHost: {shared(serve).host}\r\n\r\n")
        with pytest.raises((Broken, ConnectionError)):
            viewer.response()


SURPLUS = [
    (
        "after the length",
        reply(b"mine") + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        "GET",
    ),
    ("after HEAD", reply(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"), "HEAD"),
    (
        "after 204",
        b"HTTP/1.1 204 No\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        "GET",
    ),
    (
        "after 304",
        b"HTTP/1.1 304 No\r\nContent-Length: 4\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
        "GET",
    ),
    (
        "after the last chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + reply(b"forged"),
        "GET",
    ),
]


@pytest.mark.rule("D7", "R5")
@pytest.mark.parametrize(
    "raw,method", [pytest.param(raw, method, id=rule) for rule, raw, method in SURPLUS]
)
def test_surplus_never_reaches_the_next_viewer(server, shared, raw, method):
    def serve(connection):
        first = len(client.origin.connections) == 1
        while True:
            connection.request()
            connection.send(raw if first else reply(b"clean"))
            first = False

    client = shared(serve)
    first = fetch(server.port, client.host, method=method)
    assert b"forged" not in first.body or first.status == 502
    assert fetch(server.port, client.host).body == b"clean"
    assert len(client.origin.connections) == 2  # oneport did not use the poisoned connection again


@pytest.mark.rule("D12", "R18")
def test_d12_r18_an_answer_before_the_upload_ends(server, shared):
    def serve(connection):
        connection.request()
        connection.send(reply(b"enough", status=413))

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 10000000") + b"a" * 100_000)
        got = viewer.response()
        assert (got.status, got.body) == (413, b"enough")
    assert len(client.origin.connections) == 1


@pytest.mark.rule("R17")
def test_r17_a_viewer_that_leaves_frees_the_origin(server, shared):
    ends = []

    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nstart")
        ends.append(connection.ended() or True)

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
    wait_until(lambda: ends, 3, "the origin connection's end")


@pytest.mark.rule("D8")
def test_d8_a_reused_connection_that_died_is_replaced_unseen(server, shared):
    """The origin closes an idle connection just as the next request comes. oneport sends the
    request again on a new connection."""

    def serve(connection):
        connection.request()
        connection.send(reply(b"first"))
        connection.request()  # reads the second request and closes without an answer

    client = shared(serve)
    with Viewer(server.port) as viewer:
        assert [viewer.get(client.host).status for _ in range(2)] == [200, 200]
    assert len(client.origin.connections) == 2


@pytest.mark.rule("D8")
def test_d8_a_post_is_not_sent_twice(server, shared):
    requests = []

    def serve(connection):
        while True:
            requests.append(connection.request()[0])
            connection.body()
            if requests[-1].startswith("POST"):
                return
            connection.send(reply(b"ok"))

    client = shared(serve)
    with Viewer(server.port) as viewer:
        assert viewer.get(client.host).status == 200
        assert viewer.get(client.host, method="POST", body=b"pay").status == 502
    assert requests == ["GET / HTTP/1.1", "POST / HTTP/1.1"]


@pytest.mark.direct("N3")
def test_head_field_names_may_be_anything_that_is_a_token(server, tunnel):
    _, _, fields = as_seen(
        fetch(server.port, tunnel.host, "/echo", "!#$%&'*+-.^`|~9z: odd", "X-Empty:")
    )
    assert fields["!#$%&'*+-.^`|~9z"] == ["odd"] and fields["x-empty"] == [""]

# SPDX-License-Identifier: MIT
"""Tests the rules of responses that need the whole path: what a viewer sees of each answer that an
origin sends."""

import threading
import time

import pytest
from support import pattern
from support.origins import answering, noting_end, reply
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head
from support.wait import wait_until

WAYS = ("direct", "nginx", "http2")


def hints(count, size=0):
    link = b"Link: </" + b"x" * size + b">\r\n"
    return b"".join(
        b"HTTP/1.1 103 Early Hints\r\nX-N: %d\r\n%b\r\n" % (number, link) for number in range(count)
    )


def typed(got):
    """Returns the error type in Proxy-Status (RFC 9209)."""
    return got.get("Proxy-Status").partition("error=")[2].split(";")[0]


# ---- status lines and heads ----
@pytest.mark.http1("HTTP/2 has no phrase")
@pytest.mark.rule("R1")
@pytest.mark.parametrize("line", ["HTTP/1.1 200 Teapot", "HTTP/1.0 200", "HTTP/1.1 200 "])
def test_the_reason_phrase_is_ours(server, played, line):
    got = fetch(
        server.port, played(answering(f"{line}\r\nContent-Length: 2\r\n\r\nok".encode())).host
    )
    assert (got.status, got.reason, got.body) == (200, "OK", b"ok")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = [
    (
        "R2 fields",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(101)) + b"\r\n",
        "http_response_header_section_size",
    ),
    (
        "R2 octets",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 33_000 + b"\r\n\r\n",
        "http_response_header_section_size",
    ),
    ("R1 status", b"HTTP/1.1 600 No\r\n\r\n", "http_protocol_error"),
    ("R3 NUL", b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n", "http_protocol_error"),
    ("R3 bare CR", b"HTTP/1.1 200 OK\r\nX-A: a\rb\r\n\r\n", "http_protocol_error"),
    ("R3 fold behind LF", b"HTTP/1.1 200 OK\nX-A: a\n b\n\n", "http_protocol_error"),
    (
        "R26 two lengths and chunks",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "http_protocol_error",
    ),
    ("R27 no size", CHUNKED + b"xyz\r\n", "http_response_transfer_coding"),
    ("R27 blank before a size", CHUNKED + b" 2\r\nok\r\n", "http_response_transfer_coding"),
    ("R27 bare CR", CHUNKED + b"2\rok\r\n", "http_response_transfer_coding"),
    ("R27 longer than its size", CHUNKED + b"2\r\nokay\r\n", "http_response_transfer_coding"),
    (
        "R3 coding",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        "http_protocol_error",
    ),
    (
        "R3 Connection names a length",
        b"HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 0\r\n\r\n",
        "http_protocol_error",
    ),
    (
        "R4 101 unasked",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nraw",
        "http_protocol_error",
    ),
    ("R9 half a head", b"HTTP/1.1 200 OK\r\nContent-Le", "http_response_incomplete"),
    ("R9 nothing", b"", "connection_terminated"),
]


@pytest.mark.parametrize(
    "raw,kind", [pytest.param(raw, kind, id=rule) for rule, raw, kind in BROKEN]
)
def test_a_broken_head_is_502_by_its_name(server, played, raw, kind):
    """oneport does not use the broken connection again."""
    client = played(answering(raw))
    for _ in range(2):
        got = fetch(server.port, client.host)
        assert (got.status, typed(got)) == (502, kind)
    assert len(client.origin.connections) == 2


# ---- what is not quite right, and means one thing only ----
UNTIDY = [
    # rule, what the origin sends
    ("R25 LF in the head", b"HTTP/1.1 200 OK\nX-A: b\nContent-Length: 2\n\nok"),
    ("R25 LF and CRLF", b"HTTP/1.1 200 OK\r\nX-A: b\nContent-Length: 2\r\n\nok"),
    ("R25 LF and no phrase", b"HTTP/1.0 200\nX-A: b\n\nok"),
    ("R25 an empty line before", b"\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok"),
    ("R25 empty lines before", b"\n\r\n\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok"),
    ("R25 blanks behind sizes", CHUNKED[:-2] + b"X-A: b\r\n\r\n2  \r\nok\r\n0 \t\r\n\r\n"),
    ("R25 a blank before an extension", CHUNKED[:-2] + b"X-A: b\r\n\r\n2 ;x\r\nok\r\n0\r\n\r\n"),
    ("R25 LF around chunks", CHUNKED[:-2] + b"X-A: b\r\n\r\n1\no\n1;x\nk\n0\n\n"),
    ("R25 LF in trailers", CHUNKED[:-2] + b"X-A: b\r\n\r\n2\nok\n0\nX-Sum: 1\n\n"),
    (
        "R26 length and chunks",
        CHUNKED[:-2] + b"Content-Length: 9\r\nX-A: b\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "R26 chunks and LF",
        b"HTTP/1.1 200 OK\nContent-Length: 2\nTransfer-Encoding: chunked\nX-A: b\n\n2\nok\n0\n\n",
    ),
]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in UNTIDY])
def test_an_untidy_answer_is_passed_on_in_order(server, played, raw, version):
    """The viewer's parser is strict: a length beside chunks, or LF alone, would fail there."""
    client = played(answering(raw))
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/{version}\r\nHost: {client.host}\r\n\r\n")
        got = viewer.response()
    assert (got.status, got.get("X-A"), got.body) == (200, "b", b"ok")


def repeating(raw):
    """Returns a script that answers each request of a connection with @raw."""

    def serve(connection):
        while True:
            connection.request()
            connection.send(raw)

    return serve


@pytest.mark.rule("R25", "R26")
@pytest.mark.parametrize(
    "raw,used",
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 1),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \nok\n0\n\n", 1),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"
            b"2\r\nok\r\n0\r\n\r\n",
            2,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n", 2),
    ],
    ids=["LF", "LF and blanks in chunks", "length and chunks", "an empty line behind it"],
)
def test_which_untidy_connections_are_used_again(server, played, raw, used):
    client = played(repeating(raw))
    for _ in range(2):
        assert fetch(server.port, client.host).body == b"ok"
    assert len(client.origin.connections) == used


@pytest.mark.rule("R27")
def test_a_broken_chunk_behind_the_head_is_a_cut(server, played):
    seen = threading.Event()

    def serve(connection):
        connection.request()
        connection.send(CHUNKED)
        seen.wait(10)
        connection.send(b"xyz\r\n")

    client = played(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 200
        seen.set()
        assert b"0\r\n\r\n" not in viewer.rest()


# ---- interim heads ----
@pytest.mark.rule("R4")
@pytest.mark.direct("N11")
def test_eight_hints_pass_and_no_more(server, played):
    got = fetch(server.port, played(answering(hints(20) + reply())).host)
    assert (got.status, [hint.get("X-N") for hint in got.interim]) == (
        200,
        [str(number) for number in range(8)],
    )


@pytest.mark.rule("R4")
@pytest.mark.direct("N11")
def test_hints_have_16_kib_together(server, played):
    got = fetch(server.port, played(answering(hints(3, 7000) + reply())).host)
    assert (got.status, len(got.interim)) == (200, 2)


PROXIED = "X-Forwarded-For: 198.51.100.7"


@pytest.mark.rule("R4")
@pytest.mark.parametrize("mode,direct,proxied", [("auto", 1, 0), ("on", 1, 1), ("off", 0, 0)])
@pytest.mark.direct("N11")
def test_the_option_decides_who_gets_hints(new_server, shared, mode, direct, proxied):
    server = new_server("--early-hints", mode)
    client = shared(answering(hints(1) + reply()), server=server)
    assert len(fetch(server.port, client.host).interim) == direct
    assert len(fetch(server.port, client.host, "/", PROXIED).interim) == proxied
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\nHost: {client.host}\r\n\r\n")
        assert viewer.response().interim == []


# ---- heads without bodies ----
BARE = [
    # rule, method, what the origin sends, status, length that the viewer sees
    ("R5 with a length", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", 200, "12345"),
    ("R5 with a body", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "5"),
    ("R5 chunked", "HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, None),
    ("R6 with a length", "GET", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", 204, None),
    (
        "R6 chunked",
        "GET",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        204,
        None,
    ),
    ("R7 with a length", "GET", b"HTTP/1.1 304 No\r\nContent-Length: 1234\r\n\r\n", 304, "1234"),
    ("R7 with a body", "GET", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\nhello", 304, "5"),
    ("R8 with a body", "GET", b"HTTP/1.1 205 Reset\r\nContent-Length: 5\r\n\r\nhello", 205, "0"),
    ("R8 until close", "GET", b"HTTP/1.1 205 Reset\r\n\r\nhello", 205, "0"),
]


@pytest.mark.parametrize(
    "method,raw,status,length", [pytest.param(*rest, id=rule) for rule, *rest in BARE]
)
def test_no_body_whatever_the_origin_sends(server, played, tunnel, method, raw, status, length):
    with Viewer(server.port) as viewer:
        got = viewer.get(played(answering(raw)).host, "/", method=method)
        assert (got.status, got.get("Content-Length"), got.get("Transfer-Encoding"), got.body) == (
            status,
            length,
            None,
            b"",
        )
        # The second answer is right only if the first one had no body.
        assert viewer.get(tunnel.host, "/bytes/7").body == pattern.pattern(7)


# ---- bodies ----
@pytest.mark.rule("R9", "R12")
def test_a_length_stays_a_length(server, tunnel):
    got = fetch(server.port, tunnel.host, "/bytes/70000")
    assert (got.get("Content-Length"), got.get("Transfer-Encoding"), got.body) == (
        "70000",
        None,
        pattern.pattern(70_000),
    )


@pytest.mark.rule("R11")
def test_until_close_fin_ends_it(server, played):
    got = fetch(server.port, played(answering(b"HTTP/1.0 200 OK\r\n\r\nall of it")).host)
    assert got.body == b"all of it"


def reset_when(told, data):
    """Returns a script that sends @data and resets the connection when @told is set."""

    def serve(connection):
        connection.request()
        connection.send(data)
        told.wait(10)
        connection.reset()

    return serve


@pytest.mark.rule("R11", "R12")
@pytest.mark.parametrize("version", ["1.1", pytest.param("1.0", marks=pytest.mark.direct("N14"))])
def test_until_close_rst_breaks_it(server, played, version):
    seen = threading.Event()
    client = played(reset_when(seen, b"HTTP/1.0 200 OK\r\n\r\nnot all"))
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/{version}\r\nHost: {client.host}\r\n\r\n")
        assert viewer.response_head().status == 200
        assert viewer.until(b"not all")
        seen.set()
        with pytest.raises(
            (EOFError, ConnectionError) if version == "1.1" else ConnectionResetError
        ):
            viewer.until(b"0\r\n\r\n")


CUTS = [
    ("R9 length", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly"),
    ("R10 chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n"),
    (
        "R10 nonsense for a chunk",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nxyz\r\n",
    ),
    (
        "R10 no end of trailers",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n0\r\nX: y\r\n",
    ),
]


@pytest.mark.parametrize("version", ["1.1", pytest.param("1.0", marks=pytest.mark.direct("N14"))])
@pytest.mark.parametrize("raw", [pytest.param(raw, id=rule) for rule, raw in CUTS])
def test_a_cut_body_never_looks_complete(server, played, raw, version):
    client = played(answering(raw))
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/{version}\r\nHost: {client.host}\r\n\r\n")
        try:
            # everything came at once, and no head was sent yet
            assert viewer.response().status == 502
        except (Broken, ConnectionError):
            pass


# ---- fields ----
@pytest.mark.rule("R13")
@pytest.mark.direct("N3")
def test_trailers_without_what_they_must_not_say(server, played):
    chunks = b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n" + b"".join(
        line + b": x\r\n"
        for line in (
            b"Host",
            b"Content-Length",
            b"Set-Cookie",
            b"TE",
            b"Authorization",
            b"X-Forwarded-For",
            b"Oneport-Error",
        )
    )
    client = played(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"\r\n")
    )
    with Viewer(server.port) as viewer:
        got = viewer.get(client.host, "/", "TE: trailers", "Connection: TE")
    assert (got.body, [(name.lower(), value) for name, value in got.trailers]) == (
        b"hello",
        [("x-sum", "42")],
    )


@pytest.mark.rule("R14")
def test_what_the_origin_says_of_itself_stays(server, played):
    said = [
        "Server: own/1",
        "Date: Thu, 01 Jan 1970 00:00:00 GMT",
        "Strict-Transport-Security: max-age=1",
        "X-Powered-By: y",
    ]
    got = fetch(
        server.port,
        played(
            answering(reply(b"ok", *said, 'Alt-Svc: h3=":443"', "Connection: X-Gone", "X-Gone: 1"))
        ).host,
    )
    for line in said:
        assert got.get(line.split(": ")[0]) == line.split(": ")[1]
    assert got.get("Alt-Svc") is None and got.get("X-Gone") is None


@pytest.mark.http1("viewers have another port than clients")
@pytest.mark.rule("R15")
@pytest.mark.parametrize("rewrite", [False, True], ids=["keep", "rewrite"])
def test_one_option_switches_all_rewriting(server, shared, rewrite):
    seen = {}

    def serve(connection):
        connection.request()
        seen.update({name: connection.get(name) for name in ("Host", "Origin", "Referer")})
        own = f"http://localhost:{client.origin.port}"
        connection.send(
            reply(
                b"",
                f"Location: {own}/x",
                f"Access-Control-Allow-Origin: {own}",
                "Set-Cookie: a=b; Domain=localhost",
            )
        )

    client = shared(serve, *(["--host-header", "rewrite"] if rewrite else []))
    theirs, own = f"http://{client.host}", f"http://localhost:{client.origin.port}"
    got = fetch(server.port, client.host, "/", f"Origin: {theirs}", f"Referer: {theirs}/page")
    there, back = (own, theirs) if rewrite else (theirs, own)
    assert seen == {
        "Host": there.removeprefix("http://"),
        "Origin": there,
        "Referer": f"{there}/page",
    }
    assert (got.get("Location"), got.get("Access-Control-Allow-Origin")) == (f"{back}/x", back)


@pytest.mark.rule("R45")
def test_the_page_of_an_app_that_is_being_restarted(server, new_client, new_origin):
    app = new_origin()
    client = new_client(app.port)
    app.stop()
    page = fetch(server.port, client.host, "/", "Accept: text/html")
    assert page.status == 502 and b"<title>The app is restarting</title>" in page.body
    assert 3 <= int(page.body.partition(b'"refresh" content="')[2].partition(b'"')[0]) <= 6
    assert fetch(server.port, client.host).json()["error"] == "connection_refused"
    app.start()
    assert fetch(server.port, client.host, "/echo", "Accept: text/html").status == 200


@pytest.mark.rule("R15a")
def test_a_cookie_for_the_base_domain_is_confined_and_that_is_said_once(server, played):
    client = played(
        answering(reply(b"", "Set-Cookie: a=1; Domain=LOCALHOST; Path=/", "Connection: close"))
    )
    for _ in range(3):
        assert fetch(server.port, client.host).get("Set-Cookie") == "a=1; Path=/"
    assert server.log.count(f"cookie_confined name={client.name}") == 1


@pytest.mark.rule("R16")
@pytest.mark.direct("N16")
def test_an_event_stream_begins_with_its_head(server, played):
    seen = threading.Event()
    client = played(reset_when(seen, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().get("X-Accel-Buffering") == "no"
    seen.set()


# ---- one side leaves, or has enough ----
@pytest.mark.rule("R17")
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
def test_a_viewer_that_leaves_frees_the_origin_at_once(server, played, begun):
    ends = []
    client = played(noting_end(ends, begun))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        client.origin.wait_connections(1)
        if begun:
            assert viewer.response_head().status == 200
    left = time.monotonic()
    wait_until(lambda: ends, 5, "the origin connection's end")
    assert ends[0] - left < 1 + 1 * SLOW  # it may still read for a second (Q46)


@pytest.mark.rule("D12", "R18")
@pytest.mark.parametrize("framing", ["Content-Length: 50000000", "Transfer-Encoding: chunked"])
def test_an_early_answer_can_be_read_behind_an_upload_in_full_flight(server, played, framing):
    """The viewer reads only when it can send no more. The answer is still there: no reset discarded
    it."""

    def serve(connection):
        connection.request()
        connection.send(reply(b"enough", status=413))
        connection.ended()

    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", played(serve).host, framing))
        piece = (
            b"%x\r\n%b\r\n" % (1 << 16, bytes(1 << 16)) if "chunked" in framing else bytes(1 << 16)
        )
        sent = 0
        try:
            while sent < 8 << 20:
                viewer.send(piece)
                sent += len(piece)
        except ConnectionError:
            pass
        got = viewer.response()
        assert (got.status, got.body) == (413, b"enough")
        viewer.ended()

# SPDX-License-Identifier: MIT
"""Tests the rules of requests that need the whole path: what happens to a connection, what the link
carries and what the origin sees."""

import contextlib
import json
import re
import subprocess
import time

import pytest
from support import pattern
from support.foreign import attach, linked, register
from support.frames import PREFACE, SETTING_CONNECT, RawPeer, response, settings
from support.origins import answer_upgrade, noting_end, reply
from support.programs import SLOW
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE

WAYS = ("direct", "nginx")


@pytest.fixture
def foreign(ended, server):
    """Returns foreign(name, ...), which registers @name at the file's server and opens a link with
    python3-h2."""
    return lambda name, *given, to=server, **keywords: ended.enter_context(
        contextlib.closing(linked(to.front, name, *given, **keywords))
    )


def on_the_link(foreign, server, name, *fields, **keywords):
    """Returns the fields of a request as they come over the link."""
    seen = []
    foreign(name, serve=lambda stream: (seen.append(list(stream.fields)), stream.answer(200)))
    with Viewer(server.port) as viewer:
        assert viewer.get(f"{name}.localhost", "/a", *fields, **keywords).status == 200
    return seen[0]


# ---- the connection goes on, or does not ----
@pytest.mark.rule("Q16")
@pytest.mark.direct("N12")
def test_a_second_empty_line_is_refused(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(b"\r\n\r\n" + head("GET", "/echo", tunnel.host))
        assert viewer.response().status == 400
        viewer.ended()


@pytest.mark.rule("Q26")
def test_what_follows_a_request_without_body_is_the_next(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/echo/1", tunnel.host) + head("DELETE", "/echo/2", tunnel.host))
        one, two = viewer.response().json(), viewer.response().json()
    assert (one["target"], one["framing"], one["body"]) == ("/echo/1", "none", "")
    assert (two["line"], two["body"]) == ("DELETE /echo/2 HTTP/1.1", "")


@pytest.mark.rule("Q38")
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"GET /\r\n\r\n", id="line", marks=pytest.mark.direct("N12")),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", id="length"),
    ],
)
def test_a_malformed_request_is_the_last_and_waits_for_its_turn(server, tunnel, bad):
    with Viewer(server.port) as viewer:
        viewer.send(
            head("GET", "/delay?s=0.2", tunnel.host) + bad + head("GET", "/echo/never", tunnel.host)
        )
        assert viewer.response().body == b"here at last"
        assert viewer.response().status == 400
        assert viewer.rest() == b""
    assert "/echo/never" not in server.access_log


@pytest.mark.rule("Q40")
def test_http_1_0_may_keep_the_connection(server, tunnel):
    with Viewer(server.port) as viewer:
        for path in ("/bytes/10", "/bytes/20"):
            viewer.send(
                f"GET {path} HTTP/1.0\r\nHost: {tunnel.host}\r\nConnection: keep-alive\r\n\r\n"
            )
            assert viewer.response().get("Connection").lower() == "keep-alive"
        viewer.send(
            "GET /bytes/30?chunked=1 HTTP/1.0\r\n"
            f"Host: {tunnel.host}\r\nConnection: keep-alive\r\n\r\n"
        )
        got = viewer.response()  # only the connection's end can end this body
        assert (got.get("Transfer-Encoding"), got.get("Connection"), got.body) == (
            None,
            "close",
            pattern.pattern(30),
        )


@pytest.mark.direct("nginx has a time of its own for this")
def test_a_connection_that_asks_nothing_more_is_closed(new_server, new_client, http_origin):
    """The server closes the connection without an answer when --viewer-keepalive has passed since
    the last one."""
    server = new_server("--viewer-keepalive", "400ms")
    client = new_client(http_origin.port, server=server)
    with Viewer(server.port) as viewer:
        for _ in range(2):
            assert viewer.get(client.host, "/delay?s=0.5").status == 200
        start = time.monotonic()
        assert viewer.rest() == b"" and 0.39 < time.monotonic() - start < 0.4 + 0.7 * SLOW


# ---- a viewer that ends its direction behind its request ----
def nc(server, raw):
    port = str(server.port)
    return subprocess.run(
        ["nc", "-N", "127.0.0.1", port], input=raw, stdout=subprocess.PIPE, timeout=60, check=True
    ).stdout


@pytest.mark.rule("Q46")
@pytest.mark.direct("N20")
@pytest.mark.parametrize(
    "raw,answers",
    [
        ("GET /delay?s=0.3 HTTP/1.0\r\nHost: {}\r\n\r\n", 1),
        ("GET /delay?s=0.3 HTTP/1.1\r\nHost: {}\r\n\r\n", 1),
        ("POST /delay?s=0.3 HTTP/1.0\r\nHost: {}\r\nContent-Length: 5\r\n\r\nhello", 1),
        ("GET /delay?s=0.6 HTTP/1.1\r\nHost: {0}\r\n\r\n" * 3, 3),
    ],
    ids=["1.0", "1.1", "body", "pipelined"],
)
def test_nc_gets_its_answer(server, tunnel, raw, answers):
    got = nc(server, raw.format(tunnel.host).encode())
    assert got.count(b"here at last") == answers


@pytest.mark.rule("Q46")
@pytest.mark.direct("N20")
def test_a_half_closed_viewer_gets_all_of_a_long_answer(server, tunnel):
    got = nc(server, f"GET /bytes/20000000 HTTP/1.0\r\nHost: {tunnel.host}\r\n\r\n".encode())
    assert got.partition(b"\r\n\r\n")[2] == pattern.pattern(20_000_000)


@pytest.mark.rule("Q46")
@pytest.mark.direct("N20")
def test_a_half_closed_viewer_gets_a_stream_that_moves(server, shared):
    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(5):
            time.sleep(0.4)
            connection.send(b"tick\n")

    client = shared(serve)
    got = nc(server, f"GET / HTTP/1.0\r\nHost: {client.host}\r\n\r\n".encode())
    assert got.count(b"tick\n") == 5


@pytest.mark.rule("Q46", "R17")
@pytest.mark.direct("N20")
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
def test_a_half_closed_viewer_counts_as_gone_after_a_second(server, shared, begun):
    ends = []
    client = shared(noting_end(ends, begun))
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        client.origin.wait_connections(1)
        if begun:
            assert viewer.response_head().status == 200
        left = time.monotonic()
        viewer.socket.shutdown(1)
        assert viewer.rest() == (b"start" if begun else b"")
    wait_until(lambda: ends, 5, "the origin connection's end")
    assert 0.7 < ends[0] - left < 1 + 1 * SLOW


@pytest.mark.rule("Q46", "W7")
@pytest.mark.direct("N15", "N20")
def test_a_websocket_may_be_half_closed_before_it_opens(server, shared):
    def serve(connection):
        connection.request()
        time.sleep(0.3)
        answer_upgrade(connection)
        connection.ended()
        connection.send(b"\x81\x02hi")

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        viewer.socket.shutdown(1)
        assert viewer.response().status == 101
        assert viewer.rest() == b"\x81\x02hi"


# ---- the target ----
@pytest.mark.rule("Q45")
@pytest.mark.parametrize("form", ["origin", "absolute"])
@pytest.mark.parametrize(
    "sent,want",
    [
        ("/\u00e9t\u00e9".encode(), "/%C3%A9t%C3%A9"),
        ("/x?q=\u20ac&r=%e2".encode(), "/x?q=%E2%82%AC&r=%e2"),
        (b"/\xff\x80", "/%FF%80"),
        (b"/" + b"\xff" * 2700, "/" + "%FF" * 2700),
    ],
    ids=["UTF-8", "query", "no UTF-8", "8 KiB"],
)
def test_bytes_beyond_ascii_are_encoded(server, shared, form, sent, want):
    lines = []

    def serve(connection):
        lines.append(connection.request()[0])
        connection.send(reply())

    client = shared(serve)
    authority = b"http://" + client.host.encode() if form == "absolute" else b""
    with Viewer(server.port) as viewer:
        viewer.send(b"GET " + authority + sent + b" HTTP/1.1\r\n")
        viewer.send(f"Host: {client.host}\r\n\r\n")
        assert viewer.response().status == 200
    assert lines == [f"GET {want} HTTP/1.1"]


@pytest.mark.rule("Q40")
@pytest.mark.direct("N8")
def test_a_viewer_may_name_http_1_0_in_tls(server, tunnel):
    with Viewer(server.port, server.certificate.client_context(["http/1.0"])) as viewer:
        viewer.send(f"GET /echo HTTP/1.0\r\nHost: {tunnel.host}\r\n\r\n")
        assert viewer.response().status == 200


@pytest.mark.rule("Q45")
def test_curl_asks_for_a_path_beyond_ascii(server, tunnel):
    url = f"http://{tunnel.host}/echo/\u00e9?q=\u20ac"
    got = json.loads(subprocess.check_output(["curl", "-sS", "-m", "60", url]))
    path, query = got["target"].split("?")  # some curls encode the path by themselves
    assert (path.upper(), query) == ("/ECHO/%C3%A9", "q=%E2%82%AC")


# ---- the names of fields ----
@pytest.mark.rule("D35")
def test_the_origin_sees_names_in_their_usual_spelling(server, shared):
    want = ["Content-Type", "If-None-Match", "DNT", "X-Real-Thing", "Sec-CH-UA", "SOAPAction"]
    names, trailers = [], []

    def serve(connection):
        names.extend(name for name, _ in connection.request()[1])
        connection.body()
        trailers.extend(name for name, _ in getattr(connection, "trailer_fields", []))
        connection.send(reply())

    client = shared(serve)
    sent = [f"{name.lower()}: 1" for name in want]
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", client.host, *sent, "transfer-encoding: chunked"))
        viewer.send(b"2\r\nok\r\n0\r\nx-content-md5: 1\r\ncontent-md5: 1\r\n\r\n")
        assert viewer.response().status == 200
    assert [name for name in names if name in want] == want
    assert {"Host", "X-Forwarded-For", "X-Forwarded-Proto"} <= set(names)
    assert trailers in (["X-Content-Md5", "Content-MD5"], [])  # nginx passes none (N3)


@pytest.mark.rule("R28")
def test_the_viewer_sees_names_in_their_usual_spelling(server, shared):
    want = ["Content-Type", "ETag", "WWW-Authenticate", "X-XSS-Protection", "X-Own-Thing", "P3P"]

    def serve(connection):
        connection.request()
        connection.send(reply(b"", *[f"{name.lower()}: 1" for name in want], status=401))

    got = fetch(server.port, shared(serve).host)
    assert [name for name, _ in got.fields if name in want] == want
    assert {"Content-Length", "Date"} <= {name for name, _ in got.fields}


@pytest.mark.rule("R28")
@pytest.mark.direct("N3", "N11")
def test_names_of_hints_and_trailers_are_spelled_too(server, shared):
    def serve(connection):
        connection.request()
        connection.send(b"HTTP/1.1 103 Hints\r\nlink: </a>\r\nx-hint: 1\r\n\r\n")
        connection.send(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\netag: 2\r\n\r\n"
        )

    got = fetch(server.port, shared(serve).host, "/", "TE: trailers", "Connection: TE")
    assert [name for name, _ in got.interim[0].fields] == ["Link", "X-Hint"]
    assert [name for name, _ in got.trailers] == ["X-Sum", "ETag"]


# ---- the Host ----
@pytest.mark.rule("Q18", "Q19")
@pytest.mark.direct("N5")
def test_a_host_with_an_empty_port_is_found(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(f"GET /echo HTTP/1.1\r\nHost: {tunnel.name}.localhost:\r\n\r\n")
        fields = {name.lower(): value for name, value in viewer.response().json()["fields"]}
    assert fields["host"] == f"{tunnel.name}.localhost:"


@pytest.mark.rule("Q7")
def test_options_counts_down(server, tunnel):
    got = fetch(server.port, tunnel.host, "/echo", "Max-Forwards: 7", method="OPTIONS").json()
    assert [value for name, value in got["fields"] if name.lower() == "max-forwards"] == ["6"]


# ---- bodies over the limit ----
@pytest.fixture
def narrow(new_server, foreign, name):
    """Starts a server that takes bodies of at most five bytes, and a link to it that never
    answers."""
    server = new_server("--max-body", "5")
    server.link = foreign(name, to=server, serve=lambda stream: None)
    server.host = f"{name}.localhost"
    return server


@pytest.mark.rule("Q30")
def test_a_body_that_says_it_is_too_long_is_not_read(narrow):
    with Viewer(narrow.port) as viewer:
        viewer.send(head("POST", "/", narrow.host, "Content-Length: 6"))
        assert viewer.response().status == 413
        assert viewer.ended()
    assert not narrow.link.requests


@pytest.mark.rule("Q30")
def test_a_body_that_becomes_too_long_is_cut(narrow):
    with Viewer(narrow.port) as viewer:
        viewer.send(
            head("POST", "/", narrow.host, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n"
        )
        wait_until(lambda: narrow.link.requests, what="the request")
        viewer.send(b"1\r\n!\r\n")
        assert viewer.response().status == 413
        viewer.ended()
    assert narrow.link.resets.get(timeout=5) == 8  # CANCEL


# ---- the link ----
@pytest.mark.rule("H1", "H3", "H4", "H13")
def test_the_head_on_the_link(server, way, name, foreign):
    link = foreign(name)
    with Viewer(server.port) as viewer:
        lines = ["X-UPPER: Kept", "x-b: 1", "X-B: 2", "TE: gzip, trailers", "Connection: TE"]
        assert viewer.get(f"{name}.localhost", "/a", *lines).status == 200
    fields = link.heads[0]
    names = [key for key, _ in fields]
    assert names[:4] == [":method", ":scheme", ":authority", ":path"] and "host" not in names
    assert all(key == key.lower() for key in names)
    assert [value for key, value in fields if key == "x-b"] == ["1", "2"] and (
        "x-upper",
        "Kept",
    ) in fields
    te = ["trailers"] if way == "direct" else []  # N3
    assert [value for key, value in fields if key == "te"] == te
    assert link.ended_with_head == [True]


@pytest.mark.rule("H3")
@pytest.mark.parametrize(
    "lines", [["TE: trailers"], ["TE: gzip", "Connection: TE"]], ids=["not listed", "another"]
)
def test_te_is_dropped(server, name, foreign, lines):
    assert "te" not in dict(on_the_link(foreign, server, name, *lines))


@pytest.mark.rule("H10")
def test_oneport_fields_of_a_viewer_are_dropped(server, name, foreign):
    fields = dict(on_the_link(foreign, server, name, "Oneport-Error: x", "ONEPORT-LINK: 1"))
    assert not [key for key in fields if key.startswith("oneport")]


@pytest.mark.rule("H10")
@pytest.mark.direct("nginx is the trusted proxy")
def test_a_trusted_proxys_request_id_passes_if_it_is_one(server, name, foreign):
    """Loopback is trusted."""
    lines = ["X-Forwarded-For: 198.51.100.7", "X-Request-Id: abc-1", "X-Request-Id: <script>"]
    fields = on_the_link(foreign, server, name, *lines)
    assert [value for key, value in fields if key == "x-request-id"] == ["abc-1"]


@pytest.mark.rule("H5", "H7")
@pytest.mark.direct("nginx is the trusted proxy")
def test_what_a_trusted_proxy_says_and_what_it_passes_through(server, name, foreign):
    lines = [
        "X-Forwarded-For: 6.6.6.6, 198.51.100.7",
        "X-Forwarded-Proto: https",
        "X-Real-IP: 6.6.6.6",
        "Forwarded: for=6.6.6.6",
        "X_Forwarded_For: 6.6.6.6",
    ]
    fields = on_the_link(foreign, server, name, *lines)
    assert dict(fields)[":scheme"] == dict(fields)["x-forwarded-proto"] == "https"
    assert [value for key, value in fields if key == "x-forwarded-for"] == [
        "198.51.100.7, 127.0.0.1"
    ]
    assert "6.6.6.6" not in str(fields)


@pytest.mark.rule("H9")
def test_the_nodes_name_outlives_the_server(new_server, new_client, http_origin):
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def via():
        fields = fetch(server.port, client.host, "/echo").json()["fields"]
        return next(value for key, value in fields if key.lower() == "via")

    first = via()
    assert re.fullmatch(r"1\.1 oneport-[0-9a-f]{8}", first)
    server.restart()
    server.wait_link(client.name, 1)
    assert via() == first


@pytest.mark.rule("H11")
def test_secrets_stay_out_of_the_table_that_viewers_share(server, name, foreign):
    secrets = [
        "Authorization: Bearer " + "a" * 40,
        "Cookie: sid=" + "c" * 40,
        "X-Api-Key: " + "k" * 40,
    ]
    link = foreign(name)
    assert (
        fetch(server.port, f"{name}.localhost", "/a", "X-Known: " + "n" * 40, *secrets).status
        == 200
    )
    table = [key for key, _ in link.h2.decoder.header_table.dynamic_entries]
    assert b"x-known" in table
    assert not {b"authorization", b"cookie", b"x-api-key"} & set(table)


@pytest.mark.rule("H11")
@pytest.mark.parametrize(
    "field", ["Cookie", "Authorization", "Proxy-Authorization", "X-Api-Key", "X-Known"]
)
def test_the_size_of_a_head_does_not_tell_a_good_guess_from_a_bad_one(server, name, field):
    """An attacker who sees the bytes of the link and sends requests over it learns nothing about
    another viewer's secrets. The last field is no secret: it shows that the test would see a
    difference."""
    connection, got = attach(server.front, name, register(server.front, name)["ticket"])
    assert got.status == 101 and connection.exactly(len(PREFACE)) == PREFACE
    peer = RawPeer(connection, settings({SETTING_CONNECT: 1}))
    server.wait_link(name, 1)

    def size(value):
        """Returns the size of the request's field section on the link."""
        with Viewer(server.port) as viewer:
            viewer.send(head("GET", "/", f"{name}.localhost", f"{field}: {value}"))
            number = peer.next_request()
            peer.send(response(number, 200, b"ok"))
            assert viewer.response().status == 200
        return peer.section_sizes[number]

    secret, guess = "sid=" + "abcde" * 8, "sid=" + "edcba" * 8  # as long, by Huffman too
    size("sid=" + "ceadb" * 8)  # puts what the heads have in common into the table
    size(secret)
    sizes = [size(value) for value in (secret, guess)]
    assert (sizes[0] == sizes[1]) == (field != "X-Known"), sizes
    peer.close()


@pytest.mark.rule("H12")
@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_viewer_that_leaves_resets_its_stream(server, name, foreign, framing):
    link = foreign(name, serve=lambda stream: None)
    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/", f"{name}.localhost", framing)
            + b"5\r\nhello\r\n"[: 5 if "Length" in framing else None]
        )
        wait_until(lambda: link.requests, what="the request")
    assert link.resets.get(timeout=5) == 8  # CANCEL, never END_STREAM
    assert not link.ended_with_data


@pytest.mark.rule("H14")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "QUERY"])
def test_any_method_may_have_a_body(server, tunnel, method):
    got = fetch(server.port, tunnel.host, "/echo", method=method, body=b"some").json()
    assert (got["method"], got["body"], got["framing"]) == (method, "some", "length")


@pytest.mark.rule("H15")
def test_the_largest_head_that_is_taken_fits_the_link(server, tunnel):
    big = [f"X-{number}: {'a' * 7900}" for number in range(4)]
    got = fetch(server.port, tunnel.host, "/echo", *big)
    assert got.status == 200
    assert (
        sum(
            len(value)
            for key, value in got.json()["fields"]
            if key.startswith(("X-", "x-")) and set(value) == {"a"}
        )
        == 4 * 7900
    )


@pytest.mark.rule("Q29", "D6")
@pytest.mark.direct("N3")
def test_request_trailers_reach_the_origin(server, shared):
    seen = []

    def serve(connection):
        connection.request()
        seen.append(
            (connection.body(), [(key.lower(), value) for key, value in connection.trailer_fields])
        )
        connection.send(reply())

    with Viewer(server.port) as viewer:
        viewer.send(
            head("POST", "/", shared(serve).host, "Transfer-Encoding: chunked", "Trailer: X-Sum")
        )
        viewer.send(
            "5\r\nhello\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n"
            "Authorization: x\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
        )
        assert viewer.response().status == 200
    assert seen == [(b"hello", [("x-sum", "42")])]

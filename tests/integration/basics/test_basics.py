# SPDX-License-Identifier: MIT
"""Tests ordinary use: requests, bodies, built-in answers and the errors that viewers see."""

import hashlib
import re
import subprocess

import pytest
from support import pattern
from support.origins import reply
from support.programs import free_port
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until

WAYS = ("direct", "nginx")

MIB = 1 << 20


# ---- one exchange ----
@pytest.mark.rule("Q1", "Q5")
@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH"]
)
def test_methods_arrive_as_sent(server, tunnel, method):
    body = b"some body" if method in ("POST", "PUT", "PATCH") else b""
    got = fetch(server.port, tunnel.host, "/echo?q=1", method=method, body=body)
    assert got.status == 200
    assert got.json()["line"] == f"{method} /echo?q=1 HTTP/1.1"
    assert got.json()["body"] == body.decode()


@pytest.mark.rule("R5")
def test_head_keeps_the_length_and_has_no_body(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/bytes/12345", method="HEAD")
        assert (got.status, got.get("Content-Length")) == (200, "12345")
        # The second answer is right only if the first one had no body.
        assert viewer.get(tunnel.host, "/bytes/5").body == pattern.pattern(5)


@pytest.mark.rule("R6", "R7")
def test_204_and_304_have_no_body(server, tunnel):
    with Viewer(server.port) as viewer:
        empty = viewer.get(tunnel.host, "/status/204")
        assert (
            empty.status == 204
            and empty.get("Content-Length") is None
            and empty.get("Transfer-Encoding") is None
        )
        unchanged = viewer.get(tunnel.host, "/status/304")
        assert (unchanged.status, unchanged.get("ETag"), unchanged.get("Content-Length")) == (
            304,
            '"x"',
            "1234",
        )
        assert viewer.get(tunnel.host, "/bytes/5").body == pattern.pattern(5)


@pytest.mark.rule("R1")
@pytest.mark.parametrize(
    "code", [200, 201, 206, 301, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 504, 599]
)
def test_any_status_of_the_origin_passes_with_its_body(server, tunnel, code):
    got = fetch(server.port, tunnel.host, f"/status/{code}")
    assert (got.status, got.body) == (code, f"status {code}".encode())
    assert got.get("Proxy-Status") is None  # the origin's answer passes unchanged


@pytest.mark.rule("H5")
@pytest.mark.direct("has TLS of its own, see test_front_ends")
def test_over_tls_as_in_plain(server, tunnel, certificate):
    tls = certificate.client_context()
    got = fetch(server.port, tunnel.host, "/echo", tls=tls)
    assert got.status == 200
    assert ["X-Forwarded-Proto", "https"] in titled(got.json()["fields"])


def test_curl_sees_the_page(server, tunnel):
    got = subprocess.run(
        ["curl", "-sS", "-m", "10", f"http://{tunnel.host}/bytes/1000"], capture_output=True
    )
    assert got.stdout == pattern.pattern(1000), got.stderr


def titled(fields):
    return [[name.title(), value] for name, value in fields]


# ---- what the origin is told ----
@pytest.mark.rule("H7")
@pytest.mark.direct("nginx is a hop more, see H30")
def test_forwarded_fields(server, tunnel):
    fields = titled(fetch(server.port, tunnel.host, "/echo").json()["fields"])
    assert ["X-Forwarded-For", "127.0.0.1"] in fields
    assert ["X-Forwarded-Proto", "http"] in fields
    assert ["X-Forwarded-Host", tunnel.host] in fields
    assert ["Host", tunnel.host] in fields
    assert [name for name, _ in fields].count("X-Forwarded-For") == 1


@pytest.mark.rule("H5", "H7")
@pytest.mark.direct("nginx is the trusted proxy")
def test_a_trusted_proxy_names_the_viewer(server, tunnel):
    got = fetch(
        server.port,
        tunnel.host,
        "/echo",
        "X-Forwarded-For: 198.51.100.7",
        "X-Forwarded-Proto: https",
    )
    fields = dict(titled(got.json()["fields"]))
    assert fields["X-Forwarded-For"].startswith("198.51.100.7")
    assert fields["X-Forwarded-Proto"] == "https"


@pytest.mark.rule("H5")
@pytest.mark.parametrize("forged", ["ftp", "https, http", "javascript"])
def test_an_invalid_forwarded_scheme_is_ignored(server, tunnel, forged):
    got = fetch(
        server.port,
        tunnel.host,
        "/echo",
        "X-Forwarded-For: 198.51.100.7",
        f"X-Forwarded-Proto: {forged}",
    )
    assert dict(titled(got.json()["fields"]))["X-Forwarded-Proto"] == "http"


@pytest.mark.rule("H9")
def test_via_is_appended_and_names_the_node(server, tunnel):
    fields = titled(fetch(server.port, tunnel.host, "/echo", "Via: 1.0 fred").json()["fields"])
    via = ", ".join(value for name, value in fields if name == "Via")
    assert re.fullmatch(r"1\.0 fred, 1\.1 oneport-[0-9a-f]{8}", via)


@pytest.mark.rule("H9")
def test_a_loop_is_noticed(server, tunnel):
    fields = dict(titled(fetch(server.port, tunnel.host, "/echo").json()["fields"]))
    got = fetch(server.port, tunnel.host, "/echo", f"Via: {fields['Via']}")
    assert got.status == 508
    assert "proxy_loop_detected" in got.get("Proxy-Status")


# ---- keep-alive ----
@pytest.mark.direct("nginx closes a connection after 1,000")
def test_10000_small_requests_on_one_connection(server, tunnel):
    batch = 50
    with Viewer(server.port) as viewer:
        for start in range(0, 10_000, batch):
            viewer.send(
                b"".join(
                    head("GET", f"/echo/{number}", tunnel.host)
                    for number in range(start, start + batch)
                )
            )
            for number in range(start, start + batch):
                got = viewer.response()
                assert (got.status, got.json()["target"]) == (200, f"/echo/{number}")


@pytest.mark.rule("D7")
def test_the_origin_connection_is_used_again(server, tunnel):
    with Viewer(server.port) as viewer:
        seen = {viewer.get(tunnel.host, "/echo").get("X-Connection") for _ in range(20)}
    assert len(seen) == 1


def test_connection_close_is_honoured(server, tunnel):
    with Viewer(server.port) as viewer:
        got = viewer.get(tunnel.host, "/bytes/10", "Connection: close")
        assert got.get("Connection") == "close"
        assert viewer.ended()


@pytest.mark.rule("Q40", "R12")
def test_http_1_0_is_answered_and_closed_without_chunks(server, tunnel):
    with Viewer(server.port) as viewer:
        viewer.send(f"GET /bytes/100000?chunked=1 HTTP/1.0\r\nHost: {tunnel.host}\r\n\r\n")
        got = viewer.response()
        assert got.get("Transfer-Encoding") is None
        assert got.body == pattern.pattern(100_000)


# ---- large bodies ----
SIZES = [
    pytest.param(size, id=label)
    for size, label in ((0, "0"), (1, "1B"), (65_536, "64KiB"), (20 * MIB, "20MiB"))
] + [pytest.param(200 * MIB, id="200MiB", marks=pytest.mark.direct("takes long"))]


@pytest.mark.parametrize(
    "framing", ["", "?chunked=1", "?close=1"], ids=["length", "chunked", "until-close"]
)
@pytest.mark.parametrize("size", SIZES)
def test_download(server, tunnel, size, framing):
    curl = subprocess.Popen(
        ["curl", "-sSf", "-m", "100", f"http://{tunnel.host}/bytes/{size}{framing}"],
        stdout=subprocess.PIPE,
    )
    total, count = hashlib.sha256(), 0
    while data := curl.stdout.read(1 << 20):
        total.update(data)
        count += len(data)
    assert curl.wait() == 0
    assert (count, total.hexdigest()) == (size, pattern.digest(size))


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", SIZES)
def test_upload(server, tunnel, way, size, chunked):
    with Viewer(server.port, timeout_s=60) as viewer:
        viewer.send(
            head(
                "POST",
                "/upload",
                tunnel.host,
                "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}",
            )
        )
        for piece in pattern.pieces(size, 1 << 18):
            viewer.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            viewer.send(b"0\r\n\r\n")
        got = viewer.response().json()
    assert (got["length"], got["sha256"]) == (size, pattern.digest(size))
    if size and not (chunked and way == "nginx"):  # N4
        assert got["framing"] == ("chunked" if chunked else "length")


# ---- answers of our own ----
def built_in(got):
    assert got.get("Cache-Control") == "no-store"
    return got


@pytest.mark.rule("Q20")
def test_landing_page(server):
    got = built_in(fetch(server.port, f"localhost:{server.port}", "/", "Accept: text/html"))
    assert got.status == 200 and got.get("Content-Type").startswith("text/html")


@pytest.mark.rule("Q20")
def test_landing_elsewhere(new_server):
    server = new_server("--landing", "https://www.example.org/oneport")
    got = built_in(fetch(server.port, "localhost", "/"))
    assert (got.status, got.get("Location")) == (302, "https://www.example.org/oneport")


def test_health_and_status(server, tunnel):
    assert built_in(fetch(server.port, "localhost", "/healthz")).status == 200
    everything = built_in(fetch(server.port, "localhost", "/api/status"))
    assert everything.status == 200 and everything.json()["tunnels"] >= 1
    one = built_in(fetch(server.port, "localhost", f"/api/tunnels/{tunnel.name}/status"))
    assert one.status == 200 and one.json()["connected_sockets"] == 1
    assert (
        built_in(fetch(server.port, "localhost", "/api/tunnels/nobody-here/status")).status == 404
    )


@pytest.mark.parametrize("path", ["/a/b", "/api/nothing", "/tunnel/a/b/c"])
def test_longer_paths_of_the_base_domain_are_unknown(server, path):
    assert built_in(fetch(server.port, "localhost", path)).status == 404


@pytest.mark.rule("Q20", "F1")
@pytest.mark.parametrize(
    "host", ["nobody-here.localhost", "a.b.localhost", "example.org", "nobody-here.localhost:1"]
)
def test_unknown_name_as_json(server, host):
    got = built_in(fetch(server.port, host, "/"))
    assert got.status == 404
    assert got.get("Content-Type").startswith("application/json") and got.json()
    assert re.fullmatch(r"oneport[^;]*; error=destination_not_found.*", got.get("Proxy-Status"))


def test_unknown_name_as_html_for_browsers(server):
    accept = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    got = built_in(fetch(server.port, "nobody-here.localhost", "/", accept))
    assert got.status == 404
    assert got.get("Content-Type").startswith("text/html")
    assert b"src=" not in got.body and b"<link" not in got.body  # self-contained


@pytest.mark.rule("Q19")
@pytest.mark.parametrize(
    "host", ["{name}.LOCALHOST", "{upper}.localhost", "{name}.localhost.", "{name}.localhost:1234"]
)
def test_names_are_found_however_they_are_written(server, tunnel, way, host):
    host = host.format(name=tunnel.name, upper=tunnel.name.upper())
    got = fetch(server.port, host, "/echo")
    assert got.status == 200
    if way == "nginx":
        host = host.lower().rstrip(".")  # N5
    assert ["Host", host] in titled(got.json()["fields"])


@pytest.mark.rule("Q20", "H7")
def test_x_forwarded_host_never_routes(server, tunnel):
    assert (
        fetch(server.port, "nobody-here.localhost", "/", f"X-Forwarded-Host: {tunnel.host}").status
        == 404
    )


# ---- errors that viewers see ----
@pytest.mark.rule("D10")
def test_origin_down_then_up(server, new_client, new_origin):
    origin = new_origin()
    client = new_client(origin.port)
    assert fetch(server.port, client.host, "/bytes/5").status == 200
    origin.stop()
    down = fetch(server.port, client.host, "/bytes/5", timeout_s=3)
    assert down.status == 502
    assert "connection_refused" in down.get("Proxy-Status")
    assert not [name for name, _ in down.fields if name.lower().startswith("oneport-")]
    page = fetch(server.port, client.host, "/bytes/5", "Accept: text/html")
    assert page.status == 502 and page.get("Content-Type").startswith("text/html")
    origin.start()
    assert fetch(server.port, client.host, "/bytes/5").body == pattern.pattern(5)


def test_no_origin_at_all(server, new_client):
    assert fetch(server.port, new_client(free_port()).host, timeout_s=3).status == 502


@pytest.mark.rule("F7")
def test_silent_origin(new_server, new_client, http_origin):
    server = new_server("--origin-timeout", "1s")
    got = fetch(server.port, new_client(http_origin.port, server=server).host, "/hang")
    assert got.status == 504
    assert "http_response_timeout" in got.get("Proxy-Status")


@pytest.mark.rule("F7")
def test_origin_trickling_its_head_is_silent_too(new_server, shared):
    """The deadline holds for the whole head. It does not begin anew with each byte."""

    def trickle(connection):
        connection.request()
        for one in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 200:
            connection.send(bytes([one]))
            if not connection.silent_for(0.1):
                return

    server = new_server("--origin-timeout", "1s")
    assert fetch(server.port, shared(trickle, server=server).host, timeout_s=5).status == 504


@pytest.mark.rule("R9")
def test_origin_that_closes_at_once(server, shared):
    client = shared(lambda connection: connection.request())
    got = fetch(server.port, client.host)
    assert got.status == 502
    assert got.get("Proxy-Status")


@pytest.mark.rule("F2")
def test_hold_then_503_when_the_client_is_gone(new_server, new_client, http_origin):
    server = new_server("--hold", "500ms")
    client = new_client(http_origin.port, server=server)
    client.kill9()
    wait_until(lambda: links(server, client.name) == 0, what="the link's end")
    got = fetch(server.port, client.host)
    assert got.status == 503
    assert "destination_unavailable" in got.get("Proxy-Status")
    assert int(got.get("Retry-After")) >= 1


def test_each_exchange_has_one_access_line(server, tunnel):
    mark = f"/echo/line-{tunnel.name}"
    for _ in range(3):
        fetch(server.port, tunnel.host, mark)
    wait_until(lambda: server.access_log.count(mark) == 3, what="three access-log lines")


def test_no_secret_in_logs(server, tunnel):
    fetch(
        server.port,
        tunnel.host,
        "/echo",
        "Authorization: Bearer viewers-own-secret",
        "Cookie: sid=viewers-own-cookie",
    )
    assert "viewers-own" not in server.log + server.access_log + tunnel.log + tunnel.program.stdout


def test_a_reply_without_body_keeps_the_origin_connection(server, shared):
    """The origin sends a reply without body, then another one on the same connection."""

    def serve(connection):
        for body in (b"", b"second"):
            connection.request()
            connection.send(reply(body))

    client = shared(serve)
    with Viewer(server.port) as viewer:
        assert viewer.get(client.host).body == b""
        assert viewer.get(client.host).body == b"second"
    assert len(client.origin.connections) == 1

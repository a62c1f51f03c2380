# SPDX-License-Identifier: MIT
"""Tests what RFC 9110 asks of every answer, on the whole path: Date, Upgrade, Allow, OPTIONS, and
interim heads other than 103. tests/unit/test_own_answers.c makes every failure; one table here has
the answers of the server that a viewer can get at will, direct and through nginx."""

import email.utils
import re
import resource
import time

import pytest
from support import nginx
from support.nginx import Nginx
from support.origins import answering, reply
from support.programs import SLOW, Client
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

ANY = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
READ = "GET, HEAD, OPTIONS"
BASE, TUNNEL, NONE = "localhost", None, "nobody.localhost"
WEBSOCKET_8 = [
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 8",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
PTTH = ["Connection: upgrade", "Upgrade: ptth", "ALPN: h2", "X-Forwarded-Proto: https"]

ANSWERS = [
    # method, path, host, more fields, status, Allow
    ("GET", "/", BASE, [], 200, None),
    ("HEAD", "/", BASE, [], 200, None),
    ("GET", "/healthz", BASE, [], 200, None),
    ("GET", "/api/status", BASE, [], 200, None),
    ("GET", "/api/tunnels/none/status", BASE, [], 404, None),
    ("GET", "/a/b/c", BASE, [], 404, None),
    ("GET", "/register/NO!", BASE, [], 403, None),
    ("GET", "/tunnel/x", BASE, [], 426, None),
    ("GET", "/tunnel/x", BASE, PTTH, 401, None),
    ("OPTIONS", "*", BASE, [], 204, ANY),
    ("OPTIONS", "/", BASE, [], 204, READ),
    ("OPTIONS", "/register", BASE, [], 204, "GET, POST, OPTIONS"),
    ("OPTIONS", "/register/x", BASE, [], 204, "GET, POST, OPTIONS"),
    ("OPTIONS", "/tunnel/x", BASE, [], 204, "GET, OPTIONS"),
    ("OPTIONS", "/some-name", BASE, [], 204, READ),
    ("GET", "/some-name", BASE, [], 202, None),
    ("GET", "/some-name", BASE, ["Accept: text/html"], 404, None),
    ("POST", "/some-name", BASE, [], 405, READ),
    ("OPTIONS", "/healthz", BASE, [], 204, READ),
    ("OPTIONS", "/api/status", BASE, [], 204, READ),
    ("OPTIONS", "/api/tunnels/x/status", BASE, [], 204, READ),
    ("POST", "/", BASE, [], 405, READ),
    ("PUT", "/register", BASE, [], 405, "GET, POST, OPTIONS"),
    ("POST", "/tunnel/x", BASE, [], 405, "GET, OPTIONS"),
    ("DELETE", "/api/status", BASE, [], 405, READ),
    ("TRACE", "/", TUNNEL, [], 405, ANY),
    ("CONNECT", "/", TUNNEL, [], 405, ANY),
    ("OPTIONS", "*", TUNNEL, ["Max-Forwards: 0"], 204, ANY),
    ("GET", "/", NONE, [], 404, None),
    ("GET", "/", TUNNEL, ["Expect: x"], 417, None),
    ("GET", "/", TUNNEL, ["Transfer-Encoding: gzip"], 501, None),
    ("GET", "/", TUNNEL, ["Content-Length: x"], 400, None),
    ("GET", "/" + "a" * 9000, TUNNEL, [], 414, None),
    ("GET", "/", TUNNEL, ["X-A: " + "a" * 17000], 431, None),
    ("GET", "/", TUNNEL, WEBSOCKET_8, 426, None),
]
# nginx answers these itself (N1), or repairs them.
NOT_BEHIND_NGINX = {"*", "TRACE", "CONNECT", 501, 400, 414, 431, 417}


def is_now(date):
    return (
        date is not None
        and abs(email.utils.parsedate_to_datetime(date).timestamp() - time.time()) < 60
    )


def check(got, allow):
    """Checks what RFC 9110 asks of an answer with this status."""
    assert len(got.all("Date")) == 1 and is_now(got.get("Date")), got
    assert got.get("Allow") == allow
    assert (got.get("WWW-Authenticate") is not None) == (got.status == 401)
    assert (got.get("Retry-After") is not None) == (got.status in (429, 503))


def check_policy(got, path):
    """Checks what a browser may do with an answer of ours that has a body."""
    policy = got.get("Content-Security-Policy")
    if got.get("Content-Type") is None:
        assert policy is None
        return
    html = got.get("Content-Type").startswith("text/html")
    error_page = html and got.status >= 400
    assert got.get("X-Content-Type-Options") == "nosniff"
    assert got.get("Referrer-Policy") == "no-referrer"
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert ("style-src 'sha256-" in policy) == html
    assert ("frame-ancestors 'none'" in policy) != error_page  # which must reload in a frame


def ask(port, host, path, more, method, tls=None):
    """Does one exchange. Unlike fetch() it adds no field: nginx reads one Connection line only."""
    with Viewer(port, tls) as viewer:
        return viewer.get(host, path, *more, method=method)


def row_id(row):
    return f"{row[0]} {row[1][:30]} {row[2]} {row[4]}"


@pytest.mark.rule("R20", "R21", "R22", "R40")
@pytest.mark.parametrize("row", ANSWERS, ids=row_id)
def test_our_own_answers_are_complete(server, tunnel, row):
    method, path, host, more, status, allow = row
    got = ask(server.port, host or tunnel.host, path, more, method)
    assert got.status == status
    check(got, allow)
    check_policy(got, path)
    page = ask(server.port, host or tunnel.host, path, [*more, "Accept: text/html"], method)
    check_policy(page, path)
    assert got.get("Cache-Control") == "no-store"
    if status == 426:
        assert got.get("Upgrade") in ("websocket", "ptth")
        assert "upgrade" in got.get("Connection").lower()


@pytest.fixture(scope="module", params=["nginx"])
def front(server, tmp_path_factory):
    if not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    front = Nginx(server, tmp_path_factory.mktemp("nginx"))
    yield front
    front.stop()


@pytest.mark.rule("R20", "R21", "R22", "R40")
@pytest.mark.parametrize(
    "row", [row for row in ANSWERS if not NOT_BEHIND_NGINX & {row[0], row[1], row[4]}], ids=row_id
)
def test_our_own_answers_pass_nginx(front, tunnel, row):
    method, path, host, more, status, allow = row
    tls = front.certificate.client_context(["http/1.1"])
    got = ask(front.port, host or tunnel.host, path, more, method, tls)
    assert got.status == status
    check(got, allow)
    check_policy(got, path)


REFRESH = re.compile(rb'<meta http-equiv="refresh" content="(\d+)">')


def reloads_of(port, host, tls=None, count=40):
    """Returns the seconds of many error pages of a tunnel that is away."""
    pages = [fetch(port, host, "/", "Accept: text/html", tls=tls) for _ in range(count)]
    assert {page.status for page in pages} == {503}
    return [int(REFRESH.search(page.body).group(1)) for page in pages]


@pytest.mark.rule("R41")
def test_viewers_of_an_absent_tunnel_do_not_come_back_together(new_server, new_client, http_origin):
    """The time until the reload is spread over [d, 2 d], and d grows with the absence."""
    server = new_server("--hold", "0")
    client = new_client(http_origin.port, server=server, name="away-one")
    client.program.kill9()
    server.wait_log("link_lost")
    first = reloads_of(server.port, client.host)
    assert 3 <= min(first) and max(first) <= 8 and len(set(first)) >= 3
    wait_until(lambda: min(reloads_of(server.port, client.host, count=5)) >= 6, 30 * SLOW, "longer")


@pytest.mark.rule("R41")
def test_the_reload_passes_nginx(front, tmp_path, http_origin):
    client = Client(front, http_origin.port, tmp_path, name="away-too")
    client.program.kill9()
    tls = front.certificate.client_context(["http/1.1"])
    seconds = reloads_of(front.port, client.host, tls, count=3)
    assert all(3 <= s <= 60 for s in seconds)


@pytest.mark.rule("R20")
def test_without_descriptors_the_answer_is_complete_too(new_server):
    server = new_server("--workers", "1")
    fds = server.fds()
    resource.prlimit(server.program.pid, resource.RLIMIT_NOFILE, (fds + 2, fds + 2))
    open_ones = [Viewer(server.port) for _ in range(6)]
    got = None
    for viewer in open_ones:
        viewer.socket.settimeout(1)
        try:
            viewer.send(head("GET", "/healthz", "localhost"))
            answer = viewer.response()
        except (EOFError, OSError):
            continue
        got = answer if answer.status == 503 else got
    assert got is not None, "no viewer was turned away"
    check(got, None)
    assert (got.get("Cache-Control"), got.get("Content-Length")) == ("no-store", "0")
    for viewer in open_ones:
        viewer.close()


# ---- answers of origins ----
@pytest.mark.rule("R20")
def test_a_date_is_added_if_there_is_none(server, played):
    got = fetch(server.port, played(answering(reply())).host)
    assert len(got.all("Date")) == 1 and is_now(got.get("Date"))


@pytest.mark.rule("R14", "R20")
def test_the_origins_date_stays(server, played):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    got = fetch(server.port, played(answering(reply(b"ok", f"Date: {date}"))).host)
    assert got.all("Date") == [date]


@pytest.mark.rule("R21")
@pytest.mark.parametrize("fields", [[], ["Upgrade: h2c, websocket", "Connection: Upgrade"]])
def test_an_origins_426_names_what_passes(server, played, fields):
    got = fetch(server.port, played(answering(reply(b"no", *fields, status=426))).host)
    assert (got.status, got.body, got.all("Upgrade")) == (426, b"no", ["websocket"])
    assert "upgrade" in got.get("Connection").lower()


INTERIM = [102, 103, 104, 110, 199]


def interim(status):
    return answering(b"HTTP/1.1 %d Wait\r\nX-N: 1\r\n\r\n" % status + reply())


@pytest.mark.rule("R4")
@pytest.mark.parametrize("status", INTERIM)
def test_other_interim_heads_go_where_hints_go(server, played, status):
    client = played(interim(status))
    got = fetch(server.port, client.host)
    assert (got.status, [one.status for one in got.interim]) == (200, [status])
    assert fetch(server.port, client.host, "/", "X-Forwarded-For: 198.51.100.7").interim == []
    with Viewer(server.port) as viewer:
        viewer.send(f"GET / HTTP/1.0\r\nHost: {client.host}\r\n\r\n")
        assert viewer.response().interim == []


@pytest.mark.rule("R4")
@pytest.mark.parametrize("status", INTERIM)
def test_nginx_gets_no_interim_head(front, scripted, tmp_path, status):
    origin = scripted(interim(status))
    client = Client(front, origin.port, tmp_path)
    tls = front.certificate.client_context(["http/1.1"])
    got = fetch(front.port, client.host, tls=tls)
    client.stop()
    assert (got.status, got.body, got.interim) == (200, b"ok", [])

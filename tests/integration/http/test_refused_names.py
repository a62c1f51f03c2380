# SPDX-License-Identifier: MIT
"""Tests --host-header auto, the default: a service that refuses its public name is asked again by
its own, and by that alone once it has served it. The services here are doubles of real ones, with
exactly their refusals."""

import threading

import pytest
from support.origins import answer_upgrade, reply
from support.viewer import Viewer, fetch, head

WAYS = ("direct", "nginx")

HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def text(body, status=403, kind="text/plain"):
    return lambda host: reply(
        body.replace("HOST", host).encode(), f"Content-Type: {kind}", status=status
    )


def chunked(body, status=403):
    def answer(host):
        said = body.replace("HOST", host).encode()
        head = f"HTTP/1.1 {status} No\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n"
        return head.encode() + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(said), said)

    return answer


def until_closed(body, status=400):
    return lambda host: b"HTTP/1.0 %d No\r\nContent-Type: text/html\r\n\r\n" % status + body


VITE = chunked(
    'Blocked request. This host ("HOST") is not allowed.\n'
    'To allow this host, add "HOST" to `server.allowedHosts` in vite.config.js.'
)
WEBPACK = text("Invalid Host header")
JUPYTER = text("<title>Jupyter Server</title>\n<h1>403 : Forbidden</h1>", kind="text/html")
DJANGO = text("<title>Bad Request</title><h1>Bad Request (400)</h1>", 400, "text/html")
DJANGO_DEBUG = until_closed(b"<title>DisallowedHost\n at /</title>" + b"x" * 160_000)
NEXT = chunked("Unauthorized")
REFUSALS = {
    "vite": VITE,
    "webpack": WEBPACK,
    "jupyter": JUPYTER,
    "jupyter-api": text('{"message": "Forbidden", "reason": null}', kind="application/json"),
    "django": DJANGO,
    "django-debug": DJANGO_DEBUG,
    "next": NEXT,
    "empty": text(""),
    "closed": lambda host: b"",
    "compressed": lambda host: reply(
        b"\x1f\x8b\x08", "Content-Encoding: gzip", "Content-Type: text/html", status=403
    ),
}


class App:
    """Is a service that serves its own name only, and notes by which it was asked."""

    def __init__(self, refuse, serve=lambda host: reply(b"served by " + host.encode())):
        self.refuse, self.serve = refuse, serve
        self.asked = []
        self.port = 0
        self.lock = threading.Lock()

    def __call__(self, connection):
        while True:
            line, _ = connection.request()
            connection.body()
            host = connection.get("Host")
            own = host == f"localhost:{self.port}"
            with self.lock:
                self.asked.append((line.split(" ")[0], host))
            if own and connection.get("Upgrade"):
                answer_upgrade(connection)
                connection.send(connection.exactly(5))
                return
            raw = self.serve(host) if own else self.refuse(host)
            if line.startswith("HEAD"):
                raw = raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            connection.send(raw)
            if not raw.startswith(b"HTTP/1.1"):
                return

    def share(self, shared, *options):
        client = shared(self, *options)
        self.port = client.origin.port
        self.own = f"localhost:{self.port}"
        return client


@pytest.mark.rule("R43")
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_service_that_refuses_its_public_name_is_asked_by_its_own(server, shared, kind):
    app = App(REFUSALS[kind])
    client = app.share(shared)
    got = fetch(server.port, client.host)
    assert (got.status, got.body) == (200, f"served by {app.own}".encode())
    assert app.asked == [("GET", client.host), ("GET", app.own)]
    got = fetch(server.port, client.host, "/", method="POST", body=b"form")
    assert got.status == 200 and app.asked[2:] == [("POST", app.own)]
    told = [line for line in client.log.splitlines() if "host_header_rewritten" in line]
    assert len(told) == 1 and f"refused={client.host}" in told[0]


@pytest.mark.rule("R43")
def test_head_and_redirects_are_proof_too(server, shared):
    app = App(WEBPACK, lambda host: reply(b"", f"Location: http://{host}/lab", status=302))
    client = app.share(shared)
    got = fetch(server.port, client.host, method="HEAD")
    assert (got.status, got.get("Location")) == (302, f"http://{client.host}/lab")
    assert app.asked == [("HEAD", client.host), ("HEAD", app.own)]


@pytest.mark.rule("R43")
@pytest.mark.parametrize("kind", ["closed", "forbidden", "vite", "next"])
def test_a_handshake_that_is_refused_is_made_again(server, shared, kind):
    refusals = {
        "closed": lambda host: b"",
        "forbidden": text("no"),
        "vite": text("Bad Request", 400),
        "next": lambda host: b"Unauthorized",
    }
    app = App(refusals[kind])
    client = app.share(shared)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        assert viewer.response_head().status == 101
        viewer.send(b"hello")
        assert viewer.exactly(5) == b"hello"
    assert app.asked == [("GET", client.host), ("GET", app.own)]


@pytest.mark.rule("R43")
def test_a_page_that_works_and_a_handshake_that_does_not(server, shared):
    """Next.js serves its pages by any name, and closes the WebSocket of a foreign one."""

    def serve(connection):
        connection.request()
        if not connection.get("Upgrade"):
            connection.send(reply(b"page", "Connection: close"))
        elif connection.get("Host") == f"localhost:{client.origin.port}":
            answer_upgrade(connection)
            connection.some()

    client = shared(serve)
    assert fetch(server.port, client.host).body == b"page"
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        assert viewer.response_head().status == 101
    assert client.log.count("host_header_rewritten") == 1


# ---- what changes nothing ----
@pytest.mark.rule("R44")
@pytest.mark.parametrize(
    "kind", [name for name in REFUSALS if name not in ("closed", "empty", "compressed")]
)
def test_without_proof_the_viewer_gets_the_first_answer_whole(server, shared, kind):
    """The service refuses its own name too: three tries, and no more."""
    app = App(REFUSALS[kind], lambda host: reply(b"worse", status=404))
    client = app.share(shared)
    for number in range(5):
        got = fetch(server.port, client.host)
        want = REFUSALS[kind](client.host)
        assert got.status in (400, 403) and got.status == int(want.split()[1])
        assert got.body and (got.body in want or kind in ("vite", "next"))
        assert len(got.body) > 150_000 or kind != "django-debug"
    assert [host for _, host in app.asked].count(app.own) == 3
    assert "host_header_rewritten" not in client.log


@pytest.mark.rule("R44")
def test_answers_that_are_passed_on_give_no_try_twice(server, shared):
    """An answer that is no reason to ask again costs no try, and gives none."""
    answers = iter([lambda host: reply(b"served"), *[WEBPACK, text(""), text("")] * 5])
    app = App(lambda host: next(answers)(host), lambda host: reply(b"worse", status=404))
    client = app.share(shared)
    statuses = [fetch(server.port, client.host).status for _ in range(16)]
    assert statuses == [200] + [403] * 15
    assert [host for _, host in app.asked].count(app.own) == 3


@pytest.mark.rule("R44")
@pytest.mark.parametrize("second", [b"", b"HTTP/1.1 101 X\r\n\r\n", b"no HTTP\r\n\r\n"])
def test_a_second_answer_that_fails_costs_nothing(server, shared, second):
    app = App(WEBPACK, lambda host: second)
    got = fetch(server.port, app.share(shared).host)
    assert (got.status, got.body) == (403, b"Invalid Host header")


@pytest.mark.rule("R44")
def test_a_connection_that_is_closed_twice_is_a_502(server, shared):
    app = App(lambda host: b"", lambda host: b"")
    client = app.share(shared)
    got = fetch(server.port, client.host)
    assert got.status == 502 and "connection_terminated" in got.get("Proxy-Status")
    assert [host for _, host in app.asked] == [client.host, app.own]


@pytest.mark.rule("R44")
@pytest.mark.parametrize(
    "status, body, fields, method, sent",
    [
        pytest.param(403, b"you may not", [], "GET", b"", id="R44 another reason"),
        pytest.param(404, b"Invalid Host header", [], "GET", b"", id="R44 another status"),
        pytest.param(403, b"Invalid Host header", [], "POST", b"form", id="R44 a form"),
        pytest.param(403, b"Invalid Host header", [], "GET", b"query", id="R44 a body"),
        pytest.param(403, b"Invalid Host header", [], "DELETE", b"", id="R44 unsafe"),
        pytest.param(403, b"Invalid Host header" * 20_000, [], "GET", b"", id="R44 large"),
        pytest.param(
            403,
            b"Invalid Host header",
            ["WWW-Authenticate: NTLM"],
            "GET",
            b"",
            id="R44 a sign-in of the connection",
        ),
    ],
)
def test_asked_once_only(server, shared, status, body, fields, method, sent):
    app = App(lambda host: reply(body, *fields, status=status))
    client = app.share(shared)
    got = fetch(server.port, client.host, method=method, body=sent)
    assert (got.status, got.body) == (status, body)
    assert app.asked == [(method, client.host)]


@pytest.mark.rule("R44")
def test_a_refusal_that_grows_too_large_passes_piece_by_piece(server, shared):
    """It has no length, so nobody knows before that it will not fit."""
    size = 400_000
    app = App(until_closed(b"Invalid Host header " + b"x" * size))
    client = app.share(shared)
    assert len(fetch(server.port, client.host).body) == size + 20
    assert len(app.asked) == 1


@pytest.mark.rule("R44")
def test_a_refusal_that_does_not_end_is_passed_on(server, shared):
    go = threading.Event()

    def serve(connection):
        connection.request()
        connection.send("HTTP/1.1 403 No\r\nContent-Length: 19\r\n\r\nInvalid Host")
        go.wait(60)
        connection.send(" header")

    client = shared(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host))
        assert viewer.response_head().status == 403
        assert viewer.exactly(12) == b"Invalid Host"
        go.set()
        assert viewer.exactly(7) == b" header"


@pytest.mark.rule("R44")
def test_a_service_that_has_served_its_public_name_may_close(server, shared):
    """Then it has other reasons: it is being restarted, for instance."""
    asked = []

    def serve(connection):
        line, _ = connection.request()
        asked.append(connection.get("Host"))
        if line.startswith("GET /works"):
            connection.send(reply(b"ok", "Connection: close"))

    client = shared(serve)
    assert fetch(server.port, client.host, "/works").status == 200
    assert fetch(server.port, client.host, "/closes").status == 502
    assert set(asked) == {client.host}


@pytest.mark.rule("R43")
def test_what_was_refused_meanwhile_is_asked_again_without_a_try(server, shared):
    """Ten requests at once are refused, of which three are tries. The others come back when the
    first try has shown what helps."""
    learned = threading.Event()

    def serve(connection):
        line, _ = connection.request()
        own = connection.get("Host") == f"localhost:{client.origin.port}"
        if not own and not line.startswith("GET /first"):
            learned.wait(30)
        connection.send(reply(b"own") if own else WEBPACK(""))

    client = shared(serve)
    viewers = [Viewer(server.port) for _ in range(10)]
    for viewer in viewers:
        viewer.send(head("GET", "/", client.host))
    client.origin.wait_connections(10)
    assert fetch(server.port, client.host, "/first").body == b"own"
    learned.set()
    for viewer in viewers:
        with viewer:
            assert viewer.response().body == b"own"


@pytest.mark.rule("R43")
@pytest.mark.parametrize("mode", ["keep", "app.test"])
def test_the_other_modes_never_ask_again(server, shared, mode):
    app = App(WEBPACK)
    client = app.share(shared, "--host-header", mode)
    assert fetch(server.port, client.host).status == 403
    assert len(app.asked) == 1


@pytest.mark.rule("R44")
def test_a_redirect_to_nowhere_is_no_proof(server, shared):
    """The service insists on https, by its own name, where nothing listens for viewers."""
    app = App(WEBPACK, lambda host: reply(b"", f"Location: https://{host}/", status=301))
    got = fetch(server.port, app.share(shared).host)
    assert (got.status, got.body) == (403, b"Invalid Host header")

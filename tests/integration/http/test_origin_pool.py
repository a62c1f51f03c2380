# SPDX-License-Identifier: MIT
"""Tests which connections to the origin viewers share, and which they do not."""

import contextlib
import http.server
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.foreign import linked
from support.origins import ScriptedOrigin, reply
from support.programs import SLOW
from support.sign_in import signing_in
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

WAYS = ("direct", "nginx")


# ---- sign-ins of a connection ----
LOGINS = [
    ("NTLM", dict(challenges=["WWW-Authenticate: NTLM"])),
    (
        "any case in a later challenge",
        dict(challenges=['WWW-Authenticate: Basic realm="a", nEgOtIaTe'], scheme="negotiate"),
    ),
    (
        "a later line",
        dict(challenges=["WWW-Authenticate: Digest a=b", "www-authenticate: NTLM"]),
    ),
    (
        "challenge with data",
        dict(challenges=["X: y"], challenge="WWW-Authenticate: NTLM TlRMTVNTUAACAAAA"),
    ),
    ("one request signs in", dict(challenges=["X: y"], scheme="Negotiate", legs=["ticket"])),
    ("nothing in the answers", dict(challenges=["X: y"], challenge="X: y")),
]


@pytest.mark.parametrize(
    "script", [pytest.param(script, id=f"D13 {what}") for what, script in LOGINS]
)
def test_nobody_uses_a_connection_that_somebody_signed_in(server, shared, script):
    client = shared(signing_in(**script))
    scheme, legs = script.get("scheme", "NTLM"), script.get("legs", ("one", "three"))
    with Viewer(server.port) as alice:
        for leg in legs:
            alice.get(client.host, "/", f"Authorization: {scheme} {leg}")
        for _ in range(3):
            got = fetch(server.port, client.host)
            assert (got.status, got.body) == (401, b"who are you")
        assert alice.get(client.host).status == 401
    client.program.wait_output("connection_login")


@pytest.mark.rule("D13", "D21")
def test_behind_a_proxy_a_sign_in_is_kept_for_nobody(server, shared):
    """nginx is the proxy, or this test is: loopback is trusted. test_origin_login.py has viewers
    without one."""
    client = shared(signing_in(["WWW-Authenticate: NTLM"]), "--origin-login", "viewer")
    with Viewer(server.port) as alice:
        for leg in ("one", "three"):
            alice.get(client.host, "/", f"Authorization: NTLM {leg}")
        for _ in range(3):
            assert fetch(server.port, client.host).status == 401
        assert alice.get(client.host).status == 401
    client.program.wait_output("connection_login.*a proxy")


@pytest.mark.rule("H20")
def test_behind_a_proxy_no_connection_has_a_name(server, name):
    asks = (f"Oneport-Instance: {'a' * 32}", "Oneport-Viewer-Connection: ?1")
    link = linked(server.front, name, *asks)
    with Viewer(server.port) as viewer:
        for forged in ([], ["Oneport-Viewer-Connection: x"]):
            assert viewer.get(f"{name}.localhost", "/", *forged).status == 200
    link.close()
    assert len(link.requests) == 2
    assert not [field for head in link.heads for field, _ in head if field.startswith("oneport")]


@pytest.mark.rule("D13")
def test_a_sign_in_of_a_connection_is_told_once(server, shared):
    client = shared(signing_in(["WWW-Authenticate: Negotiate"], "Negotiate"))
    for _ in range(5):
        assert fetch(server.port, client.host).status == 401
    assert client.log.count("connection_login") == 1
    assert len(client.origin.connections) == 5


@pytest.mark.rule("D13")
def test_a_connection_that_is_about_to_close_says_so(server, shared):
    seen = []

    def serve(connection):
        while True:
            connection.request()
            seen.append(connection.get("Connection"))
            connection.send(reply())

    client = shared(serve)
    assert fetch(server.port, client.host, "/", "Authorization: NTLM x").status == 200
    assert fetch(server.port, client.host, "/", "Proxy-Authorization: Negotiate x").status == 200
    assert fetch(server.port, client.host, "/", "Authorization: Basic YTpi").status == 200
    assert fetch(server.port, client.host).status == 200
    assert seen == ["close", "close", None, None]
    assert len(client.origin.connections) == 3


@pytest.mark.rule("D13")
def test_other_sign_ins_share_connections(server, shared):
    """Basic, Digest and Bearer are of a request."""

    def serve(connection):
        while True:
            connection.request()
            connection.send(reply(b"", 'WWW-Authenticate: Basic realm="NTLM"', status=401))

    client = shared(serve)
    for field in ("Authorization: Basic YTpi", "Authorization: Bearer ntlm.x", "X: NTLM"):
        assert fetch(server.port, client.host, "/", field).status == 401
    assert len(client.origin.connections) == 1


# ---- bodies that nobody reads ----
class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the path, and reads no body, as handlers of GET do."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *given):
        pass


@pytest.fixture
def library(ended):
    """Returns library(server_class, handler), which runs a server of Python's http.server and
    returns its port."""

    def start(server_class=http.server.ThreadingHTTPServer, handler=Handler):
        running = ended.enter_context(server_class(("127.0.0.1", 0), handler))
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        ended.callback(running.shutdown)
        return running.server_address[1]

    return start


HALF = b"GET /poison HTTP/1.1\r\nHost: evil\r\nX: "
BODIES = [
    ("GET with a length", "GET", HALF, False),
    ("GET in chunks", "GET", HALF, True),
    ("POST with a length", "POST", HALF, False),
    ("PUT in chunks", "PUT", HALF, True),
    ("DELETE with a length", "DELETE", HALF, False),
    ("chunks of nothing", "POST", b"", True),
]


@pytest.mark.parametrize(
    "method,body,chunked", [pytest.param(*rest, id=f"D14 {what}") for what, *rest in BODIES]
)
def test_a_body_that_is_not_read_is_not_the_next_request(
    server, library, new_client, method, body, chunked
):
    client = new_client(library())
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    wire = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
    wire = wire + b"0\r\n\r\n" if chunked else body
    for _ in range(4):
        with Viewer(server.port) as viewer:
            viewer.send(head(method, "/a", client.host, framing) + wire)
            assert viewer.response(method).body == b"/a"
        for path in ("/b", "/c"):
            got = fetch(server.port, client.host, path)
            assert (got.status, got.body) == (200, path.encode())


@pytest.mark.rule("D14")
@pytest.mark.parametrize(
    "options,wanted",
    [
        # which of: two GETs, two POSTs, two empty POSTs, two GETs with a body, two POSTs that fail
        ((), "AA AB CC CD EF"),
        (("--origin-reuse", "safe"), "AA AB CC CD EF"),
        (("--origin-reuse", "always"), "AA AA AA AB CD"),
        (("--origin-reuse", "never"), "AB CD EF GH IJ"),
        (("--origin-keepalive", "0"), "AB CD EF GH IJ"),
    ],
    ids=["default", "safe", "always", "never", "keepalive 0"],
)
def test_which_connections_are_used_again(server, shared, options, wanted):
    """Each letter is a connection, in the order in which they are first used; the requests are one
    after the other. A request that its connection is not used behind says so."""
    used, closing = [], []

    def serve(connection):
        while True:
            connection.request()
            connection.body()
            used.append(connection)
            closing.append(connection.get("Connection") == "close")
            connection.send(reply(status=500 if "/fail" in connection.line else 200))

    client = shared(serve, *options)
    pairs = [("GET", b"", "/"), ("POST", b"x", "/"), ("POST", b"", "/"), ("GET", b"x", "/")]
    for method, body, path in [*pairs, ("POST", b"x", "/fail")]:
        for _ in range(2):
            fetch(server.port, client.host, path, method=method, body=body)
            time.sleep(0.1)  # so that no connection is doubtful
    order = sorted(set(map(id, used)), key=list(map(id, used)).index)
    letters = "".join(chr(ord("A") + order.index(id(one))) for one in used)
    assert letters == wanted.replace(" ", "")
    assert len(client.origin.connections) == len(order)
    bodies = [False, False, True, True, False, False, True, True, True, True]
    says = {
        "never": [True] * 10,
        "0": [True] * 10,
        "always": [False] * 6 + [True] * 2 + [False] * 2,
    }
    assert closing == says.get(options[-1] if options else "safe", bodies)


@pytest.mark.rule("D14")
def test_an_answer_before_the_body_ends_the_connection(server, shared):
    """Also with `always`: the origin may never read the rest."""
    seen = []

    def serve(connection):
        while True:
            connection.request()
            seen.append(connection)
            connection.send(reply(connection.line.encode()))
            connection.body()

    client = shared(serve, "--origin-reuse", "always")
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/a", client.host, "Content-Length: 4") + b"ab")
        assert viewer.response_head().status == 200
        viewer.send(b"cd")
        viewer.exactly(len("POST /a HTTP/1.1"))
    assert fetch(server.port, client.host).status == 200
    assert len(set(map(id, seen))) == 2


@pytest.mark.rule("D15")
def test_https_origins_resume_their_sessions(server, authority, ended, new_client):
    resumed = []
    certificate = authority.issue("origin", "localhost", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)

    def serve(connection):
        resumed.append(connection.socket.session_reused)
        while True:
            connection.request()
            connection.body()
            connection.send(reply())

    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(serve, tls=context)))
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        context.maximum_version = version
        client = new_client(f"https://localhost:{origin.port}", "--local-ca", certificate.ca)
        for _ in range(4):
            assert fetch(server.port, client.host, method="POST", body=b"x").status == 200
        assert resumed == [False, True, True, True]
        resumed.clear()


# ---- connections that may just be going ----
def closing_behind(delay_s, counts):
    """Returns a script that answers one request and closes after @delay_s without saying so.
    @counts gets the lines of the requests that were read whole."""

    def serve(connection):
        connection.request()
        connection.body()
        counts.append(connection.line)
        connection.send(reply())
        time.sleep(delay_s)

    return serve


@pytest.mark.rule("D16")
@pytest.mark.parametrize("delay_s", [0.0005, 0.002, 0.01])
@pytest.mark.parametrize("method,body", [("POST", b"x"), ("POST", b""), ("PUT", b"x")])
def test_what_must_not_be_repeated_gets_no_doubtful_connection(
    server, shared, method, body, delay_s
):
    """The origin closes behind each answer, and requests of both kinds come as fast as they can."""
    seen = []
    client = shared(closing_behind(delay_s, seen), "--origin-reuse", "always")
    with Viewer(server.port) as viewer:
        for n in range(60):
            assert viewer.get(client.host, f"/{n}").status == 200
            if n % 3 == 2:
                time.sleep(delay_s)  # so that the requests come at any time of the close
            assert viewer.get(client.host, f"/{n}", method=method, body=body).status == 200
    assert sorted(seen) == sorted(f"{m} /{n} HTTP/1.1" for n in range(60) for m in ("GET", method))


@pytest.mark.rule("D16")
def test_a_connection_that_was_idle_for_a_moment_will_do(server, shared):
    """The origin closes nothing, so a POST takes a connection that was idle for 50 ms."""
    used = []

    def serve(connection):
        while True:
            connection.request()
            used.append(connection)
            connection.send(reply())

    client = shared(serve)
    for pause_s in (0, 0.2, 0.2):
        time.sleep(pause_s)
        assert fetch(server.port, client.host, method="POST").status == 200
    assert len(set(map(id, used))) == 1


@pytest.mark.rule("D17")
@pytest.mark.parametrize("value,count", [("timeout=1", 3), ("timeout=0", 3), ("timeout=60", 1)])
def test_keep_alive_of_the_origin_is_obeyed(server, shared, value, count):
    def serve(connection):
        while True:
            connection.request()
            connection.send(reply(b"ok", f"Keep-Alive: {value}"))

    client = shared(serve)
    for _ in range(3):
        assert fetch(server.port, client.host).get("Keep-Alive") is None
    assert len(client.origin.connections) == count


@pytest.mark.rule("D17")
def test_a_connection_goes_a_second_before_the_origin_would_close_it(server, shared):
    ends = []

    def serve(connection):
        connection.request()
        connection.send(reply(b"ok", "Keep-Alive: timeout=2, max=100"))
        start = time.monotonic()
        connection.ended()
        ends.append(time.monotonic() - start)

    client = shared(serve)
    assert fetch(server.port, client.host).status == 200
    wait_until(lambda: ends, 10, "the end of the idle connection")
    assert 0.9 < ends[0] < 1.9


# ---- origins that serve one connection at a time ----
def all_at_once(server, client, paths):
    """Asks for all @paths at the same time. Returns how long that took."""
    start = time.monotonic()
    with ThreadPoolExecutor(len(paths)) as threads:
        got = list(threads.map(lambda path: fetch(server.port, client.host, path), paths))
    assert [(one.status, one.body) for one in got] == [(200, path.encode()) for path in paths]
    return time.monotonic() - start


@pytest.mark.rule("D18")
def test_six_files_of_an_origin_with_one_thread(server, library, new_client):
    """The origin reads from one connection until that closes. Without help each file but the first
    would wait for the end of the idle connections, 4 s."""
    client = new_client(library(http.server.HTTPServer))
    files = [f"/{n}" for n in range(6)]
    assert all_at_once(server, client, files) < 2 * SLOW
    for _ in range(5):  # the origin is known by now
        assert all_at_once(server, client, files) < 1 * SLOW
    for path in files:
        assert fetch(server.port, client.host, path).status == 200
        assert fetch(server.port, client.host, path, method="POST").status == 200


@pytest.mark.rule("D18")
def test_an_origin_with_few_threads(server, library, new_client):
    """The same with three workers, each of which has one connection until that closes."""

    class Workers(http.server.HTTPServer):
        def serve_forever(self, poll_interval=0.05):
            self.stop = threading.Event()
            self.socket.settimeout(0.2)
            workers = [threading.Thread(target=self.work, daemon=True) for _ in range(3)]
            for worker in workers:
                worker.start()
            self.stop.wait()

        def work(self):
            while not self.stop.is_set():
                with contextlib.suppress(OSError):
                    connection, address = self.socket.accept()
                    connection.settimeout(60)
                    self.process_request(connection, address)

        def shutdown(self):
            self.stop.set()

    client = new_client(library(Workers))
    files = [f"/{n}" for n in range(12)]
    for _ in range(3):
        assert all_at_once(server, client, files) < 3 * SLOW


class Slow(Handler):
    """Answers /slow/MS after that many ms, and counts connections."""

    connections = []

    def setup(self):
        super().setup()
        self.connections.append(self)

    def do_GET(self):
        if self.path.startswith("/slow/"):
            time.sleep(int(self.path.split("/")[2]) / 1000)
        super().do_GET()

    do_POST = do_GET


@pytest.mark.rule("D18")
def test_a_slow_page_of_an_ordinary_origin_costs_no_pool(server, library, new_client):
    """Slow requests run all the time, on fresh connections and on old ones. The quick ones go on to
    share connections."""
    Slow.connections = []
    client = new_client(library(handler=Slow))
    all_at_once(server, client, ["/a", "/b", "/c"])
    for ms in (120, 150, 250, 300) * 3:
        with ThreadPoolExecutor(2) as threads:
            fetch(server.port, client.host, "/quick")
            slow = threads.submit(fetch, server.port, client.host, f"/slow/{ms}", method="POST")
            for _ in range(5):
                assert fetch(server.port, client.host, "/quick").status == 200
            assert slow.result().status == 200
    asked = len(Slow.connections)
    for _ in range(10):
        all_at_once(server, client, ["/d", "/e", "/f"])
    assert asked < 30 and len(Slow.connections) - asked <= 4

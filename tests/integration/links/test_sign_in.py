# SPDX-License-Identifier: MIT
"""Tests the gate of a name whose viewers have to sign in (rules P21 to P26 and P44 to P47), by
every way in."""

import base64
import crypt
import threading

import pytest
from support.foreign import ForeignLink, register
from support.h2_viewer import viewing
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_frames import TEXT, frame, split
from support.websocket_viewer import HANDSHAKE

COOKIE = "__Host-oneport"
HTTPS = "X-Forwarded-Proto: https"


def basic(user, password):
    return "Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


GOOD, WRONG, NOBODY = basic("ann", "secret"), basic("ann", "wrong"), basic("eve", "secret")


def of(address):
    return f"X-Forwarded-For: {address}"


def ask(client, *fields, path="/echo", **how):
    """Asks as a viewer of a front end with https does."""
    return fetch(client.server.port, client.host, path, HTTPS, of("192.0.2.1"), *fields, **how)


def cookie_of(got):
    [field] = got.all("Set-Cookie")
    return field.split(";")[0]


def shows(cookie):
    return f"Cookie: a=1; {cookie}; b=2"


def sent(got):
    """Returns the fields that the origin has seen."""
    return {name.lower(): value for name, value in got.json()["fields"]}


@pytest.fixture(scope="module")
def hashed(tmp_path_factory):
    """A file as `htpasswd -B` writes it."""
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text(
        "# people\n\nann:"
        + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))
        + "\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def gated(new_client, http_origin, hashed):
    return new_client(http_origin.port, "--auth-file", hashed)


@pytest.mark.rule("P21")
def test_signing_in(gated):
    got = ask(gated, "Accept: text/html")
    assert got.status == 401 and b"sign in" in got.body
    assert got.get("WWW-Authenticate") == f'Basic realm="{gated.name}", charset="UTF-8"'
    assert got.get("Proxy-Status") == "oneport; error=http_request_denied"
    assert got.all("Set-Cookie") == []
    for bad in WRONG, NOBODY, "Authorization: Basic x", "Authorization: Bearer x":
        assert ask(gated, bad).status == 401
    assert ask(gated, GOOD, GOOD).status in (400, 401)
    got = ask(gated, GOOD)
    assert got.status == 200 and "authorization" not in sent(got)
    assert "private" in got.all("Cache-Control")
    [field] = got.all("Set-Cookie")
    assert field.startswith(f"{COOKIE}=")
    assert field.endswith("; Path=/; Max-Age=43200; Secure; HttpOnly; SameSite=Lax")
    gated.server.wait_log(f"sign_in_failed name={gated.name} viewer=192.0.2.1 ")
    assert "secret" not in gated.server.log + gated.server.access_log + gated.log


@pytest.mark.rule("P21")
@pytest.mark.parametrize("option", ["--auth=ann:secret", "--auth"])
def test_a_password_as_option(new_client, http_origin, option):
    """ps does not show it."""
    words = [option] if "=" in option else [option, "ann:secret"]
    client = new_client(http_origin.port, *words)
    line = open(f"/proc/{client.program.process.pid}/cmdline", "rb").read()
    assert b"ann:" in line and b"secret" not in line
    assert ask(client).status == 401 and ask(client, GOOD).status == 200
    assert ask(client, WRONG).status == 401


@pytest.mark.rule("P22")
def test_the_cookie(gated):
    cookie = cookie_of(ask(gated, GOOD))
    got = ask(gated, shows(cookie), "Authorization: Bearer of-the-app")
    assert got.status == 200 and got.all("Set-Cookie") == []
    assert sent(got)["cookie"] == "a=1; b=2" and sent(got)["authorization"] == "Bearer of-the-app"
    got = ask(gated, f"Cookie: {cookie}", GOOD)
    assert "cookie" not in sent(got) and "authorization" not in sent(got)
    for bad in (
        cookie[:-1],
        cookie + "A",
        cookie.replace(".", "..", 1),
        f"{COOKIE}=",
        "oneport=1.2.3",
    ):
        assert ask(gated, shows(bad)).status == 401, bad
    # Plain http has another cookie, and on localhost alone.
    plain = fetch(gated.server.port, gated.host, "/echo", GOOD)
    assert cookie_of(plain).startswith("oneport=")
    assert "Secure" not in plain.all("Set-Cookie")[0]
    assert fetch(gated.server.port, gated.host, "/echo", shows(cookie)).status == 401
    assert fetch(gated.server.port, gated.host, "/echo", shows(cookie_of(plain))).status == 200


@pytest.mark.rule("P22")
def test_a_cookie_is_of_one_name(gated, new_client, http_origin, hashed):
    other = new_client(http_origin.port, "--auth-file", hashed)
    cookie = cookie_of(ask(gated, GOOD))
    assert ask(gated, shows(cookie)).status == 200
    assert ask(other, shows(cookie)).status == 401


@pytest.mark.rule("P22")
def test_an_origin_that_sets_the_cookie(shared, hashed):
    def serve(connection):
        connection.request()
        connection.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
            b"Set-Cookie: __Host-oneport=x; Path=/; Secure\r\nSet-Cookie: oneport=x\r\n"
            b"Set-Cookie: own=1\r\n\r\nok"
        )

    client = shared(serve, "--auth-file", hashed)
    cookies = ask(client, GOOD).all("Set-Cookie")
    assert len(cookies) == 2 and "own=1" in cookies and cookies[1].startswith(f"{COOKIE}=1")


@pytest.mark.rule("P22", "P4")
def test_a_restart(new_server, new_client, http_origin, hashed):
    """The cookie is good still."""
    server = new_server()
    client = new_client(http_origin.port, "--auth-file", hashed, server=server)
    cookie = cookie_of(ask(client, GOOD))
    server.restart()
    client.program.wait_output("link_up", count=2, deadline_s=30)
    assert ask(client, shows(cookie)).status == 200
    assert ask(client).status == 401


@pytest.mark.rule("P4", "P21", "P23")
@pytest.mark.parametrize("workers", [1, 4])
def test_every_way_in(new_server, new_client, websocket_origin, hashed, workers):
    server = new_server("--workers", str(workers))
    client = new_client(websocket_origin.port, "--auth-file", hashed, server=server)

    def websocket(*fields):
        with Viewer(server.port) as viewer:
            viewer.send(head("GET", "/", client.host, HTTPS, *fields, *HANDSHAKE))
            got = viewer.response_head()
            if got.status == 101:
                viewer.send(frame(TEXT, b"hello", b"mask"))
                data = b""
                while not split(data)[0]:
                    data += viewer.socket.recv(4096)
                assert split(data)[0][0][1] == b"hello"
            return got

    for _ in range(2 * workers):
        assert websocket().status == 401
        got = websocket(GOOD)
        assert got.status == 101
        cookie = cookie_of(got)
        assert websocket(shows(cookie)).status == 101
        own, other = f"Origin: https://{client.host}", "Origin: https://other.localhost"
        assert websocket(shows(cookie), own).status == 101
        assert websocket(shows(cookie), other).status == 403
        assert websocket(GOOD, other).status == 403
        with viewing(client) as viewer:
            assert viewer.get("/").status == 401
            good = GOOD.split(": ")[1]
            assert viewer.get("/", ("authorization", good)).status not in (401, 403)
            assert viewer.get("/", ("cookie", "a=1"), ("cookie", cookie)).status not in (401, 403)
            other = ("origin", "https://other.localhost")
            assert viewer.get("/", ("cookie", cookie), other, method="POST").status == 403


@pytest.mark.rule("P4", "P21")
def test_bodies_and_held_requests(new_server, name, ended, hashed):
    """A body that comes while the password is checked is not lost, and who waits has signed in."""
    server = new_server("--hold", "30s")
    users = '{"users":[["ann","%s"]]}' % hashed.read_text().split("ann:")[1].strip()
    host = f"{name}.localhost"
    ticket = register(server, name, f"Oneport-Policy: {users}")["ticket"]
    link = ForeignLink(server, name, ticket, f"Oneport-Policy: {users}")
    server.wait_link(name, 1)
    got = fetch(server.port, host, "/", GOOD, method="POST", body=b"x" * 100_000)
    assert got.status == 200
    wait_until(lambda: link.ended_with_data, 10, "the whole body")
    link.close()
    server.wait_log(f"link_lost.*{name}|client_leaves.*{name}")
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", host, GOOD))
        assert fetch(server.port, host).status == 401
        again = ForeignLink(server, name, ticket, f"Oneport-Policy: {users}")
        ended.callback(again.close)
        assert viewer.response().status == 200


@pytest.mark.rule("P21")
def test_viewers_who_leave(gated):
    """The password of a viewer who has left is checked for nobody."""
    for _ in range(10):
        with Viewer(gated.server.port) as viewer:
            viewer.send(head("GET", "/echo", gated.host, of("203.0.113.5"), WRONG))
    assert ask(gated, GOOD).status == 200


@pytest.mark.rule("P24")
def test_tries(new_server, new_client, http_origin, hashed):
    """Wrong passwords of an address are counted; others sign in, and who has a cookie goes on."""
    client = new_client(http_origin.port, "--auth-file", hashed, server=new_server())
    cookie = cookie_of(ask(client, GOOD))
    got = [ask(client, WRONG if i % 2 else NOBODY).status for i in range(25)]
    assert got[:20] == [401] * 20 and got[-1] == 429
    fresh = basic("ann", "secret")
    assert ask(client, shows(cookie)).status == 200
    host, port = client.host, client.server.port
    assert fetch(port, host, "/echo", HTTPS, of("192.0.2.2"), fresh).status == 200


@pytest.mark.rule("P24")
def test_checks_stop_nobody(new_client, http_origin, tmp_path):
    """While slow hashes are worked at, others are served."""
    path = tmp_path / "users"
    path.write_text(
        "ann:" + crypt.crypt("x", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**12)) + "\n"
    )
    path.chmod(0o600)
    slow = new_client(http_origin.port, "--auth-file", path)
    other = new_client(http_origin.port)
    codes = []
    threads = [
        threading.Thread(
            target=lambda i=i: codes.append(
                fetch(slow.server.port, slow.host, "/", of(f"192.0.2.{i}"), WRONG).status
            )
        )
        for i in range(10)
    ]
    for one in threads:
        one.start()
    for _ in range(20):
        assert ask(other).status == 200
    for one in threads:
        one.join()
    assert set(codes) == {401}


@pytest.fixture
def slow_users(tmp_path):
    """A file whose one password takes some tenths of a second."""
    path = tmp_path / "slow"
    path.write_text(
        "ann:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=2**11)) + "\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def slow(new_client, http_origin, slow_users):
    return new_client(http_origin.port, "--auth-file", slow_users)


class Guesses:
    """Wrong passwords that come at once, from @address(i)."""

    def __init__(self, client, n, address):
        self.statuses = []
        self.threads = [
            threading.Thread(target=self._guess, args=(client, i, address)) for i in range(n)
        ]
        for one in self.threads:
            one.start()

    def _guess(self, client, i, address):
        guess = basic("ann", f"no {i}")
        try:
            got = fetch(client.server.port, client.host, "/", of(address(i)), guess).status
        except (OSError, EOFError):
            got = None  # the server has ended
        self.statuses.append(got)

    def wait(self):
        for one in self.threads:
            one.join()
        return self.statuses


@pytest.mark.rule("P44")
def test_tries_at_once(slow):
    """20 passwords are checked, however many come before the first answer."""
    statuses = Guesses(slow, 50, lambda i: "192.0.2.1").wait()
    assert statuses.count(401) <= 21 and statuses.count(429) >= 29, statuses


@pytest.mark.rule("P44")
def test_one_password_at_once(slow):
    """It is checked once."""
    codes = []
    threads = [
        threading.Thread(target=lambda: codes.append(ask(slow, GOOD).status)) for _ in range(40)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert codes == [200] * 40


@pytest.mark.rule("P46")
def test_a_crowd_at_one_name(slow, new_client, http_origin, hashed):
    """Others sign in, at another name and at this one, while its places are taken."""
    other = new_client(http_origin.port, "--auth-file", hashed)
    guesses = Guesses(slow, 100, lambda i: f"198.51.100.{i}")
    wait_until(lambda: guesses.statuses, 20, "the first answer")
    for i in range(4):
        fresh = basic("ann", "secret")
        got = fetch(other.server.port, other.host, "/echo", HTTPS, of(f"192.0.2.{i}"), fresh)
        assert got.status == 200
    assert any(one.is_alive() for one in guesses.threads)
    assert ask(slow, GOOD).status == 200
    assert set(guesses.wait()) <= {401, 503}


@pytest.mark.rule("P46")
@pytest.mark.parametrize("workers", [1, 4])
def test_a_stop_while_passwords_wait(new_server, new_client, http_origin, slow_users, workers):
    """The server ends cleanly, and whoever waits is told."""
    server = new_server("--workers", str(workers), "--drain-timeout", "1s")
    client = new_client(http_origin.port, "--auth-file", slow_users, server=server)
    guesses = Guesses(client, 60, lambda i: f"198.51.100.{i}")
    wait_until(lambda: guesses.statuses, 20, "the first answer")
    server.stop()
    assert set(guesses.wait()) <= {401, 503, None}


@pytest.mark.rule("P47")
def test_forms_of_a_page_without_a_referrer(gated):
    """Their Origin is null, and the browser says that they are the page's own."""
    cookie = shows(cookie_of(ask(gated, GOOD)))

    def post(*fields):
        return ask(gated, cookie, "Origin: null", *fields, method="POST").status

    assert post("Sec-Fetch-Site: same-origin") == 200
    assert post() == 403
    assert post("Sec-Fetch-Site: cross-site") == 403
    assert post("Sec-Fetch-Site: none") == 403


@pytest.mark.rule("P25")
def test_public_paths(new_client, http_origin, hashed):
    client = new_client(
        http_origin.port,
        "--auth-file",
        hashed,
        "--public-path",
        "/echo-me",
        "--public-path",
        "/bytes/",
    )
    assert ask(client, path="/echo-me").status == 200
    assert ask(client, path="/bytes/10").status == 200
    for path in "/echo", "/bytes/../echo", "/bytes/%2e%2e/echo", "/bytes//echo", "/echo-me/":
        assert ask(client, path=path).status == 401, path


@pytest.mark.rule("P23", "P25")
def test_other_sites(gated, new_client, http_origin, hashed):
    other = "Origin: https://other.localhost"
    preflight = [other, "Access-Control-Request-Method: PUT"]
    cookie = shows(cookie_of(ask(gated, GOOD)))
    assert ask(gated, cookie, other, method="POST").status == 403
    assert ask(gated, cookie, "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors").status == 403
    assert (
        ask(gated, cookie, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate").status == 200
    )
    assert ask(gated, *preflight, method="OPTIONS").status == 401
    cors = new_client(http_origin.port, "--auth-file", hashed, "--cors")
    assert ask(cors, *preflight, method="OPTIONS").status == 200
    assert ask(cors, other, method="POST").status == 401
    cookie = shows(cookie_of(ask(cors, GOOD)))
    assert ask(cors, cookie, other, method="POST").status == 200


@pytest.mark.rule("P24")
@pytest.mark.parametrize("line", ["ann", "ann:secret", "ann:$1$abc$def", ":$2y$04$x", "ann:"])
def test_files_that_are_refused(new_client, http_origin, tmp_path, line):
    path = tmp_path / "users"
    path.write_text(line + "\n")
    path.chmod(0o600)
    client = new_client(http_origin.port, "--auth-file", path, wait=False)
    client.program.expect_exit(2 if "$1$" in line else 1)


# ---- links with a key ----
KEY_PATH = "/.oneport/key/"


def link_for(client, who):
    """Returns the path of the link that the client has printed."""
    found = client.program.wait_output(
        rf"^the link for {who} is: https://[^/]*(/\S+)$", 10, "stdout"
    )
    return found.group(1)


@pytest.mark.rule("P26")
def test_a_link(new_client, http_origin):
    client = new_client(http_origin.port, "--share-key", "ann:2h:2", "--share-key", "bob")
    ann, bob = link_for(client, "ann"), link_for(client, "bob")
    assert ann.startswith(KEY_PATH) and len(ann) == len(KEY_PATH) + 43
    got = ask(client, "Accept: text/html")
    assert got.status == 403 and b"use your link" in got.body and not got.get("WWW-Authenticate")
    assert ask(client, path=ann[:-1] + "!").status == 403
    assert ask(client, path=ann, method="POST").status == 403
    for behind, where in ("/echo?x=1", "/echo?x=1"), ("//evil.example.org", "/"):
        got = ask(client, path=ann + behind)
        assert got.status == 303 and got.get("Location") == where
        assert (
            got.get("Referrer-Policy") == "no-referrer" and got.get("Cache-Control") == "no-store"
        )
    cookie = cookie_of(got)
    got = ask(client, shows(cookie))
    assert got.status == 200 and sent(got)["cookie"] == "a=1; b=2"
    assert ask(client, path=ann).status == 403  # it was used twice
    assert ask(client, path=bob).status == 303 and ask(client, path=bob).get("Location") == "/"
    client.server.wait_log(f"key_used name={client.name} key=ann viewer=192.0.2.1")
    wait_until(lambda: f"GET {KEY_PATH}... HTTP" in client.server.access_log, 10, "the line")
    everything = client.server.log + client.server.access_log
    for key in ann, bob:
        assert key[len(KEY_PATH) :] not in everything
    assert fetch(client.server.port, "other.localhost", ann).status == 404
    assert ann[len(KEY_PATH) :] not in client.server.access_log


@pytest.mark.rule("T37")
def test_a_path_that_names_a_link(server, new_client, http_origin):
    """It hides nothing of itself, be it in the path or in the Referer."""
    client = new_client(http_origin.port, server=server)
    ask(client, f"Referer: https://x/from?b={KEY_PATH}", path=f"/echo?a={KEY_PATH}")
    wait_until(lambda: f"GET /echo?a={KEY_PATH} HTTP" in server.access_log, 10, "the line")
    assert f'"https://x/from?b={KEY_PATH}"' in server.access_log


@pytest.mark.rule("P26")
def test_a_link_whose_time_is_over(new_client, http_origin):
    client = new_client(http_origin.port, "--share-key", "ann:3s")
    cookie = cookie_of(ask(client, path=link_for(client, "ann")))
    assert ask(client, shows(cookie)).status == 200
    wait_until(lambda: ask(client, shows(cookie)).status == 403, 10, "the cookie is over as well")
    assert ask(client, path=link_for(client, "ann")).status == 403


@pytest.mark.rule("P26")
def test_a_link_after_a_restart(new_server, new_client, http_origin):
    """It is used up still."""
    server = new_server()
    client = new_client(http_origin.port, "--share-key", "ann:2h:1", server=server)
    path = link_for(client, "ann")
    assert ask(client, path=path).status == 303
    wait_until(
        lambda: "}1 " in server.saved_names or "}1\n" in server.saved_names, 10, "it is kept"
    )
    server.restart()
    client.program.wait_output("link_up", count=2, deadline_s=30)
    assert ask(client, path=path).status == 403


@pytest.mark.rule("P26")
def test_links_and_passwords(new_client, http_origin, hashed):
    client = new_client(http_origin.port, "--auth-file", hashed, "--share-key", "ann")
    assert ask(client).status == 401 and ask(client, GOOD).status == 200
    assert ask(client, path=link_for(client, "ann")).status == 303

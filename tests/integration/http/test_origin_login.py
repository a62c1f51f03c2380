# SPDX-License-Identifier: MIT
"""Tests `--origin-login viewer`: a connection to the origin that a viewer has signed in serves the
same viewer's connection, and nobody else. The server is in a network of its own, where viewers have
addresses that it does not trust."""

import base64
import re
import struct
import subprocess

import pytest
from support import addresses, netns
from support.addresses import SERVER
from support.foreign import ForeignLink, register
from support.h2_viewer import H2Viewer
from support.origins import reply
from support.sign_in import signing_in
from support.viewer import Viewer
from support.wait import wait_until

ALICE, STRANGER = "10.9.1.1", "10.9.2.2"
NTLM = ["WWW-Authenticate: NTLM"]

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


@pytest.fixture
def here(ended):
    return ended.enter_context(addresses.Addresses())


@pytest.fixture
def share(here, new_server, new_client, scripted):
    """Returns share(serve, *options), which starts a server with the options @serves, and a client
    with --origin-login viewer and @options. The client shares a scripted origin."""

    def start(serve, *options, serves=()):
        with here.inside():
            server = new_server("--listen", f"{SERVER}:8080", *serves)
            origin = scripted(serve)
            client = new_client(origin.port, "--origin-login", "viewer", *options, server=server)
        client.origin = origin
        return client

    return start


@pytest.fixture
def viewer(here, ended):
    """Returns viewer(address), which connects a viewer from there."""
    return lambda source: ended.enter_context(here.viewer(source, 8080))


def sign_in(viewer, client, *fields, legs=("one", "three"), **keywords):
    """Returns the answer to the last leg."""
    for leg in legs:
        got = viewer.get(client.host, "/", f"Authorization: NTLM {leg}", *fields, **keywords)
    return got


def refused(got):
    return (got.status, got.body) == (401, b"who are you")


def greeted(got):
    return (got.status, got.body) == (200, b"hello alice")


@pytest.mark.rule("D19")
def test_who_signs_in_stays_signed_in_and_nobody_else_is(share, viewer):
    client = share(signing_in(NTLM))
    alice = viewer(ALICE)
    assert refused(alice.get(client.host))
    assert greeted(sign_in(alice, client))
    others = [viewer(STRANGER), viewer(ALICE)]
    for _ in range(5):
        assert all(refused(other.get(client.host)) for other in others)
        assert greeted(alice.get(client.host))
    assert client.log.count("connection_login") == 0


@pytest.mark.rule("D19")
def test_a_challenge_alone_makes_a_connection_private(share, viewer):
    """The connection of the 401 serves the sign-in that follows, and nobody else meanwhile."""
    client = share(signing_in(NTLM), "--origin-keepalive", "1m")
    alice, stranger = viewer(ALICE), viewer(STRANGER)
    assert refused(alice.get(client.host))
    assert refused(stranger.get(client.host))
    assert greeted(sign_in(alice, client))
    assert greeted(alice.get(client.host))
    assert refused(stranger.get(client.host))
    assert len(client.origin.connections) == 2


@pytest.mark.rule("D19")
def test_a_private_connection_ends_with_its_time(share, viewer):
    ended = []
    script = signing_in(NTLM)

    def serve(connection):
        try:
            script(connection)
        finally:
            ended.append(connection)

    client = share(serve, "--origin-keepalive", "200ms")
    alice = viewer(ALICE)
    assert greeted(sign_in(alice, client))
    wait_until(lambda: ended, what="the end of the private connection")
    assert refused(alice.get(client.host))
    assert greeted(sign_in(alice, client))


@pytest.mark.rule("D19")
def test_private_connections_are_bounded(share, viewer):
    """60 viewers sign in; the connections of the first ten make room."""
    client = share(signing_in(NTLM, legs=["one"]), "--origin-keepalive", "1m")
    viewers = [viewer(f"10.9.1.{n + 1}") for n in range(60)]
    for each in viewers:
        assert greeted(sign_in(each, client, legs=["one"]))
    assert len(client.origin.connections) == 60
    assert all(greeted(each.get(client.host)) for each in viewers[10:])
    assert refused(viewers[9].get(client.host))


@pytest.mark.rule("D19")
def test_more_than_one_link(share, viewer):
    client = share(signing_in(NTLM), "--links", "3")
    client.server.wait_link(client.name, 3)
    alice, stranger = viewer(ALICE), viewer(STRANGER)
    assert greeted(sign_in(alice, client))
    for _ in range(9):
        assert greeted(alice.get(client.host))
        assert refused(stranger.get(client.host))


# ---- bodies ----
@pytest.mark.rule("D20")
def test_a_sign_in_may_have_bodies(share, viewer):
    """A browser sends the body of a POST with each leg. The legs follow each other at once."""
    script, closes = signing_in(NTLM), []

    def serve(connection):
        request = connection.request

        def noted():
            request()
            closes.append(connection.get("Connection"))

        connection.request = noted
        script(connection)

    client = share(serve)
    for alice in (viewer(ALICE), viewer(STRANGER)):
        assert greeted(sign_in(alice, client, method="POST", body=b"a=1"))
        for _ in range(3):
            assert greeted(alice.get(client.host))
            assert greeted(alice.get(client.host, method="POST", body=b"a=2"))
    assert closes == [None] * len(closes)
    assert len(client.origin.connections) == 2


@pytest.mark.rule("D20")
@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_a_body_that_may_be_left_unread_ends_the_connection(share, viewer, method):
    client = share(signing_in(NTLM))
    alice = viewer(ALICE)
    assert greeted(sign_in(alice, client))
    assert greeted(alice.get(client.host, method=method, body=b"GET / HTTP/1.1"))
    assert refused(alice.get(client.host))


# ---- by curl ----
def speaks_ntlm(connection):
    """Takes whatever name and password somebody signs in with, on one connection. MS-NLMP 2.2.1."""
    asked = signed_in = False
    challenge = b"NTLMSSP\0" + struct.pack("<IHHII8s", 2, 0, 0, 40, 0x8201, b"abcdefgh") + bytes(8)
    while True:
        connection.request()
        connection.body()
        given = (connection.get("Authorization") or "").partition(" ")[2]
        kind = base64.b64decode(given)[8:9]
        signed_in = signed_in or (asked and kind == b"\3")
        asked = kind == b"\1"
        if signed_in:
            connection.send(reply(b"hello alice"))
        else:
            data = " " + base64.b64encode(challenge).decode() if kind == b"\1" else ""
            connection.send(reply(b"who are you", f"WWW-Authenticate: NTLM{data}", status=401))


@pytest.mark.rule("D19", "D20")
@pytest.mark.parametrize("body", [[], ["-d", "a=1"]], ids=["GET", "POST"])
def test_curl_signs_in_by_ntlm(here, share, viewer, body):
    client = share(speaks_ntlm)
    url, host = f"http://{SERVER}:8080/", f"Host: {client.host}"
    with here.inside():
        done = subprocess.run(
            ["curl", "-sS", "--ntlm", "-u", "alice:secret", "-H", host, *body, url, url],
            capture_output=True,
            timeout=30,
        )
    assert (done.returncode, done.stdout) == (0, b"hello alice" * 2), done
    assert refused(viewer(STRANGER).get(client.host))


# ---- over HTTP/2 ----
HTTP_1_1_REQUIRED = 0xD
ASKS = ["WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM"]


def over_http2(here, client, source, **how):
    """Returns a viewer of HTTP/2 from @source."""
    return H2Viewer(8080, client.host, raw=here.connect(source, 8080), **how)


@pytest.mark.rule("D44")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_viewer_of_http2_comes_again_for_a_sign_in(here, share, viewer, method):
    """The connection goes on, and signs in nobody. Over HTTP/1.1 the sign-in works."""
    client = share(signing_in(ASKS))
    body = b"a=1" if method == "POST" else b""
    with over_http2(here, client, ALICE) as alice:
        for leg in ([], [("authorization", "NTLM one")], [("authorization", "NTLM three")]):
            stream = alice.ask("/", *leg, method=method, end=not body)
            if body:
                alice.body(stream, body, end=True)
            assert alice.wait_reset(stream) == HTTP_1_1_REQUIRED
        assert not alice.goaways
    assert greeted(sign_in(viewer(ALICE), client))


@pytest.mark.rule("D44")
def test_other_answers_pass_over_http2(here, share):
    """A sign-in of each request, a 403, and a page that is whole."""

    def serve(connection):
        while True:
            path = connection.request()[0].split(" ")[1]
            status, line = {
                "/basic": (401, "WWW-Authenticate: Basic realm=a"),
                "/forbidden": (403, "WWW-Authenticate: NTLM"),
            }.get(path, (200, "WWW-Authenticate: Negotiate oYH1MIHy"))
            connection.send(reply(b"page", line, status=status))

    client = share(serve)
    with over_http2(here, client, ALICE) as alice:
        for path, status in (("/basic", 401), ("/forbidden", 403), ("/", 200)):
            got = alice.get(path)
            assert (got.status, got.body) == (status, b"page")
            assert not [name for name, _ in got.fields if name.startswith("oneport")]


@pytest.mark.rule("D44")
@pytest.mark.parametrize("fields", [[("via", "1.1 a")], [("x-forwarded-for", "192.0.2.1")]])
def test_a_proxy_of_http2_gets_the_answer(here, share, fields):
    """No connection of it has a name, whatever it speaks."""
    client = share(signing_in(ASKS), serves=("--trusted-proxy", "10.9.3.0/24"))
    for source in (ALICE, "10.9.3.7"):
        with over_http2(here, client, source) as proxy:
            assert refused(proxy.get("/", *fields))
            assert refused(proxy.get("/"))


@pytest.mark.rule("D44")
def test_without_the_option_the_answer_passes_over_http2(here, new_server, new_client, scripted):
    with here.inside():
        server = new_server("--listen", f"{SERVER}:8080")
        client = new_client(scripted(signing_in(ASKS)).port, server=server)
    with over_http2(here, client, ALICE) as alice:
        assert refused(alice.get("/"))


@pytest.mark.rule("D44")
def test_curl_falls_back_from_http2_to_sign_in(here, share):
    client = share(speaks_ntlm)
    with here.inside():
        done = subprocess.run(
            ["curl", "-sSk", "--http2", "--anyauth", "-u", "alice:secret"]
            + ["--connect-to", f"::{SERVER}:8080", f"https://{client.host.split(':')[0]}:8080/"],
            capture_output=True,
            timeout=30,
        )
    assert (done.returncode, done.stdout) == (0, b"hello alice"), done


# ---- whose connection it is, is not known ----
SIGNS_OF_A_PROXY = [
    "Via: 1.1 somewhere",
    "vIA: 1.0 a, 1.1 b",
    "Forwarded: for=192.0.2.1",
    "X-Forwarded-For: 192.0.2.1",
    "X_Forwarded_For: 192.0.2.1",
    "X.Forwarded!Proto: https",
    "X-Forwarded-Host: a",
    "X-Forwarded-Prefix: /a",
    "X-Forwarded: a",
    "X-Real-IP: 192.0.2.1",
    "True-Client-IP: 192.0.2.1",
    "CDN-Loop: a",
    "Proxy-Connection: keep-alive",
]


@pytest.mark.rule("H20", "D21")
@pytest.mark.parametrize("field", SIGNS_OF_A_PROXY)
def test_nothing_is_kept_where_a_request_shows_a_proxy(share, viewer, field):
    """Afterwards nothing is kept for that connection, since others may speak on it as well."""
    client = share(signing_in(NTLM))
    alice = viewer(ALICE)
    assert not greeted(sign_in(alice, client, field))
    assert not greeted(sign_in(alice, client))
    assert refused(alice.get(client.host))
    assert greeted(sign_in(viewer(ALICE), client))
    client.program.wait_output("connection_login.*a proxy")


@pytest.mark.rule("H20", "D21")
def test_a_sign_in_is_lost_when_a_later_request_shows_a_proxy(share, viewer):
    client = share(signing_in(NTLM))
    alice = viewer(ALICE)
    assert greeted(sign_in(alice, client))
    assert refused(alice.get(client.host, "/", "X-Forwarded-For: 192.0.2.1"))
    assert refused(alice.get(client.host))


@pytest.mark.rule("H20", "D21")
def test_nothing_is_kept_for_trusted_proxies(here, share, viewer):
    client = share(signing_in(NTLM), serves=("--trusted-proxy", "10.9.3.0/24"))
    with here.inside():
        loopback = Viewer(client.server.port)
    with loopback:
        for proxy in (viewer("10.9.3.7"), loopback):
            assert not greeted(sign_in(proxy, client))
            assert refused(proxy.get(client.host))
    assert greeted(sign_in(viewer("10.9.4.7"), client))


@pytest.mark.rule("D21", "H10")
def test_a_viewer_cannot_name_a_connection(share, viewer):
    """Two viewers say the same name, and the origin sees none of it."""
    seen, script = [], signing_in(NTLM)

    def serve(connection):
        request = connection.request

        def noted():
            request()
            seen.extend(name.lower() for name, _ in connection.fields)

        connection.request = noted
        script(connection)

    client = share(serve)
    forged = [
        "Oneport-Viewer-Connection: 0123456789abcdef0123456789abcdef",
        "Oneport_Viewer.Connection: 0123456789abcdef0123456789abcdef",
    ]
    for proxy in ([], ["Via: 1.1 a"]):
        alice, stranger = viewer(ALICE), viewer(STRANGER)
        assert greeted(sign_in(alice, client, *forged, *proxy)) == (not proxy)
        assert refused(stranger.get(client.host, "/", *forged, *proxy))
        assert greeted(alice.get(client.host, "/", *forged, *proxy)) == (not proxy)
    assert not [name for name in seen if re.match("oneport", name)]


# ---- the field ----
@pytest.mark.rule("H20")
def test_only_a_link_of_oneport_that_asks_is_told(here, share, viewer):
    server = share(signing_in(NTLM)).server
    asks, ours = "Oneport-Viewer-Connection: ?1", f"Oneport-Instance: {'a' * 32}"
    told = []
    for number, fields in enumerate([[asks, ours], [asks], [ours], [asks[:-1] + "0", ours]]):
        name = f"told-{number}"
        with here.inside():
            link = ForeignLink(server, name, register(server, name)["ticket"], *fields)
        server.wait_link(name, 1)
        for each in (viewer(ALICE), viewer(ALICE)):
            each.get(f"{name}.localhost")
            each.get(f"{name}.localhost")
        told.append([request.get("oneport-viewer-connection") for request in link.requests])
        link.close()
    (first, again, second, too), *others = told
    assert first == again and second == too and first != second
    assert re.fullmatch("[0-9a-f]{32}", first) and re.fullmatch("[0-9a-f]{32}", second)
    assert others == [[None] * 4] * 3


@pytest.mark.rule("H20", "D19")
def test_a_connection_that_moves_between_workers_stays_the_viewers(share, viewer, here, new_client):
    client = share(signing_in(NTLM), serves=("--workers", "4"))
    with here.inside():
        others = [new_client(client.origin.port, server=client.server) for _ in range(6)]
    alice = viewer(ALICE)
    assert greeted(sign_in(alice, client))
    for other in others:
        assert refused(alice.get(other.host))
        assert greeted(alice.get(client.host))

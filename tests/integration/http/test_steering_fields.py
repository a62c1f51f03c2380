# SPDX-License-Identifier: MIT
"""Tests fields that steer somebody else: what origins could tell the hop in front of oneportd, and
what viewers could tell an origin, in any spelling of the name. Direct and through nginx."""

import pytest
from support import nginx
from support.nginx import Nginx
from support.origins import answer_upgrade, answering, reply
from support.programs import Client
from support.viewer import Viewer, fetch, head
from support.websocket_viewer import HANDSHAKE

STEERING = [
    "X-Accel-Redirect: /secret",
    "X-Accel-Expires: 600",
    "X-Accel-Limit-Rate: 1",
    "X-Accel-Charset: koi8-r",
    "X-Accel-Buffering: yes",
    "X-Sendfile: /etc/passwd",
    "X-Sendfile2: /etc/passwd 0-",
    "X-LIGHTTPD-send-file: /etc/passwd",
    "X-Reproxy-URL: http://127.0.0.1/",
    "X-REPROXY-FILE: /etc/passwd",
    "X-LiteSpeed-Location: /secret",
    "X-LiteSpeed-Cache-Control: public",
    "X_Accel_Redirect: /secret",
    "X.Sendfile: /etc/passwd",
    "X!LIGHTTPD!send-file: /etc/passwd",
    "Oneport_Error: dns_error",
]


def names(pairs):
    return [name.lower() for name, _ in pairs]


def names_of(lines):
    return {line.partition(":")[0].lower() for line in lines}


# ---- from origins ----
@pytest.mark.rule("R19")
@pytest.mark.parametrize("line", STEERING)
def test_no_origin_steers_the_hop_in_front(server, played, line):
    got = fetch(server.port, played(answering(reply(b"ok", line, "X-Own: 1"))).host)
    assert (got.status, got.body, got.get("X-Own")) == (200, b"ok", "1")
    assert not names_of([line]) & set(names(got.fields))


@pytest.mark.rule("R19")
def test_an_origin_may_ask_for_less_buffering(server, played):
    got = fetch(server.port, played(answering(reply(b"ok", "X-Accel-Buffering: no"))).host)
    assert got.all("X-Accel-Buffering") == ["no"]


@pytest.mark.rule("R19")
def test_interim_heads_and_trailers_steer_nobody(server, played):
    lines = "".join(f"{line}\r\n" for line in STEERING)
    raw = (
        f"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n{lines}\r\nHTTP/1.1 200 OK\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n{lines}\r\n"
    )
    client = played(answering(raw.encode()))
    with Viewer(server.port) as viewer:
        got = viewer.get(client.host, "/", "TE: trailers", "Connection: TE")
    assert [names(hint.fields) for hint in got.interim] == [["link"]]
    assert (got.body, names(got.trailers)) == (b"ok", ["x-sum"])


@pytest.mark.rule("R19", "W6")
def test_a_101_steers_nobody(server, played):
    def serve(connection):
        connection.request()
        answer_upgrade(connection, *STEERING, "Sec_WebSocket_Accept: forged", "X-Own: 1")
        connection.rest()

    client = played(serve)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE))
        got = viewer.response()
    assert (got.status, got.get("X-Own")) == (101, "1")
    assert set(names(got.fields)) == {"upgrade", "connection", "sec-websocket-accept", "x-own"}


# ---- from viewers ----
CLAIMS = [
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6",
    "Forwarded-For: 6.6.6.6",
    "X-Forwarded: 6.6.6.6",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Ssl: on",
    "X-Forwarded-Server: evil",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-Middleware-Subrequest: middleware",
    "X-Accel-Mapping: /=/",
    "X-Sendfile-Type: X-Accel-Redirect",
    "True-Client-IP: 6.6.6.6",
    "CF-Connecting-IP: 6.6.6.6",
    "X-Client-IP: 6.6.6.6",
    "Client-IP: 6.6.6.6",
    "Proxy: http://6.6.6.6",
    "X!Real!IP: 6.6.6.6",
    "X.Forwarded.For: 6.6.6.6",
    "X_Forwarded_Proto: https",
    "X-Forwarded_Host: evil",
    "X|Forwarded~Port: 1",
    "Content.Length: 5",
    "Content_Length: 5",
    "Transfer_Encoding: chunked",
    "Proxy_Connection: close",
    "Sec.WebSocket.Key: forged",
    "Max_Forwards: 0",
    "Client_IP: 6.6.6.6",
    "X.Original.URL: /admin",
    "X_Request_Id: forged",
    "Oneport_Link: 1",
]
PROXIED = ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: https"]
OURS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"}


def seen(server, tunnel, *fields):
    return {
        name.lower(): value
        for name, value in fetch(server.port, tunnel.host, "/echo", *fields).json()["fields"]
    }


@pytest.mark.rule("H16", "H17", "H18", "H19")
@pytest.mark.parametrize("line", CLAIMS)
def test_no_spelling_of_a_claim_reaches_an_origin(server, tunnel, line):
    """The peer is a trusted one: the server takes loopback for a proxy."""
    for more in ([], PROXIED):
        got = seen(server, tunnel, line, "X-Own_Field: 1", *more)
        assert names_of([line]).isdisjoint(got)
        assert got["x-own_field"] == "1"
        assert got["x-forwarded-for"] == ("198.51.100.7, 127.0.0.1" if more else "127.0.0.1")
        assert got["x-forwarded-proto"] == ("https" if more else "http")
        assert "x-forwarded-port" not in got and got["x-forwarded-host"] == tunnel.host


@pytest.mark.rule("Q41")
@pytest.mark.parametrize(
    "alias", ["Content_Length: 3", "Content.Length: 99", "Transfer_Encoding: chunked"]
)
def test_an_alias_frames_nothing(server, tunnel, alias):
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/echo", tunnel.host, alias, "Content-Length: 5") + b"hello")
        assert viewer.response().json()["body"] == "hello"
        viewer.send(head("GET", "/echo", tunnel.host, alias))
        assert viewer.response().json()["body"] == ""


@pytest.mark.rule("H16", "Q29")
def test_trailers_claim_nothing(server, tunnel):
    with Viewer(server.port) as viewer:
        lines = "".join(f"{line}\r\n" for line in CLAIMS)
        viewer.send(
            head("POST", "/echo", tunnel.host, "Transfer-Encoding: chunked")
            + f"2\r\nhi\r\n0\r\nX-Sum: 1\r\n{lines}\r\n".encode()
        )
        got = viewer.response().json()
    assert names(got["trailers"]) == ["x-sum"]


@pytest.mark.rule("H2", "H16")
@pytest.mark.parametrize("option", ["Content_Length", "X.Forwarded.For", "transfer_encoding"])
def test_connection_names_no_protected_field_in_any_spelling(server, tunnel, option):
    assert fetch(server.port, tunnel.host, "/", f"Connection: {option}").status == 400


# ---- the options ----
@pytest.mark.rule("H17", "H18")
def test_the_operator_decides(new_server, new_client, http_origin):
    server = new_server(
        *("--forward-field", "X-Forwarded-Prefix", "--forward-field", "CF-Connecting-IP"),
        *("--drop-field", "X-Internal-User", "--drop-field", "X-Admin"),
    )
    tunnel = new_client(http_origin.port, server=server)
    got = seen(
        server,
        tunnel,
        *("X-Forwarded-Prefix: /p", "CF-Connecting-IP: 1.2.3.4", "CF_Connecting_IP: 6.6.6.6"),
        *("X-Internal-User: root", "X_Internal.User: root", "x-admin: 1", "X-Real-IP: 6.6.6.6"),
    )
    assert (got["x-forwarded-prefix"], got["cf-connecting-ip"]) == ("/p", "1.2.3.4")
    assert not {
        "cf_connecting_ip",
        "x-internal-user",
        "x_internal.user",
        "x-admin",
        "x-real-ip",
    } & set(got)


# ---- through nginx ----
@pytest.fixture(scope="module", params=["nginx"])
def front(server, tmp_path_factory):
    if not nginx.PROGRAM:
        pytest.skip("nginx is not installed")
    front = Nginx(server, tmp_path_factory.mktemp("nginx"))
    yield front
    front.stop()


@pytest.mark.rule("R19")
@pytest.mark.parametrize("line", STEERING)
def test_nginx_is_not_steered(server, front, scripted, tmp_path, line):
    """Before, one GET with X-Accel-Redirect became eleven requests."""
    asked = []

    def serve(connection):
        asked.append(connection.request()[0])
        connection.body()
        connection.send(reply(b"ok", line, "Connection: close"))

    origin = scripted(serve)
    client = Client(front, origin.port, tmp_path)
    tls = front.certificate.client_context(["http/1.1"])
    got = fetch(front.port, client.host, "/a", method="POST", body=b"x", tls=tls)
    client.stop()
    assert (got.status, got.body, asked) == (200, b"ok", ["POST /a HTTP/1.1"])
    assert not names_of([line]) & set(names(got.fields))


@pytest.mark.rule("H16", "H17", "H18", "H19")
@pytest.mark.parametrize("line", CLAIMS)
def test_no_claim_passes_through_nginx(front, tunnel, line):
    tls = front.certificate.client_context(["http/1.1"])
    got = fetch(front.port, tunnel.host, "/echo", line, tls=tls).json()
    fields = {name.lower(): value for name, value in got["fields"]}
    assert names_of([line]).isdisjoint(fields)
    assert fields["x-forwarded-for"].startswith("127.0.0.1")


@pytest.mark.rule("Q41")
@pytest.mark.parametrize(
    "alias", ["Content_Length: 3", "Content.Length: 99", "Transfer_Encoding: chunked"]
)
def test_an_alias_frames_nothing_through_nginx(front, tunnel, alias):
    tls = front.certificate.client_context(["http/1.1"])
    got = fetch(front.port, tunnel.host, "/echo", alias, method="POST", body=b"hello", tls=tls)
    assert got.json()["body"] == "hello"

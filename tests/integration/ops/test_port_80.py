# SPDX-License-Identifier: MIT
"""Tests port 80: the redirect to https, the challenges of authorities, and the field
Strict-Transport-Security."""

import os
import re
import socket
import ssl
import subprocess

import pytest
from support.acme import Authority, dehydrated
from support.nginx import Behind
from support.programs import BIN, Program, Server
from support.viewer import Viewer, fetch, head

CHALLENGE = "/.well-known/acme-challenge/"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"
HANDSHAKE_FAILURE = b"\x15\x03\x01\x00\x02\x02\x28"


@pytest.fixture(scope="module")
def acme_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("acme")
    (folder / TOKEN).write_text(f"{TOKEN}.thumbprint")
    secret = folder.parent / "secret"
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "below").mkdir()
    (folder / "below" / "file").write_text("below")
    return folder


@pytest.fixture(scope="module")
def open_80(tmp_path_factory, certificate, acme_dir):
    """Starts a server with a port that redirects, and sets its .redirect."""
    server = Server(
        tmp_path_factory.mktemp("server"),
        certificate,
        *("--redirect", "127.0.0.1:0", "--acme-dir", acme_dir, "--workers", 2),
        *("--hsts", "30d"),
    )
    server.redirect = int(server.program.wait_output(r"redirecting.*addr\W+\S*?:(\d+)").group(1))
    yield server
    server.stop()


@pytest.fixture
def tunnel(open_80, new_client, http_origin):
    return new_client(http_origin.port, server=open_80)


# ---- the redirect ----
@pytest.mark.rule("O200")
@pytest.mark.parametrize(
    "host, path, where",
    [
        ("localhost", "/", "https://localhost/"),
        ("demo.localhost:8080", "/a%20b?c=d", "https://demo.localhost/a%20b?c=d"),
        ("Elsewhere.Test.", "/x", "https://Elsewhere.Test/x"),
        ("[::1]:80", "/x", "https://[::1]/x"),
        ("localhost", "/register/name", "https://localhost/register/name"),
        ("localhost", "/.well-known/other", "https://localhost/.well-known/other"),
    ],
)
def test_everything_is_redirected(open_80, host, path, where):
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        answer = fetch(open_80.redirect, host, path, method=method)
        assert (answer.status, answer.get("Location")) == (308, where)
        assert answer.body == b"" and answer.get("Strict-Transport-Security") is None


@pytest.mark.rule("O200")
def test_a_connection_is_kept(open_80, tunnel):
    """Redirects on one connection, also for names that live on other workers."""
    with Viewer(open_80.redirect) as viewer:
        for host in ("localhost", tunnel.host, "unknown.test"):
            assert viewer.get(host, "/x").status == 308
        viewer.send(head("OPTIONS", "*", "localhost"))
        assert viewer.response().get("Location") == "https://localhost/"


@pytest.mark.rule("O200")
def test_what_is_no_request(open_80):
    """TLS is refused by an alert, a malformed request as on every port; HTTP/1.0 without a Host is
    led to the base domain."""
    with socket.create_connection(("127.0.0.1", open_80.redirect), 20) as peer:
        peer.sendall(b"\x16\x03\x01\x00\x10")
        assert peer.recv(100) == HANDSHAKE_FAILURE
    with Viewer(open_80.redirect) as viewer:
        viewer.send(b"GET / HTTP/1.1\r\n\r\n")
        assert viewer.response().status == 400
    with Viewer(open_80.redirect) as viewer:
        viewer.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert viewer.response().get("Location") == "https://localhost/x"


@pytest.mark.rule("O200")
def test_the_port_of_the_public_url(tmp_path, certificate, ended):
    server = Server(
        tmp_path,
        certificate,
        *("--redirect", "127.0.0.1:0", "--public-url", "https://localhost:8443"),
    )
    ended.callback(server.stop)
    port = int(server.program.wait_output(r"redirecting.*addr\W+\S*?:(\d+)").group(1))
    assert fetch(port, "a.localhost:80", "/x").get("Location") == "https://a.localhost:8443/x"


# ---- challenges ----
def ways(server):
    """Returns (port, TLS context) of each way on which challenges are answered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return [(server.redirect, None), (server.port, None), (server.port, context)]


@pytest.mark.rule("O201")
def test_challenges_of_every_host(open_80, tunnel):
    """The file answers for each host on each port, and never the tunnel that has the name."""
    for port, tls in ways(open_80):
        for host in ("localhost", tunnel.host, "nobody.localhost", "app.example.org"):
            answer = fetch(port, host, CHALLENGE + TOKEN, tls=tls)
            assert (answer.status, answer.body.decode()) == (200, f"{TOKEN}.thumbprint")
            assert answer.get("Content-Type") == "application/octet-stream"
            for path in (CHALLENGE + "unknown", CHALLENGE, "/.well-known/pki-validation/x.txt"):
                assert fetch(port, host, path, tls=tls).status == 404
            assert fetch(port, host, CHALLENGE + TOKEN, method="POST", tls=tls).status == 405
    assert fetch(open_80.port, tunnel.host, "/echo").status == 200


@pytest.mark.rule("O201")
def test_challenges_without_a_folder(server, shared_tunnel):
    """Without --acme-dir a tunnel does not answer them either."""
    for path in (CHALLENGE + TOKEN, "/.well-known/pki-validation/x.txt"):
        assert fetch(server.port, shared_tunnel.host, path).status == 404
    assert fetch(server.port, shared_tunnel.host, "/.well-known/other").status == 200


@pytest.mark.rule("O201", "O203")
def test_viewers_of_http2(open_80, tunnel):
    """Challenges and Strict-Transport-Security are the same over HTTP/2."""
    name = tunnel.host.partition(":")[0]
    for path, wanted in ((CHALLENGE + TOKEN, "200"), (CHALLENGE + "x", "404"), ("/echo", "200")):
        result = subprocess.run(
            ["curl", "-sSk", "--http2", "-o", "/dev/null", "-D", "-", "-w", "%{http_version}"]
            + ["--resolve", f"{name}:{open_80.port}:127.0.0.1"]
            + [f"https://{name}:{open_80.port}{path}"],
            capture_output=True,
            text=True,
            timeout=20,
        )
        lines = result.stdout.lower().split("\n")
        assert lines[0].strip() == f"http/2 {wanted}" and lines[-1] == "2", result
        assert lines.count("strict-transport-security: max-age=2592000") == 1


@pytest.mark.rule("O201")
def test_challenges_behind_nginx(open_80, tunnel, tmp_path, ended):
    """What nginx passes on is answered in the same way."""
    front = Behind(open_80, tmp_path)
    ended.callback(front.front.stop)
    for host in (tunnel.host, "localhost"):
        answer = fetch(front.port, host, CHALLENGE + TOKEN)
        assert (answer.status, answer.body.decode()) == (200, f"{TOKEN}.thumbprint")
        assert fetch(front.port, host, CHALLENGE + "unknown").status == 404
    assert fetch(front.port, tunnel.host, "/echo").status == 200


@pytest.fixture
def shared_tunnel(server, shared):
    def answer(connection):
        while connection.head():
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    return shared(answer)


@pytest.mark.rule("O202")
@pytest.mark.parametrize(
    "path",
    ["link", "below", "below/file", "../secret", "..", ".", "%2e%2e/secret", "a\\b", f"{TOKEN}/"],
)
def test_nothing_else_is_read(open_80, path):
    for port, tls in ways(open_80):
        assert fetch(port, "localhost", CHALLENGE + path, tls=tls).status == 404


@pytest.mark.rule("O202")
def test_a_file_that_comes_later(open_80, acme_dir):
    """A client of ACME puts its files there while oneportd runs in its sandbox."""
    late = acme_dir / "late"
    late.write_text("late.thumbprint")
    assert fetch(open_80.redirect, "localhost", CHALLENGE + "late").body == b"late.thumbprint"
    late.unlink()
    assert fetch(open_80.redirect, "localhost", CHALLENGE + "late").status == 404


# ---- Strict-Transport-Security ----
@pytest.mark.rule("O203")
def test_hsts(open_80, tunnel):
    """The field is in answers over TLS: of ours, of tunnels, and errors; and of a proxy's viewers
    that use https."""
    (_, plain), _, (port, tls) = ways(open_80)
    for host, path in (("localhost", "/healthz"), (tunnel.host, "/echo"), ("no.localhost", "/")):
        answer = fetch(port, host, path, tls=tls)
        assert answer.all("Strict-Transport-Security") == ["max-age=2592000"]
        assert fetch(port, host, path).all("Strict-Transport-Security") == []
        proxied = fetch(port, host, path, "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https")
        assert proxied.all("Strict-Transport-Security") == ["max-age=2592000"]


@pytest.mark.rule("O203")
def test_hsts_is_off_by_default(server):
    context = server.certificate.client_context()
    answer = fetch(server.port, "localhost", "/healthz", tls=context)
    assert answer.all("Strict-Transport-Security") == []


# ---- a whole renewal ----
@pytest.mark.rule("O201", "E55", "E56")
def test_a_certificate_by_dehydrated(tmp_path_factory, tmp_path, certificate, ended):
    """dehydrated asks an authority for a certificate. The authority finds the challenge at the port
    that redirects, for a name that a tunnel could have; a deploy hook puts the certificate into
    --cert-dir and sends SIGHUP."""
    acme, certs = tmp_path_factory.mktemp("wellknown"), tmp_path_factory.mktemp("certs")
    server = Program(
        [BIN / "oneportd", "--domain", "example.test", "--listen", "127.0.0.1:0"]
        + ["--redirect", "127.0.0.1:0", "--acme-dir", acme, "--cert-dir", certs]
        + ["--state-dir", tmp_path / "state"],
        tmp_path,
        "oneportd",
    )
    ended.callback(server.stop)
    tls_port = int(server.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1))
    http_port = int(server.wait_output(r"redirecting.*addr\W+\S*?:(\d+)").group(1))
    authority = Authority(tmp_path_factory.mktemp("authority"), certificate, http_port)
    ended.callback(authority.stop)
    result = dehydrated(authority, acme, certs, server.pid, "app.example.test")
    assert result.returncode == 0, result.stdout + result.stderr
    server.wait_output(r"certificate_reloaded .*app\.example\.test\.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with Viewer(tls_port, context, server_hostname="app.example.test") as viewer:
        shown = viewer.socket.getpeercert(binary_form=True)
    text = (certs / "app.example.test.pem").read_text()
    assert shown == ssl.PEM_cert_to_DER_cert(re.match(r"(?s).*?-----END CERTIFICATE-----", text)[0])
    assert os.listdir(acme) == []

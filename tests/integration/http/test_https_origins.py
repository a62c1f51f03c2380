# SPDX-License-Identifier: MIT
"""Tests origins that speak TLS: the name that they are asked for and must have, and what oneport
accepts of old appliances."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from support.origins import answering, reply
from support.programs import run
from support.viewer import fetch
from support.wait import wait_until

SITE = "site.test"


@pytest.fixture(scope="module")
def of_site(authority):
    return authority.issue("of-site", SITE, "*.apps.test", "IP:192.0.2.9")


@pytest.fixture
def site(scripted, of_site):
    """Starts an origin with the certificate of another name than its address. The origin has the
    names that it was asked for as .asked."""
    asked = []
    tls = of_site.server_context()
    tls.sni_callback = lambda connection, name, context: asked.append(name)
    origin = scripted(answering(reply(b"over tls")), tls=tls)
    origin.asked = asked
    origin.url = f"https://127.0.0.1:{origin.port}"
    return origin


NAMES = [
    # options, the name of SNI, whether the certificate has it
    (("--host-header", SITE), SITE, True),
    (("--host-header", f"{SITE}:8443"), SITE, True),
    (("--host-header", "SITE.test."), SITE, True),
    (("--host-header", "a.apps.test"), "a.apps.test", True),
    (("--host-header", "192.0.2.9"), None, True),
    (("--host-header", "other.test"), "other.test", False),
    (("--local-name", SITE), SITE, True),
    (("--local-name", SITE, "--host-header", "other.test"), SITE, True),
    (("--local-name", SITE, "--host-header", "rewrite"), SITE, True),
    (("--local-name", "other.test", "--host-header", SITE), "other.test", False),
    (("--local-name", "192.0.2.9"), None, True),
    (("--host-header", "rewrite"), None, False),
    ((), None, False),
]


@pytest.mark.rule("D32")
@pytest.mark.parametrize(
    "options,name,good", NAMES, ids=[" ".join(row[0]) or "neither" for row in NAMES]
)
def test_the_name_of_an_origin(server, new_client, site, of_site, options, name, good):
    client = new_client(site.url, "--local-ca", of_site.ca, *options)
    got = fetch(server.port, client.host)
    assert site.asked == [name]
    if good:
        assert (got.status, got.body) == (200, b"over tls")
    else:
        assert (got.status, got.get("Proxy-Status")) == (502, "oneport; error=tls_alert_received")


@pytest.mark.rule("D32")
def test_a_bare_port_with_a_name(server, new_client, site, of_site):
    client = new_client(site.port, "--local-https", "--local-ca", of_site.ca, "--local-name", SITE)
    assert fetch(server.port, client.host).body == b"over tls"


@pytest.mark.rule("D32")
def test_an_ipv6_origin_with_a_name(server, new_client, ended, of_site):
    """A name does not change what is dialled."""
    context = of_site.server_context()
    listener = ended.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    client = new_client(
        f"https://[::1]:{listener.getsockname()[1]}",
        *("--local-ca", of_site.ca, "--local-name", SITE, "--connect-timeout", "1s"),
    )
    listener.settimeout(10)

    def serve():
        with context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    assert fetch(server.port, client.host).status == 200
    thread.join()


@pytest.mark.rule("D32")
@pytest.mark.parametrize("name", ["", "site.test:443", "[::1]:443", "a b", "a/b", "[::1"])
def test_no_name(name):
    code, _, log = run("oneport", "-h", "localhost:1", "--local-name", name, "https://localhost:1")
    assert code == 1 and "--local-name" in log


# ---- old appliances
OLD = [
    # rule, options of openssl s_server
    ("D33 TLS 1.0", ("-tls1", "-cipher", "ALL:@SECLEVEL=0")),
    ("D33 TLS 1.1", ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")),
    ("D33 TLS 1.2 CBC", ("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")),
    ("D33 TLS 1.2 static RSA", ("-tls1_2", "-cipher", "AES256-GCM-SHA384:@SECLEVEL=0")),
    ("D33 TLS 1.0 DHE", ("-tls1", "-cipher", "DHE-RSA-AES128-SHA:@SECLEVEL=0")),
    ("D33 no RFC 5746", ("-tls1", "-cipher", "ALL:@SECLEVEL=0", "-legacy_renegotiation")),
    ("D33 today", ("-tls1_3", "-cipher", "ALL:@SECLEVEL=0")),
]


@pytest.fixture(scope="module")
def old_pair(tmp_path_factory):
    """Makes a key of 1,024 bits and a certificate of SHA-1 that has ended long ago."""
    directory = tmp_path_factory.mktemp("old")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:1024", "-sha1", "-nodes", "-days", "1"]
        + ["-subj", "/CN=appliance", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return cert, key


@contextlib.contextmanager
def appliance(pair, options):
    """Runs openssl s_server as an origin. Returns its port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet"]
    command += ["-cert", pair[0], "-key", pair[1], *options]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True

    try:
        wait_until(listens, what="openssl s_server")
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
@pytest.mark.parametrize("options", [pytest.param(options, id=rule) for rule, options in OLD])
def test_an_old_appliance(server, new_client, old_pair, options):
    with appliance(old_pair, options) as port:
        client = new_client(f"https://127.0.0.1:{port}", "--allow-invalid-cert")
        got = fetch(server.port, client.host)
        assert got.status == 200 and b"s_server" in got.body
        if options[0] != "-tls1_3":  # who does not ask for it, does not get it
            strict = new_client(f"https://127.0.0.1:{port}", "--local-ca", old_pair[0])
            assert fetch(server.port, strict.host).status == 502


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.rule("D33")
def test_the_link_stays_strict(new_client, authority, scripted):
    """--allow-invalid-cert is about the origin."""
    tls = authority.issue("old-server", "localhost").server_context()
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1
    server = scripted(answering(reply(b"{}")), tls=tls)
    code, _, log = run(
        "oneport",
        *("-h", f"https://localhost:{server.port}", "--ca", authority.cert, "--max-retries", "1"),
        *("--allow-invalid-cert", "3000"),
    )
    assert code != 0 and "step=TLS" in log


# ---- what names the origin in an answer
@pytest.mark.rule("R15")
@pytest.mark.parametrize("field", ["Location", "Content-Location"])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_reference_without_a_scheme(server, new_client, ended, field, host):
    family = socket.AF_INET6 if host == "[::1]" else socket.AF_INET
    listener = ended.enter_context(
        socket.create_server(
            ("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family
        )
    )
    base = f"{host}:{listener.getsockname()[1]}"
    client = new_client(base, "--host-header", "rewrite")

    def serve():
        with listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
                + f"{field}: //{base}/a?b#c\r\n\r\n".encode()
            )

    thread = threading.Thread(target=serve)
    thread.start()
    got = fetch(server.port, client.host)
    thread.join()
    assert got.get(field) == f"//{client.host}/a?b#c"

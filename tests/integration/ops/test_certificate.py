# SPDX-License-Identifier: MIT
"""Tests what oneportd tells about its certificate, which TLS it speaks, and what happens to TLS on
a port without a certificate."""

import contextlib
import re
import shutil
import signal
import socket
import ssl

import pytest
from support.programs import BIN, Program, Server
from support.viewer import fetch
from support.wait import wait_until

HANDSHAKE_FAILURE = b"\x15\x03\x01\x00\x02\x02\x28"


class Files:
    """Has the files that a server is started with. put() copies a certificate there."""

    def __init__(self, directory, authority):
        self.cert, self.key, self.ca = (
            directory / "used.crt",
            directory / "used.key",
            authority.cert,
        )

    def put(self, certificate):
        shutil.copy(certificate.cert, self.cert)
        shutil.copy(certificate.key, self.key)
        self.key.chmod(0o600)
        return self

    def client_context(self, alpn=None):
        context = ssl.create_default_context(cafile=str(self.ca))
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


@pytest.fixture
def files(tmp_path_factory, authority):
    return Files(tmp_path_factory.mktemp("files"), authority)


@pytest.fixture
def start(tmp_path_factory, ended):
    def start(certificate, *options):
        server = Server(tmp_path_factory.mktemp("looked-at"), certificate, *options)
        ended.callback(server.stop)
        return server

    return start


def days_left(server):
    context = server.certificate.client_context()
    return fetch(server.port, "localhost", "/api/status", tls=context).json()[
        "certificate_days_left"
    ]


WARNINGS = re.compile(r"(certificate_(?:lacks_name|expire\w+|not_yet\w+)|tls_key_readable)")


@pytest.mark.rule("F42")
@pytest.mark.parametrize(
    "names,issued,mode,want,left",
    [
        (("localhost", "*.localhost"), {}, 0o600, [], 79),
        (("localhost", "*.localhost"), {"days": 15}, 0o640, [], 14),
        (
            ("localhost", "*.localhost"),
            {"days": 14},
            0o600,
            ["certificate_expires_soon .*days_left=1[34]"],
            13,
        ),
        (("localhost", "*.localhost"), {"at": "-5d"}, 0o600, ["certificate_expired"], -4),
        (
            ("localhost", "*.localhost"),
            {"at": "+5d", "days": 30},
            0o600,
            ["certificate_not_yet_valid"],
            34,
        ),
        (("localhost",), {}, 0o600, [r"certificate_lacks_name .*name=\*\.localhost"], 79),
        (("*.localhost",), {}, 0o600, ["certificate_lacks_name .*name=localhost"], 79),
        (
            ("IP:127.0.0.1",),
            {"subject": "localhost"},
            0o600,
            ["certificate_lacks_name .*name=localhost", r"certificate_lacks_name .*name=\*"],
            79,
        ),
        (("localhost", "*.localhost"), {}, 0o644, ["tls_key_readable"], 79),
    ],
    ids=[
        "good",
        "15 days, key of a group",
        "14 days",
        "expired",
        "early",
        "no wildcard",
        "no domain",
        "subject only",
        "key of everybody",
    ],
)
def test_the_certificate_is_looked_at(
    authority, certificate, files, start, names, issued, mode, want, left
):
    """The same lines appear at the start, and at SIGHUP when the certificate has become like
    this. `certificate_days_left` counts the days."""
    judged = authority.issue(f"looked-at-{mode:o}-{len(names)}-{left}", *names, **issued)
    first = files.put(judged)
    files.key.chmod(mode)
    server = start(first)

    def judge(text):
        lines = [line for line in text.splitlines() if WARNINGS.search(line)]
        assert len(lines) == len(want), text
        for pattern in want:
            assert any(re.search(pattern, line) for line in lines), text

    wait_until(lambda: len(WARNINGS.findall(server.log)) == len(want), 10, "the warnings")
    judge(server.log)
    assert days_left(server) in (left, left + 1)
    # A good one and then this one again, without a restart.
    for number, pair in enumerate((certificate, judged)):
        files.put(pair)
        if pair is judged:
            files.key.chmod(mode)
        before = len(server.log)
        server.program.signal(signal.SIGHUP)
        server.wait_log("reloaded signal=1", count=number + 1)
        said = server.log[before:]
        if pair is judged:
            judge(said)
        else:
            assert not WARNINGS.search(said), said


@pytest.mark.rule("F41")
@pytest.mark.parametrize(
    "ciphers,accepted",
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA256", False),
        ("ECDHE-ECDSA-AES256-SHA:AES128-SHA:AES256-SHA256:DHE-RSA-AES128-GCM-SHA256", False),
    ],
)
def test_tls_1_2_has_forward_secrecy_and_authenticated_encryption(server, ciphers, accepted):
    context = server.certificate.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        if accepted:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                assert secure.version() == "TLSv1.2"
        else:
            with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
                context.wrap_socket(plain, server_hostname="localhost")


def resumes(context, port, session):
    """Makes a connection with @session. Returns (whether it was resumed, the next session)."""
    with socket.create_connection(("127.0.0.1", port)) as peer:
        with context.wrap_socket(peer, server_hostname="localhost", session=session) as secure:
            secure.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while secure.recv(4096):
                pass  # the tickets come before the answer
            return secure.session_reused, secure.session


@pytest.mark.rule("F44")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_every_worker_and_after_a_reload(
    authority, certificate, files, start, version
):
    server = start(files.put(certificate), "--workers", "4")
    context = certificate.client_context()
    context.minimum_version = context.maximum_version = version
    resumed, session = resumes(context, server.port, None)
    assert not resumed
    for _ in range(12):
        resumed, session = resumes(context, server.port, session)
        assert resumed
    files.put(authority.issue("renewed", "localhost", "*.localhost"))
    server.program.signal(signal.SIGHUP)
    server.wait_log("reloaded signal=1")
    resumed, session = resumes(context, server.port, session)
    assert resumed


@pytest.mark.rule("E21")
def test_a_resumed_connection_brings_a_session_of_its_own(certificate, files, start):
    server = start(files.put(certificate))
    context = certificate.client_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    resumed, session = resumes(context, server.port, None)
    used = {session.id}
    for count in range(2, 8):
        resumed, session = resumes(context, server.port, session)
        used.add(session.id)
        assert resumed and len(used) == count


@pytest.fixture
def plain(tmp_path, ended):
    """Starts a server without a certificate. Returns (program, port)."""
    program = Program(
        [
            *(BIN / "oneportd", "--domain", "localhost", "--listen", "127.0.0.1:0"),
            *("--state-dir", tmp_path / "state", "--access-log", "off"),
        ],
        tmp_path,
        "oneportd",
    )
    ended.callback(program.stop)
    port = int(program.wait_output(r"listening.*addr=\S*?:(\d+)").group(1))
    return program, port


@pytest.mark.rule("F40")
def test_tls_on_a_port_without_a_certificate(plain, authority, tmp_path, ended):
    """The start says so. A client hears why, any TLS program gets an alert, and the log has one
    line a second. Plain HTTP works as before."""
    program, port = plain
    program.wait_output("no_certificate .*clients cannot attach directly")
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as peer:
            with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
                ssl.create_default_context().wrap_socket(peer, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(b"\x16\x03\x01" + b"\x00" * 20000)  # more than the gate has read
        got = b""
        with contextlib.suppress(ConnectionError):
            while some := peer.recv(100):
                got += some
        assert got == HANDSHAKE_FAILURE
    program.wait_output('tls_refused viewer=127.0.0.1 reason="this server has no certificate"')
    lines = [line for line in program.log.splitlines() if "tls_refused" in line]
    assert len(lines) < 20
    assert fetch(port, "localhost", "/healthz").status == 200
    client = Program(
        [BIN / "oneport", "-h", f"https://localhost:{port}", "--ca", authority.cert, "8080"],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path},
    )
    ended.callback(client.stop)
    client.wait_output("not_connected .*step=TLS .*the server speaks no TLS on this port")


@pytest.mark.rule("F40")
def test_a_plain_web_server_is_no_tunnel_server(authority, scripted, tmp_path, ended):
    web = scripted(lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    client = Program(
        [
            *(BIN / "oneport", "-h", f"https://localhost:{web.port}"),
            *("--ca", authority.cert, "8080"),
        ],
        tmp_path,
        "oneport",
        env={"XDG_STATE_HOME": tmp_path},
    )
    ended.callback(client.stop)
    client.wait_output("not_connected .*step=TLS .*the server speaks no TLS on this port")

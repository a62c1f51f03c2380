# SPDX-License-Identifier: MIT
"""Tests several certificates: which one a connection gets, and what SIGHUP reads anew."""

import json
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from support.programs import BIN, Program, Server
from support.viewer import Viewer, fetch
from support.wait import wait_until

HANDSHAKE_FAILURE = b"\x15\x03\x01\x00\x02\x02\x28"


class Folder:
    """Is a folder for --cert-dir, with certificates of one authority."""

    def __init__(self, path, authority):
        self.path, self.authority = path, authority
        self.issued = {}

    def put(self, file, *names, **options):
        """Issues a certificate for @names, and puts it with its key into @file at once."""
        issued = self.authority.issue(file, *names, **options)
        new = self.path / f".{file}.new"
        new.write_bytes(issued.cert.read_bytes() + issued.key.read_bytes())
        new.chmod(0o600)
        new.rename(self.path / f"{file}.pem")
        self.issued[file] = issued
        return issued

    def der(self, file):
        return ssl.PEM_cert_to_DER_cert(self.issued[file].cert.read_text())


@pytest.fixture
def folder(tmp_path_factory, authority):
    return Folder(tmp_path_factory.mktemp("certificates"), authority)


@pytest.fixture
def start(tmp_path_factory, certificate, ended):
    def start(folder, *options):
        server = Server(
            tmp_path_factory.mktemp("several"),
            certificate,
            *("--cert-dir", folder.path, "--workers", 2),
            *options,
        )
        ended.callback(server.stop)
        return server

    return start


def insecure():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown(server, name):
    """Returns the certificate that a connection gets which asks for @name."""
    with Viewer(server.port, insecure(), server_hostname=name) as viewer:
        return viewer.socket.getpeercert(binary_form=True)


def der_of(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())


def hup(server):
    done = server.log.count("reloaded signal=1")
    server.program.signal(signal.SIGHUP)
    server.wait_log("reloaded signal=1", count=done + 1)


def s_client(server, name, *options):
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", name]
        + [str(option) for option in options],
        input="GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=20,
    )
    return result.stdout + result.stderr


@pytest.mark.rule("E54")
def test_each_name_has_its_certificate(start, folder, certificate):
    """Exact before wildcard, wildcard before the first one; curl verifies each of them."""
    folder.put("app.example.org", "app.example.org")
    folder.put("_.example.org", "*.example.org", "example.org")
    server = start(folder)
    wanted = {
        "app.example.org": folder.der("app.example.org"),
        "other.example.org": folder.der("_.example.org"),
        "example.org": folder.der("_.example.org"),
        "localhost": der_of(certificate),
        "a.b.example.org": der_of(certificate),
        "unknown.test": der_of(certificate),
    }
    assert {name: shown(server, name) for name in wanted} == wanted
    assert shown(server, None) == der_of(certificate)
    for name in ("app.example.org", "other.example.org", "localhost"):
        asked = subprocess.run(
            ["curl", "-sS", "-o", "/dev/null", "-w", "%{ssl_verify_result}"]
            + ["--cacert", certificate.ca, "--resolve", f"{name}:{server.port}:127.0.0.1"]
            + [f"https://{name}:{server.port}/"],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (asked.returncode, asked.stdout, asked.stderr) == (0, "0", "")
    assert "certificate_lacks_name" not in server.log


@pytest.mark.rule("E54")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_are_shared(start, folder, tmp_path, version):
    """A session that began under one certificate is resumed under another name."""
    folder.put("app.example.org", "app.example.org")
    server = start(folder)
    session = tmp_path / "session"
    first = s_client(server, "localhost", version, "-ign_eof", "-sess_out", session)
    assert "New, TLS" in first and session.exists(), first
    assert "Reused, TLS" in s_client(
        server, "app.example.org", version, "-ign_eof", "-sess_in", session
    )


@pytest.mark.rule("E54")
def test_pairs_of_the_command_line(start, folder, authority, certificate):
    """--cert and --key may be given several times. The first of them is for all other names."""
    other = authority.issue("pair", "pair.test")
    server = start(folder, "--cert", other.cert, "--key", other.key)
    assert shown(server, "pair.test") == der_of(other)
    assert shown(server, "unknown.test") == der_of(certificate)


def status(server):
    return json.loads(fetch(server.port, "localhost", "/api/status").body)


@pytest.mark.rule("E55")
def test_a_reload_reads_the_folder_again(start, folder, certificate):
    """A new file is served, a renewed one is exchanged, a removed one is gone, and a bad one is
    named and leaves what it was. Everything happens behind the sandbox."""
    old = der_of(folder.put("kept.test", "kept.test"))
    folder.put("gone.test", "gone.test")
    server = start(folder)
    assert status(server)["certificates"] == 3 and status(server)["certificate_days_left"] > 70

    (folder.path / "kept.test.pem").write_text("nothing\n")
    (folder.path / "gone.test.pem").unlink()
    folder.put("new.test", "new.test", days=20)
    hup(server)
    assert shown(server, "kept.test") == old
    assert shown(server, "gone.test") == der_of(certificate)
    assert shown(server, "new.test") == folder.der("new.test")
    server.wait_log(r"certificate_not_reloaded reason=.*kept\.test\.pem")
    assert server.log.count("certificate_not_reloaded") == 1
    assert status(server)["certificates"] == 3 and status(server)["certificate_days_left"] < 21

    folder.put("kept.test", "kept.test")
    hup(server)
    assert shown(server, "kept.test") == folder.der("kept.test") != old
    assert server.log.count("certificate_not_reloaded") == 1


@pytest.mark.rule("E55")
def test_a_folder_that_is_gone_changes_nothing(start, folder):
    folder.put("kept.test", "kept.test")
    server = start(folder)
    moved = folder.path.with_suffix(".moved")
    folder.path.rename(moved)
    hup(server)
    server.wait_log(r"certificate_not_reloaded reason=.*cannot read")
    assert shown(server, "kept.test") == folder.der("kept.test")


@pytest.mark.rule("E55")
def test_links_that_lead_out_of_the_folder(start, folder, tmp_path_factory):
    """A file of the folder may be a link, as certbot makes them, to a file that is renewed."""
    elsewhere = tmp_path_factory.mktemp("archive") / "link.pem"
    folder.put("link.test", "link.test")
    shutil.move(folder.path / "link.test.pem", elsewhere)
    (folder.path / "link.test.pem").symlink_to(elsewhere)
    server = start(folder)
    assert shown(server, "link.test") == folder.der("link.test")
    folder.put("next.test", "link.test")
    shutil.move(folder.path / "next.test.pem", elsewhere)
    hup(server)
    assert shown(server, "link.test") == folder.der("next.test")


@pytest.mark.rule("E56")
def test_a_bad_file_at_the_start(start, folder):
    """It is named, and the others are served. A file that lacks the name of its own is named."""
    folder.put("good.test", "good.test")
    folder.put("misnamed.test", "other.test")
    (folder.path / "bad.test.pem").write_text("nothing\n")
    (folder.path / ".hidden.pem").write_text("nothing\n")
    (folder.path / "notes.txt").write_text("nothing\n")
    server = start(folder)
    server.wait_log(r"certificate_not_loaded reason=.*bad\.test\.pem")
    server.wait_log(r"certificate_lacks_name cert=\S*misnamed.test.pem name=misnamed.test")
    assert shown(server, "good.test") == folder.der("good.test")
    assert server.log.count("certificate_not_loaded") == 1


@pytest.fixture
def only_folder(tmp_path, ended):
    """Starts oneportd with the certificates of a folder alone."""

    def start(folder, *options):
        program = Program(
            [BIN / "oneportd", "--domain", "localhost", "--listen", "127.0.0.1:0"]
            + ["--state-dir", tmp_path / "state", "--cert-dir", folder.path, *options],
            tmp_path,
            "oneportd",
        )
        ended.callback(program.stop)
        program.port = int(program.wait_output(r"listening.*addr\W+\S*?:(\d+)").group(1))
        return program

    return start


@pytest.mark.rule("E56")
def test_an_empty_folder(only_folder, folder):
    """The server starts without a certificate, so that the first one can be asked for by its own
    port 80. Until then TLS is refused."""
    program = only_folder(folder)
    program.wait_output("no_certificate")
    with socket.create_connection(("127.0.0.1", program.port), 20) as peer:
        peer.sendall(b"\x16\x03\x01\x00\x10")
        assert peer.recv(100) == HANDSHAKE_FAILURE
    folder.put("second", "second.test")
    folder.put("default", "localhost", "*.localhost")
    program.signal(signal.SIGHUP)
    program.wait_output(r"certificate_reloaded .*certificates=2")
    assert shown(program, "unknown.test") == folder.der("default")
    assert shown(program, "second.test") == folder.der("second")


@pytest.mark.rule("E56")
def test_check_looks_at_all(folder, tmp_path):
    folder.put("default", "localhost", "*.localhost")
    folder.put("old.test", "old.test", at="-5d")
    (folder.path / "bad.test.pem").write_text("nothing\n")
    result = subprocess.run(
        [BIN / "oneportd", "--check", "--domain", "localhost", "--listen", "127.0.0.1:0"]
        + ["--cert-dir", folder.path, "--state-dir", tmp_path / "state"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("FAULT") and "bad.test.pem" in line for line in lines), result.stdout
    assert any(line.startswith("FAULT") and "old.test.pem ended at" in line for line in lines)
    assert any(line.startswith("ok") and "default.pem is valid until" in line for line in lines)
    assert not any("is not for" in line for line in lines)


@pytest.mark.rule("E56")
@pytest.mark.parametrize("missing", ["folder", "pair"])
def test_what_stops_the_start(authority, folder, tmp_path, missing):
    """A folder that is not there, and a bad pair of the command line."""
    issued = authority.issue("stop", "localhost")
    options = {
        "folder": ["--cert-dir", tmp_path / "none"],
        "pair": ["--cert", issued.cert, "--key", issued.cert],
    }[missing]
    result = subprocess.run(
        [BIN / "oneportd", "--domain", "localhost", "--listen", "127.0.0.1:0", *options]
        + ["--state-dir", tmp_path / "state"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1 and ("none" in result.stderr or "stop" in result.stderr)


def test_old_connections_go_on(start, folder):
    """Connections that have begun keep the certificate that they have seen."""
    folder.put("long.test", "long.test")
    server = start(folder)
    with Viewer(server.port, insecure(), server_hostname="long.test") as viewer:
        (folder.path / "long.test.pem").unlink()
        hup(server)
        wait_until(lambda: shown(server, "long.test") != folder.der("long.test"), 10, "it is gone")
        assert viewer.get("localhost", "/healthz").status == 200

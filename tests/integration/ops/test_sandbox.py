# SPDX-License-Identifier: MIT
"""Tests that both programs give up what they do not need, and that what they open later still
works: certificates, logs, the state directory, unix sockets, names, tickets."""

import os
import pathlib
import signal
import socket
import ssl
import threading
import time

import pytest
from support.foreign import register
from support.programs import VARIANT, Program, Server, run
from support.viewer import Viewer, fetch
from support.wait import wait_until

USAGE = 1
STRICT = 2  # of Seccomp in /proc/PID/status: a filter
pytestmark = pytest.mark.skipif(VARIANT != "release", reason="this build has no sandbox")


def status_of(pid, field, thread=None):
    path = pathlib.Path(f"/proc/{pid}/task/{thread or pid}/status")
    for line in path.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return line.split()[1]
    raise AssertionError(field)


def has_all(log):
    return "sandbox files=true ports=true calls=true" in log


def needs_all(server):
    if not has_all(server.log):
        pytest.skip("this kernel has no Landlock for ports, or no seccomp")


@pytest.mark.rule("O123", "O125")
def test_every_thread_is_in_the_sandbox(new_server):
    server = new_server("--workers", "3")
    needs_all(server)
    threads = os.listdir(f"/proc/{server.program.pid}/task")
    assert len(threads) >= 4  # three workers and the names file
    for thread in threads:
        assert status_of(server.program.pid, "Seccomp", thread) == str(STRICT)
        assert status_of(server.program.pid, "NoNewPrivs", thread) == "1"


@pytest.mark.rule("O123")
def test_other_processes_of_the_user_cannot_look_inside(new_server):
    """The files of a process that is not dumpable belong to root, whoever runs it."""
    server = new_server()
    needs_all(server)
    look = Program(
        ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "cat"]
        + [f"/proc/{server.program.pid}/mem"],
        server.directory,
        "look",
    )
    assert look.wait() != 0 and "denied" in look.log


def relink(path, target):
    fresh = path.with_suffix(".fresh")
    fresh.symlink_to(target)
    fresh.rename(path)


class Archive:
    """Keeps pairs as certbot does: live/cert.pem is a link into archive/, where each renewal adds a
    pair. Server uses it as a certificate."""

    def __init__(self, directory, authority):
        self.pairs = [authority.issue(f"cage-{n}", "localhost", "*.localhost") for n in range(2)]
        self.live, self.archive = directory / "live", directory / "archive"
        self.live.mkdir()
        self.archive.mkdir()
        self.cert, self.key = self.live / "cert.pem", self.live / "key.pem"
        self.ca = authority.cert
        self.put(0)

    def put(self, number):
        for kind, link in (("cert", self.cert), ("key", self.key)):
            file = self.archive / f"{kind}{number}.pem"
            file.write_bytes(getattr(self.pairs[number], kind).read_bytes())
            relink(link, file)

    def client_context(self, alpn=None):
        return self.pairs[0].client_context(alpn)

    def der(self, number):
        return ssl.PEM_cert_to_DER_cert(self.pairs[number].cert.read_text())


def shown(server):
    with Viewer(server.port, server.certificate.client_context()) as viewer:
        return viewer.socket.getpeercert(binary_form=True)


@pytest.mark.rule("O124")
def test_certificates_are_renewed_by_a_link(tmp_path, authority, ended):
    archive = Archive(tmp_path, authority)
    server = Server(tmp_path, archive, "--sandbox", "on")
    ended.callback(server.stop)
    assert shown(server) == archive.der(0)
    archive.put(1)
    server.program.signal(signal.SIGHUP)
    server.wait_log(" reloaded signal=1")
    assert shown(server) == archive.der(1)
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    relink(archive.cert, archive.pairs[0].cert.rename(outside / "cert.pem"))
    server.program.signal(signal.SIGHUP)
    server.wait_log("certificate_not_reloaded.*ermission denied")
    assert shown(server) == archive.der(1)


@pytest.mark.rule("O124")
def test_logs_and_names_are_written_on(new_server, name):
    server = new_server("--sandbox", "on")
    fetch(server.port, "localhost", "/healthz")
    log = server.directory / "access.log"
    log.rename(log.with_suffix(".1"))
    server.program.signal(signal.SIGUSR1)
    server.wait_log("logs_reopened")
    wait_until(
        lambda: fetch(server.port, "localhost", "/healthz") and server.access_log, what="a line"
    )
    register(server, name)
    wait_until(lambda: f"{name} " in server.saved_names, what="the name in the file")
    time.sleep(1.1)
    (server.directory / "state" / "names").unlink()
    register(server, name + "-2")
    wait_until(lambda: f"{name}-2 " in server.saved_names, what="a file that was made anew")


@pytest.mark.rule("O124")
def test_a_unix_socket_is_removed_at_the_end(new_server, tmp_path):
    socket = tmp_path / "s.sock"
    server = new_server("--listen", f"unix:{socket}", "--sandbox", "on")
    assert socket.exists()
    server.stop()
    assert not socket.exists()


@pytest.mark.rule("O127")
def test_off_gives_nothing_up(new_server):
    server = new_server("--sandbox", "off")
    assert status_of(server.program.pid, "Seccomp") == "0"
    assert status_of(server.program.pid, "NoNewPrivs") == "0"
    assert "sandbox" not in server.log


@pytest.mark.rule("O127")
def test_a_wrong_mode(tmp_path):
    code, _, err = run("oneportd", "--domain", "localhost", "--sandbox", "maybe")
    assert code == USAGE and "auto, on or off" in err


# ---- the client
def in_the_sandbox(client):
    """Waits until all threads of the client are in the sandbox."""
    client.program.wait_output("sandbox files=")
    if not has_all(client.log):
        pytest.skip("this kernel has no Landlock for ports, or no seccomp")
    threads = os.listdir(f"/proc/{client.program.pid}/task")
    assert len(threads) >= 2  # the loop and the resolver
    for thread in threads:
        assert status_of(client.program.pid, "Seccomp", thread) == str(STRICT)
        assert status_of(client.program.pid, "NoNewPrivs", thread) == "1"


def answers(client, server):
    return fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("O128")
def test_a_client_in_the_sandbox_comes_back(new_server, new_client, http_origin):
    """It asks for names, dials, attaches and writes its tickets as before."""
    server = new_server()
    client = new_client(f"localhost:{http_origin.port}", "--sandbox", "on", server=server)
    in_the_sandbox(client)
    assert answers(client, server)
    tickets = client.state / "oneport" / "tickets.json"
    before = tickets.read_text()
    server.kill9()
    for path in (server.directory / "state").iterdir():
        path.unlink()  # its keys too, so the client has to ask for a ticket again
    server.start()
    server.wait_link(client.name, 1, deadline_s=20)
    assert answers(client, server)
    wait_until(lambda: tickets.read_text() != before, what="the new ticket in the file")
    assert client.log.count("sandbox files=") == 1


@pytest.mark.rule("O128")
def test_a_unix_origin_is_reached_from_the_sandbox(new_server, new_client, tmp_path):
    path = tmp_path / "app.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    client = new_client(f"unix:{path}", "--sandbox", "on", server=(server := new_server()))
    in_the_sandbox(client)

    def serve():
        connection, _ = listener.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    assert fetch(server.port, client.host, "/").status == 204


@pytest.mark.rule("O128", "O190")
def test_a_browser_is_opened_by_a_process_outside(new_server, new_client, http_origin, tmp_path):
    opened = tmp_path / "opened"
    opener = tmp_path / "bin" / "xdg-open"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\nenv | grep ^ONEPORT_ >{opened}.knows\necho "$1" >>{opened}\n')
    opener.chmod(0o755)
    client = new_client(
        http_origin.port,
        *("--open", "--sandbox", "on"),
        server=new_server(),
        env={"PATH": f"{opener.parent}:/usr/bin:/bin", "ONEPORT_AUTH": "ann:secret"},
    )
    in_the_sandbox(client)
    wait_until(
        lambda: opened.exists() and opened.read_text() == f"{client.url}\n", what="a browser"
    )
    assert (tmp_path / "opened.knows").read_text() == ""


@pytest.mark.rule("O127", "O128")
def test_off_gives_nothing_of_the_client_up(new_server, new_client, http_origin):
    client = new_client(http_origin.port, "--sandbox", "off", server=new_server())
    assert status_of(client.program.pid, "Seccomp") == "0"
    assert "sandbox" not in client.log

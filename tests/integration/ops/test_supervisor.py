# SPDX-License-Identifier: MIT
"""Tests what both programs tell the supervisor that started them: a socket of the test stands for
that of systemd."""

import socket

import pytest


class Supervisor:
    """Has the socket that NOTIFY_SOCKET names."""

    def __init__(self, path, watchdog_ms=0):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)
        self.env = {"NOTIFY_SOCKET": path}
        if watchdog_ms:
            self.env["WATCHDOG_USEC"] = watchdog_ms * 1000

    def wait(self, message):
        """Waits for @message and returns what came before it."""
        heard = []
        while True:
            heard.append(self.socket.recv(4096).decode())
            if heard[-1] == message:
                return heard[:-1]


@pytest.mark.rule("O140")
def test_a_server_tells_that_it_is_ready_and_stops(tmp_path, new_server):
    supervisor = Supervisor(tmp_path / "notify")
    server = new_server(env=supervisor.env)
    assert supervisor.wait("READY=1") == []
    with socket.create_connection(("127.0.0.1", server.port), 5):
        pass
    server.stop()
    assert supervisor.wait("STOPPING=1") == []


@pytest.mark.rule("O140")
def test_a_client_tells_that_its_url_works(tmp_path, server, new_client, http_origin):
    supervisor = Supervisor(tmp_path / "notify")
    client = new_client(http_origin.port, env=supervisor.env)
    assert supervisor.wait("READY=1") == []
    client.stop()
    supervisor.wait("STOPPING=1")


@pytest.mark.rule("O141")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_server_shows_that_its_workers_act(workers, tmp_path, new_server):
    supervisor = Supervisor(tmp_path / "notify", watchdog_ms=200)
    new_server("--workers", workers, env=supervisor.env)
    supervisor.wait("READY=1")
    for _ in range(3):
        supervisor.wait("WATCHDOG=1")


@pytest.mark.rule("O140")
def test_a_supervisor_that_is_gone_is_no_trouble(tmp_path, new_server):
    server = new_server(env={"NOTIFY_SOCKET": tmp_path / "nobody", "WATCHDOG_USEC": "100000"})
    server.stop()

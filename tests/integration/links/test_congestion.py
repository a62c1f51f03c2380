# SPDX-License-Identifier: MIT
"""The TCP connection of a link: who chooses its congestion control (G26), and that nobody fixes its
buffers (G27)."""

import pathlib
import socket

import pytest
from support import descriptors
from support.viewer import fetch

BUF_LOCK = 72  # SO_BUF_LOCK, Linux 5.14: whether a program has set the sizes of the buffers
REFUSED = "congestion_refused"


def control(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


def usual():
    return pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def other():
    """Returns a congestion control that every user may choose and that is not the usual one."""
    allowed = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control").read_text().split()
    return next((name for name in allowed if name != usual()), None)


@pytest.fixture
def link(new_server, new_client, http_origin):
    """Returns link(*options), which starts both programs with them, sends a request and a body, and
    returns (server, client, [(socket of the server, socket of the client) of each link])."""

    def start(*options):
        server = new_server(*options)
        client = new_client(http_origin.port, *options, server=server)
        assert len(fetch(server.port, client.host, f"/bytes/{10**6}").body) == 10**6
        pairs = descriptors.between(server.program, client.program)
        if not pairs:
            pytest.skip("the system does not show the sockets of other programs")
        return server, client, pairs

    return start


def test_both_programs_choose(link):
    if not (name := other()):
        pytest.skip("there is one congestion control alone")
    server, client, pairs = link("--congestion", name)
    for pair in pairs:
        assert [control(sock) for sock in pair] == [name, name]
        for sock in pair:
            sock.close()
    assert REFUSED not in server.log + client.log


def test_the_kernel_chooses_and_sizes_the_buffers(link):
    _, _, pairs = link()
    for pair in pairs:
        for sock in pair:
            assert control(sock) == usual()
            try:
                assert sock.getsockopt(socket.SOL_SOCKET, BUF_LOCK) == 0
            except OSError:
                pytest.skip("this kernel does not tell whether a buffer's size was set")
            finally:
                sock.close()


def test_an_unknown_one_costs_a_line(new_server, new_client, http_origin):
    """Both programs serve, and each says so once, however many links there are."""
    server = new_server("--congestion", "never-heard-of", "--workers", "2")
    client = new_client(
        http_origin.port, "--congestion", "never-heard-of", "--links", "2", server=server
    )
    server.wait_link(client.name, 2)
    assert fetch(server.port, client.host, "/bytes/10").status == 200
    for program in (server, client):
        lines = [line for line in program.log.splitlines() if REFUSED in line]
        assert len(lines) == 1
        assert "congestion=never-heard-of" in lines[0]
        assert 'instead="the system\'s own"' in lines[0]

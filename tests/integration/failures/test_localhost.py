# SPDX-License-Identifier: MIT
"""Tests that `localhost` needs no resolver: with any /etc/hosts, whichever family the service
listens on, and on a machine without IPv6."""

import contextlib
import socket
import threading

import pytest
from support import netns
from support.netns import Namespace
from support.programs import free_port
from support.viewer import fetch

pytestmark = [
    pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing())),
    pytest.mark.rule("D31"),
]

HOSTS = {
    "empty": "",
    "IPv4 alone": "127.0.0.1 localhost\n",
    "IPv6 alone": "::1 localhost\n",
    "another machine": "192.0.2.1 localhost app.localhost\n2001:db8::1 localhost\n",
    "broken": "127.0.0.1localhost\n:: :: localhost",
}


@contextlib.contextmanager
def listening(family, address):
    """Runs a service that answers every request by the address that it was asked at."""
    with socket.create_server((address, 0), family=family) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.recv(65536)
                        connection.sendall(
                            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                            % (len(address), address.encode())
                        )

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


V4 = (socket.AF_INET, "127.0.0.1")
V6 = (socket.AF_INET6, "::1")


def with_hosts(directory, text):
    """Returns the words of a command that runs a program with @text in /etc/hosts and without a
    name server."""
    hosts, nobody = directory / "hosts", directory / "resolv.conf"
    hosts.write_text(text)
    nobody.write_text("nameserver 192.0.2.53\n")
    mount = (
        'mount --bind "$1" /etc/hosts && { [ ! -e /etc/resolv.conf ] || '
        'mount --bind "$2" /etc/resolv.conf; } && shift 2 && exec "$@"'
    )
    return ("unshare", "--mount", "sh", "-c", mount, "sh", hosts, nobody)


@pytest.mark.parametrize("service", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("text", HOSTS.values(), ids=HOSTS.keys())
def test_any_hosts_file(server, new_client, tmp_path, text, service):
    """The client finds its server by localhost, too."""
    assert "localhost" in server.url
    with listening(*service) as port:
        client = new_client(port, within=with_hosts(tmp_path, text))
        got = fetch(server.port, client.host)
    assert (got.status, got.body) == (200, service[1].encode())


@pytest.mark.parametrize("service", [V4, V6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "app.localhost"])
def test_every_spelling(server, new_client, tmp_path, host, service):
    with listening(*service) as port:
        within = with_hosts(tmp_path, HOSTS["another machine"])
        client = new_client(f"{host}:{port}", within=within)
        got = fetch(server.port, client.host)
    assert (got.status, got.body) == (200, service[1].encode())


def test_nobody_listens(server, new_client, tmp_path):
    client = new_client(free_port(), within=with_hosts(tmp_path, HOSTS["another machine"]))
    got = fetch(server.port, client.host)
    assert (got.status, got.get("Proxy-Status")) == (502, "oneport; error=connection_refused")


@pytest.mark.parametrize("family", [4, 6])
def test_a_machine_with_one_family(ended, new_server, new_client, family):
    """Both fail the same way when the service has ended."""
    space = ended.enter_context(contextlib.closing(Namespace()))
    if family == 4:
        space.set("ipv6/conf/all/disable_ipv6", 1)
    with space.inside():
        server = new_server()
        with listening(*(V4 if family == 4 else V6)) as port:
            client = new_client(port, server=server)
            got = fetch(server.port, client.host)
            assert (got.status, got.body) == (200, V4[1].encode() if family == 4 else b"::1")
        got = fetch(server.port, client.host)
        assert got.get("Proxy-Status") == "oneport; error=connection_refused"

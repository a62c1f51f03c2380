# SPDX-License-Identifier: MIT
"""Tests whose failure it is that no connection to the origin comes about: a machine short of
descriptors, ports or room, a network without a way, a service that is not there. Viewers are told
by the types of RFC 9209 2.3, and what is only short for the moment is waited for."""

import concurrent.futures
import contextlib
import socket
import threading
import time

import pytest
from support import netns
from support.netns import Namespace
from support.programs import SLOW, free_port
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

REQUESTS = 100


def few_descriptors(count):
    """Returns the words of a command that runs a program with @count descriptors."""
    return ("sh", "-c", f'ulimit -n {count} && exec "$@"', "sh")


def together(port, host, paths):
    """Asks for all @paths at the same time. Returns the answers."""
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as pool:
        return list(pool.map(lambda path: fetch(port, host, path, timeout_s=60 * SLOW), paths))


@pytest.mark.rule("F25")
@pytest.mark.parametrize(
    "options", [(), ("--links", "3"), ("--local-host", "127.0.0.1")], ids=["", "links", "address"]
)
def test_more_requests_than_descriptors_wait(server, new_client, http_origin, options):
    client = new_client(http_origin.port, *options, within=few_descriptors(40))
    answers = together(server.port, client.host, ["/delay?s=0.3"] * REQUESTS)
    assert [answer.status for answer in answers] == [200] * REQUESTS
    assert client.program.fds() <= 40
    assert "origin_dials_wait" in client.program.log
    connections = {answer.get("X-Connection") for answer in answers}
    assert len(connections) < REQUESTS  # those who wait get the connections of the others


@pytest.mark.rule("F25")
def test_the_link_comes_back_while_all_descriptors_are_busy(new_server, new_client, http_origin):
    """The last descriptors are kept for everything but connections to the origin."""
    server = new_server()
    client = new_client(http_origin.port, server=server, within=few_descriptors(30))
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            viewer = stack.enter_context(Viewer(server.port))
            viewer.send(head("GET", "/delay?s=2", client.host))
        client.program.wait_output("origin_dials_wait")
        server.kill9()
        server.restart()
    server.wait_link(client.name, 1, 15 * SLOW)
    assert fetch(server.port, client.host, "/echo").status == 200


@pytest.mark.rule("F25")
def test_who_leaves_the_queue_takes_no_place_in_it(server, new_client, scripted):
    """The viewers leave in the queue; then the one behind them is served at once."""
    free, asked = threading.Event(), []

    def serve(connection):
        asked.append(connection.request()[0])
        free.wait(30)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    client = new_client(scripted(serve).port, within=few_descriptors(20))
    with contextlib.ExitStack() as stack:
        first = [stack.enter_context(Viewer(server.port)) for _ in range(30)]
        for viewer in first:
            viewer.send(head("GET", "/first", client.host))
        client.program.wait_output("origin_dials_wait")
        leaving = [stack.enter_context(Viewer(server.port)) for _ in range(10)]
        for viewer in leaving:
            viewer.send(head("GET", "/leaves", client.host))
        for viewer in leaving:
            viewer.reset()  # a FIN would leave each a second (Q46)
        access = server.directory / "access.log"
        wait_until(lambda: access.read_text().count("/leaves") == 10, what="the viewers' ends")
        last = stack.enter_context(Viewer(server.port))
        last.send(head("GET", "/last", client.host))
        free.set()
        assert last.response().status == 200
        assert all(viewer.response().status == 200 for viewer in first)
    assert not any("/leaves" in line for line in asked)


@pytest.mark.rule("F25")
def test_a_full_queue_of_a_unix_socket_is_waited_for(server, new_client, ended, tmp_path):
    """Linux says EAGAIN at once where TCP would wait."""
    path = tmp_path / "origin.sock"
    listener = ended.enter_context(socket.socket(socket.AF_UNIX))
    listener.bind(str(path))
    listener.listen(0)
    client = new_client(f"unix:{path}")

    def accept():
        client.program.wait_output("origin_dials_wait", 20 * SLOW)
        for _ in range(8):
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )

    thread = threading.Thread(target=accept)
    thread.start()
    answers = together(server.port, client.host, ["/"] * 8)
    thread.join()
    assert [answer.status for answer in answers] == [200] * 8


@pytest.mark.full
@pytest.mark.rule("F25")
def test_a_wait_of_30_s_ends(server, new_client, http_origin):
    client = new_client(http_origin.port, within=few_descriptors(20))
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            viewer = stack.enter_context(Viewer(server.port))
            viewer.send(head("GET", "/hang", client.host))
        client.program.wait_output("origin_dials_wait")
        start = time.monotonic()
        got = fetch(server.port, client.host, timeout_s=60)
        assert 29.5 <= time.monotonic() - start <= 32 * SLOW
    assert (got.status, got.get("Retry-After")) == (503, "1")
    assert got.get("Proxy-Status") == "oneport; error=connection_limit_reached"


# ---- in a network of its own
pytest_namespaces = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


@pytest.fixture
def alone(ended, new_server, new_client):
    """Returns alone(origin, *options), which starts both programs in a namespace of their own."""
    space = ended.enter_context(contextlib.closing(Namespace()))

    def start(origin, *options):
        with space.inside():
            client = new_client(origin, *options, server=new_server())
        client.space = space
        return client

    start.space = space
    return start


def ask(client, path="/"):
    with client.space.inside():
        return fetch(client.server.port, client.host, path, timeout_s=40)


ROUTES = [
    ("D10 D30 no network", None, "destination_ip_unroutable"),
    ("D10 D30 unreachable", "unreachable", "destination_ip_unroutable"),
    ("D10 D30 blackhole", "blackhole", "destination_ip_unroutable"),
    ("D10 D30 throw", "throw", "destination_ip_unroutable"),
    ("D10 D30 barred by a rule", "prohibit", "destination_ip_prohibited"),
]


@pytest_namespaces
@pytest.mark.parametrize("address", ["192.0.2.7", "[2001:db8::7]"])
@pytest.mark.parametrize("route,kind", [pytest.param(*rest, id=rule) for rule, *rest in ROUTES])
def test_no_way_to_the_origin(alone, route, kind, address):
    if route:
        bare = address.strip("[]")
        alone.space.ip(f"-{6 if ':' in bare else 4} route add {route} {bare}")
    got = ask(alone(f"{address}:80"))
    if (route, address[0]) == ("blackhole", "["):
        kind = got.get("Proxy-Status").partition("error=")[2]  # Linux has EINVAL for IPv4 alone
        assert kind.startswith("destination_ip_")
    assert (got.status, got.get("Proxy-Status")) == (502, f"oneport; error={kind}")


@pytest_namespaces
@pytest.mark.rule("F25")
def test_more_requests_than_ports_wait(alone):
    """EADDRNOTAVAIL: every port is in use."""
    held, free = [], threading.Event()
    with alone.space.inside():
        listener = socket.create_server(("127.0.0.1", 0))
    client = alone(f"127.0.0.1:{listener.getsockname()[1]}")
    with alone.space.inside():
        viewers = [Viewer(client.server.port) for _ in range(12)]
    alone.space.set("ipv4/ip_local_port_range", "40000 40003")

    def answer(connection):
        connection.recv(4096)
        free.wait(30)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.recv(1)
        connection.close()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                held.append(listener.accept()[0])
                threading.Thread(target=answer, args=held[-1:], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(12) as pool, contextlib.closing(listener):
        for viewer in viewers:
            viewer.send(head("GET", "/", client.host))
        client.program.wait_output("origin_dials_wait")
        free.set()
        assert [got.status for got in pool.map(lambda v: v.response(), viewers)] == [200] * 12


@pytest.mark.rule("D30")
def test_a_refusal_says_more_than_a_family_that_is_missing(server, new_client):
    """Both addresses of localhost were tried, or only one could be."""
    client = new_client(free_port())
    got = fetch(server.port, client.host)
    assert got.get("Proxy-Status") == "oneport; error=connection_refused"


@pytest.mark.rule("D30")
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_connection_that_ends_during_the_handshake(server, new_client, scripted, how):
    """This is no alert of TLS: nobody said one."""

    def serve(connection):
        connection.socket.recv(1)
        if how == "resets":
            connection.reset()

    client = new_client(f"https://127.0.0.1:{scripted(serve).port}", "--allow-invalid-cert")
    got = fetch(server.port, client.host)
    assert (got.status, got.get("Proxy-Status")) == (
        502,
        "oneport; error=connection_terminated",
    )


@pytest.mark.rule("D30")
def test_dns_error_is_of_dns_alone(server, new_client):
    client = new_client("nobody.invalid:80")
    got = fetch(server.port, client.host, timeout_s=20)
    assert got.get("Proxy-Status").partition("error=")[2] in ("dns_error", "connection_timeout")
    wait_until(lambda: "step=DNS" in client.program.log, what="the step")

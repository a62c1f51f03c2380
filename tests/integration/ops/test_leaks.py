# SPDX-License-Identifier: MIT
"""Tests that descriptors and memory return to their level after links, clients and viewers have
come and gone."""

import contextlib
import threading

import pytest
from support.foreign import EMPTY_SETTINGS, attach, register
from support.origins import reply
from support.programs import VARIANT, Client, stable
from support.viewer import Viewer, fetch, head, links
from support.wait import wait_until

MIB = 1 << 20
MEMORY = 2 * MIB


class Level:
    """Notes the descriptors and the memory of programs, and checks later that they have returned to
    that level."""

    def __init__(self, *programs):
        self.programs = programs
        self.fds = [stable(program.fds) for program in programs]
        self.rss = [program.rss() for program in programs]

    def check(self, memory=MEMORY, deadline_s=10.0):
        for program, fds, rss in zip(self.programs, self.fds, self.rss):
            wait_until(
                lambda program=program, fds=fds: program.fds() <= fds,
                deadline_s,
                f"{type(program).__name__}: {program.fds()} descriptors down to {fds}",
            )
            if VARIANT == "release":  # malloc keeps what a burst needed for some seconds
                wait_until(
                    lambda program=program, rss=rss: program.rss() - rss < memory,
                    deadline_s,
                    f"{type(program).__name__}: {(program.rss() - rss) >> 10} KiB more "
                    f"down to {memory >> 10}",
                )


def cycle(server, name, ticket):
    """Opens a link and closes it."""
    viewer, got = attach(server, name, ticket, behind=EMPTY_SETTINGS)
    with viewer:
        assert got.status == 101
        wait_until(lambda: links(server, name) >= 1, what="the link")


CYCLES = [300, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(900)])]


@pytest.mark.parametrize("cycles", CYCLES)
def test_one_name_attaching_and_leaving(new_server, name, cycles):
    server = new_server()
    ticket = register(server, name)["ticket"]
    for _ in range(100):
        cycle(server, name, ticket)
    level = Level(server)
    for _ in range(cycles):
        cycle(server, name, ticket)
    level.check()


@pytest.mark.parametrize("cycles", CYCLES)
def test_names_that_come_and_go(new_server, cycles):
    """Each cycle registers, attaches and leaves under a new name. The grace is short, so that names
    end as well."""
    server = new_server("--name-grace", "100ms")

    def once():
        answer = register(server)
        cycle(server, answer["id"], answer["ticket"])

    for _ in range(100):
        once()
    level = Level(server)
    for _ in range(cycles):
        once()
    wait_until(
        lambda: fetch(server.port, "localhost", "/api/status").json()["tunnels"] == 0,
        15,
        "all names to end",
    )
    level.check()


@pytest.mark.parametrize(
    "cycles", [10, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(600)])]
)
def test_whole_clients(new_server, http_origin, tmp_path, cycles):
    """Each cycle starts oneport, sends a request, and kills or stops it."""
    server = new_server()

    def once(number):
        client = Client(server, http_origin.port, tmp_path, name="comes-and-goes")
        assert fetch(server.port, client.host, "/echo").status == 200
        client.kill9() if number % 2 else client.stop()

    for number in range(4):
        once(number)
    level = Level(server)
    for number in range(cycles):
        once(number)
    level.check()


@pytest.mark.parametrize(
    "cycles", [4, pytest.param(12, marks=[pytest.mark.full, pytest.mark.timeout(600)])]
)
def test_a_client_that_attaches_again_and_again(
    new_server, new_client, new_proxy, http_origin, cycles
):
    """There are few cycles: a client whose links never live long waits longer each time, up to 30
    s."""
    server = new_server()
    proxy = new_proxy(server.port)
    client = new_client(http_origin.port, server=server, url=f"https://localhost:{proxy.port}")

    def once(number):
        proxy.reset()
        server.wait_link(client.name, number + 2, 40)
        assert fetch(server.port, client.host, "/echo").status == 200

    for number in range(2):
        once(number)
    level = Level(server, client)
    for number in range(2, cycles + 2):
        once(number)
    level.check()


@pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=[pytest.mark.full, pytest.mark.timeout(1200)])]
)
def test_half_read_responses(new_server, new_client, http_origin, count):
    """Many responses are left half read, then one is read whole. If credit leaked, the link would
    freeze."""
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def half():
        with Viewer(server.port, receive_buffer=16 << 10) as viewer:
            viewer.send(head("GET", f"/bytes/{4 * MIB}", client.host))
            assert viewer.response_head().status == 200
            viewer.exactly(1000)

    for _ in range(50):
        half()
    level = Level(server, client)
    for _ in range(count):
        half()
    assert len(fetch(server.port, client.host, f"/bytes/{32 * MIB}", timeout_s=30).body) == 32 * MIB
    # Windows of the last responses may still be held. Resets beyond a burst of 900 are sent at 30 a
    # second.
    level.check(16 * MIB, 10 + max(0, count - 800) / 25)


def test_half_sent_uploads(new_server, new_client, http_origin):
    server = new_server()
    client = new_client(http_origin.port, server=server)

    def half():
        with Viewer(server.port) as viewer:
            viewer.send(
                head("POST", "/upload", client.host, "Content-Length: 1000000") + bytes(100_000)
            )

    for _ in range(50):
        half()
    level = Level(server, client)
    for _ in range(300):
        half()
    assert (
        fetch(server.port, client.host, "/upload", method="POST", body=bytes(MIB)).json()["length"]
        == MIB
    )
    level.check(8 * MIB)


def test_viewers_that_send_nothing(new_server):
    server = new_server()
    level = Level(server)
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(Viewer(server.port))
        wait_until(lambda: server.fds() >= level.fds[0] + 500, what="500 connections")
    level.check(8 * MIB)


def test_origins_that_close_each_time(server, shared):
    """The pool keeps nothing of connections that have ended."""
    count = threading.Semaphore(0)

    def serve(connection):
        connection.request()
        connection.send(reply(b"ok", "Connection: close"))
        count.release()

    client = shared(serve)
    for _ in range(20):
        fetch(server.port, client.host)
    level = Level(client)
    for _ in range(200):
        assert fetch(server.port, client.host).status == 200
    level.check()

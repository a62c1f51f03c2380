# SPDX-License-Identifier: MIT
"""Faults with the figures that http-rules.md#fault-table promises for them, where no other file
asks: rows 1, 3, 9, 10, 12, 20, 22, 31."""

import contextlib
import os
import random
import resource
import signal
import time

import pytest
from support.origins import answering
from support.programs import SLOW, stable
from support.viewer import Broken, Viewer, fetch, head, status_soon
from support.wait import wait_until

MIB = 1 << 20


# ---- row 1 ----
@pytest.mark.parametrize(
    "rounds", [8, pytest.param(200, marks=[pytest.mark.full, pytest.mark.timeout(900)])]
)
def test_row_1_a_client_that_is_killed_in_the_middle_of_answers(
    new_server, new_client, http_origin, rounds
):
    """Every viewer's answer breaks off within a second, the name is kept, and no descriptor is left
    behind."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    fds = None
    for number in range(rounds):
        with contextlib.ExitStack() as stack:
            viewers = [
                stack.enter_context(Viewer(server.port, receive_buffer=64 << 10)) for _ in range(4)
            ]
            for viewer in viewers:
                viewer.send(head("GET", f"/bytes/{64 * MIB}", client.host))
                viewer.exactly(random.Random(number).randrange(300, 100_000))
            client.program.kill9()
            start = time.monotonic()
            for viewer in viewers:
                with contextlib.suppress(EOFError, ConnectionError):
                    while True:
                        viewer.some()
            assert time.monotonic() - start < 1.0 * SLOW
        client.start()
        assert status_soon(server.port, client.host, 200, "/echo") == 200
        fds = fds or stable(server.fds)
    wait_until(lambda: server.fds() <= fds, 10, "the descriptors of before")


# ---- rows 3 and 31 ----
def goes_on(server, client):
    """A stopped client whose link was dropped is back within a second of SIGCONT."""
    client.program.signal(signal.SIGCONT)
    start = time.monotonic()
    server.wait_link(client.name, 2, 5)
    assert time.monotonic() - start < 1.0 * SLOW
    assert fetch(server.port, client.host, "/echo").status == 200


def test_row_3_a_client_that_is_stopped_is_dropped_and_comes_back(
    new_server, new_client, http_origin
):
    """Without an answer to PING the link is dropped; the client that goes on sees it and is back
    within a second."""
    server = new_server("--keepalive", "500ms", "--hold", "200ms")
    client = new_client(http_origin.port, server=server)
    client.program.signal(signal.SIGSTOP)
    try:
        server.wait_log(rf"link_lost name={client.name} ", 2)
        assert fetch(server.port, client.host, "/echo").status == 503
    finally:
        goes_on(server, client)


def test_row_31_a_server_that_was_stopped_calls_nobody_dead(new_server, new_client, http_origin):
    """All its deadlines have passed meanwhile; but it was the one that slept."""
    server = new_server("--keepalive", "1s")
    clients = [new_client(http_origin.port, server=server) for _ in range(5)]
    assert {fetch(server.port, client.host, "/echo").status for client in clients} == {200}
    server.program.signal(signal.SIGSTOP)
    time.sleep(4)  # PING and its answer are due after two: time itself is tested
    server.program.signal(signal.SIGCONT)
    assert {fetch(server.port, client.host, "/echo").status for client in clients} == {200}
    assert "link_lost" not in server.log


@pytest.mark.full
def test_row_3_with_the_documented_times(new_server, new_client, http_origin):
    """A minute of SIGSTOP: dropped within 30 s; back within a second of going on."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    client.program.signal(signal.SIGSTOP)
    start = time.monotonic()
    try:
        server.wait_log(rf"link_lost name={client.name} ", 30)
        time.sleep(max(0, 60 - (time.monotonic() - start)))  # time itself is tested
    finally:
        goes_on(server, client)


@pytest.mark.full
@pytest.mark.timeout(120)
@pytest.mark.parametrize("seconds,lost", [(20, False), (40, True)])
def test_row_31_with_the_documented_times(new_server, new_client, http_origin, seconds, lost):
    """Clients bear 25 s of silence: stopped for less oneportd loses none, and for longer all are
    back."""
    server = new_server()
    clients = [new_client(http_origin.port, server=server) for _ in range(5)]
    server.program.signal(signal.SIGSTOP)
    time.sleep(seconds)  # time itself is tested
    server.program.signal(signal.SIGCONT)
    for client in clients:
        server.wait_link(client.name, 1 + lost, 5 * SLOW)
        assert fetch(server.port, client.host, "/echo").status == 200
    assert server.log.count("link_up") == len(clients) * (1 + lost)


# ---- rows 9 and 10 ----
def test_row_9_an_origin_that_sends_its_head_octet_by_octet(shared, new_server):
    """The time of a head is that of the whole head: an octet now and then buys no more of it."""
    server = new_server("--origin-timeout", "1s")

    def serve(connection):
        connection.request()
        for octet in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1000:
            connection.send(bytes([octet]))
            time.sleep(0.1)  # what is slow here is the origin: nothing is waited for

    client = shared(serve, server=server)
    start = time.monotonic()
    got = fetch(server.port, client.host)
    assert (got.status, "http_response_timeout" in got.get("Proxy-Status")) == (504, True)
    assert 0.9 < time.monotonic() - start < 1.0 + 1.0 * SLOW


ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding:"
    b" chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)


def test_row_10_an_origin_that_leaves_after_any_octet(server, shared):
    """Before the whole head it is 502, behind the last octet the answer is whole. Between, it is
    cut, or 502 where its head had not gone on yet."""
    cuts = iter(range(len(ANSWER) + 1))
    client = shared(lambda connection: answering(ANSWER[: next(cuts)])(connection))
    body_at = ANSWER.index(b"\r\n\r\n") + 4
    for cut in range(len(ANSWER) + 1):
        try:
            got = fetch(server.port, client.host)
            seen = got.status if got.status != 200 else got.body
        except (Broken, EOFError, ConnectionError):
            seen = "cut"
        wanted = {502} if cut < body_at else {b"hello"} if cut == len(ANSWER) else {"cut", 502}
        assert seen in wanted, (cut, seen)


# ---- row 12 ----
def slowest_of_100(port, host, seconds, between=lambda: None):
    """The time within which 99 of 100 requests were answered, asked one by one for so long."""
    start, times = time.monotonic(), []
    while time.monotonic() - start < seconds:
        before = time.monotonic()
        assert fetch(port, host, "/echo").status == 200
        times.append(time.monotonic() - before)
        between()
    return sorted(times)[len(times) * 99 // 100]


FIGURE = [pytest.mark.full, pytest.mark.alone, pytest.mark.release_only]


@pytest.mark.parametrize(
    "count,timeout_s,later_s", [(400, 2, 0.1 * SLOW), pytest.param(2000, 15, 0.02, marks=FIGURE)]
)
def test_row_12_half_heads_are_given_up_and_hold_nobody_up(
    new_server, new_client, http_origin, count, timeout_s, later_s
):
    """Viewers that send an octet now and then: 408 at --head-timeout of the whole head, and others
    do not feel them: 99 of 100 requests are answered no more than so much later than without
    them."""
    server = new_server("--head-timeout", f"{timeout_s}s")
    client = new_client(http_origin.port, server=server)
    alone_s = slowest_of_100(server.port, client.host, 0.5)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(Viewer(server.port)) for _ in range(count)]
        start = time.monotonic()
        for viewer in slow:
            viewer.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        beside_s = slowest_of_100(
            server.port,
            client.host,
            0.75 * timeout_s,
            lambda: [viewer.send(b"X") for viewer in slow[::20]],
        )
        assert beside_s - alone_s < later_s, (beside_s, alone_s)
        assert {viewer.response().status for viewer in slow} == {408}
    assert 0.9 * timeout_s < time.monotonic() - start < 2 * timeout_s * SLOW


# ---- row 20 ----
def limit_descriptors(program, count):
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (count, count))


def test_row_20_without_descriptors_viewers_are_told_so(new_server, new_client, http_origin):
    """Those who come then get 503 and not silence, the loop does not spin, and all is well within a
    second of the end."""
    server = new_server("--workers", "1")
    client = new_client(http_origin.port, server=server)
    assert fetch(server.port, client.host, "/echo").status == 200
    with contextlib.ExitStack() as stack:
        limit_descriptors(server.program, server.fds() + 20)
        held = [stack.enter_context(Viewer(server.port)) for _ in range(20)]
        wait_until(lambda: server.fds() >= len(held) + 5, what="the connections")
        for viewer in held:
            viewer.send(b"GET ")
        told = []
        for _ in range(200):
            viewer = stack.enter_context(Viewer(server.port))
            viewer.send(head("GET", "/echo", client.host))
            told.append(viewer)
        answers = [viewer.response() for viewer in told]
        refused = [got for got in answers if got.status == 503]
        assert len(refused) > 150 and {got.status for got in answers} <= {200, 503}
        assert "connection_limit_reached" in refused[0].get("Proxy-Status") and refused[0].get(
            "Retry-After"
        )
        before = server.program.cpu_s()
        time.sleep(1)  # a rate
        assert server.program.cpu_s() - before < 0.05 * SLOW
    start = time.monotonic()
    assert status_soon(server.port, client.host, 200, "/echo") == 200
    assert time.monotonic() - start < 1 + 1 * SLOW
    assert "accept_paused" in server.log


# ---- row 22 ----
def test_row_22_a_log_that_nobody_reads_stops_nothing(
    new_server, new_client, http_origin, tmp_path
):
    """The access log is a pipe whose reader is stuck: lines are dropped, requests are not."""
    pipe = tmp_path / "access.pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        server = new_server("--access-log", pipe)
        client = new_client(http_origin.port, server=server)
        with Viewer(server.port) as viewer:
            for _ in range(1500):  # 64 KiB of pipe are full after some 400
                assert viewer.get(client.host, "/echo").status == 200
        told = fetch(server.port, "localhost", "/api/status").json()["log_dropped"]
        lines = os.read(reader, 1 << 20).count(b"\n")
        assert lines < 1500 and told >= 1500 - lines, (lines, told)
    finally:
        os.close(reader)


def test_row_22_a_full_disk_stops_nothing(new_server, new_client, http_origin):
    """Neither line of the access log nor request is waited for where nothing can be written; that
    is said by the next event."""
    server = new_server("--access-log", "/dev/full")
    client = new_client(http_origin.port, server=server)
    with Viewer(server.port) as viewer:
        for _ in range(200):
            assert viewer.get(client.host, "/echo").status == 200
    client.stop()
    server.wait_log(r"dropped=\d{3,}")

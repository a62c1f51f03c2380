# SPDX-License-Identifier: MIT
"""Tests short absences of the client, the server, the network and the origin: what viewers notice
of them."""

import asyncio
import os
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import pattern
from support.faultproxy import DOWN, UP
from support.origins import accept_websocket, halving, reply
from support.programs import SLOW
from support.viewer import Broken, Viewer, fetch, head, links
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE, close_codes, connect, connect_many, echoes

GONE = 1012  # "service restart": pages connect again after it; 1006 would mean a broken connection
STEADY_S = 1.1  # a link that lived for a second resets the backoff (client/server/backoff.h)


@pytest.fixture
def hangs(shared):
    """Returns a function that starts a tunnel. Its origin answers half of "half", and the other
    half when .go is set."""
    go = threading.Event()

    def start(*options, **keywords):
        client = shared(halving(go), *options, **keywords)
        client.go = go
        return client

    yield start
    go.set()


def begun(server, client):
    """Opens a viewer that has got the first half of the answer."""
    viewer = Viewer(server.port, timeout_s=30)
    viewer.send(head("GET", "/", client.host))
    assert viewer.response_head().status == 200
    assert viewer.exactly(2) == b"ha"
    return viewer


# ---- the client goes ----
@pytest.mark.rule("W8")
def test_kill_9_of_the_client_closes_50_sockets_in_order(server, new_client, websocket_origin):
    client = new_client(websocket_origin.port)

    async def run():
        sockets = await connect_many(client, 50)
        client.kill9()
        return await close_codes(sockets, 2 * SLOW)

    assert asyncio.run(run()) == [GONE] * 50


@pytest.mark.rule("W8")
def test_the_close_is_followed_by_fin_not_by_reset(server, shared):
    client = shared(lambda connection: (accept_websocket(connection), connection.ended()))
    with Viewer(server.port) as viewer:
        assert viewer.get(client.host, "/", *HANDSHAKE).status == 101
        client.kill9()
        frame = viewer.rest()
    assert (
        frame[:1] == b"\x88"
        and frame[2:4] == GONE.to_bytes(2, "big")
        and len(frame) == 2 + frame[1]
    )


@pytest.mark.rule("W8")
def test_in_the_middle_of_a_frame_there_is_no_close_only_fin(server, shared):
    def serve(connection):
        accept_websocket(connection)
        connection.send(b"\x82\x7e\x10\x00begun")  # announces 4,096 bytes
        connection.ended()

    client = shared(serve)
    with Viewer(server.port) as viewer:
        assert viewer.get(client.host, "/", *HANDSHAKE).status == 101
        assert viewer.exactly(9) == b"\x82\x7e\x10\x00begun"
        client.kill9()
        assert viewer.rest() == b""


@pytest.mark.rule("F2")
def test_parked_requests_are_answered_by_the_client_that_returns(server, new_client, http_origin):
    client = new_client(http_origin.port)
    url = client.url
    client.kill9()
    wait_until(lambda: links(server, client.name) == 0, what="the link's end")
    with ThreadPoolExecutor() as pool:
        gets = [pool.submit(fetch, server.port, client.host, f"/echo/{n}") for n in range(20)]
        posts = [
            pool.submit(
                fetch,
                server.port,
                client.host,
                "/upload",
                method="POST",
                body=pattern.pattern(100_000),
            )
            for _ in range(5)
        ]
        client.start()
        assert client.url == url
        assert [answer.result().json()["target"] for answer in gets] == [
            f"/echo/{n}" for n in range(20)
        ]
        assert {answer.result().json()["sha256"] for answer in posts} == {pattern.digest(100_000)}


@pytest.mark.rule("F2")
def test_a_socket_is_opened_by_the_client_that_returns(server, new_client, websocket_origin):
    client = new_client(websocket_origin.port)
    client.kill9()
    wait_until(lambda: links(server, client.name) == 0, what="the link's end")

    async def run():
        opening = asyncio.ensure_future(open_and_echo(client))
        await asyncio.get_running_loop().run_in_executor(None, client.start)
        await opening

    asyncio.run(run())


async def open_and_echo(client):
    async with connect(client) as opened:
        await echoes(opened)


@pytest.mark.rule("F5")
def test_a_request_that_is_running_when_the_client_dies_looks_cut(server, hangs):
    client = hangs()
    with begun(server, client) as viewer:
        client.kill9()
        with pytest.raises((EOFError, ConnectionError)):
            viewer.exactly(2)


@pytest.mark.rule("F4")
def test_a_request_without_answer_when_the_client_dies_is_502(server, shared):
    client = shared(lambda connection: (connection.request(), connection.ended()))
    with Viewer(server.port) as viewer:
        viewer.send(head("POST", "/", client.host, "Content-Length: 1") + b"x")
        client.origin.wait_connections(1)
        client.kill9()
        got = viewer.response()
    assert got.status == 502
    assert "connection_terminated" in got.get("Proxy-Status")


def test_the_client_that_is_stopped_finishes_what_runs(server, hangs):
    client = hangs()
    with begun(server, client) as viewer:
        client.program.signal(signal.SIGTERM)
        assert viewer.silent_for(0.5)  # neither cut nor finished: the client waits
        client.go.set()
        assert viewer.exactly(2) == b"lf"
    client.program.expect_exit(0)


def test_the_client_that_is_stopped_closes_its_sockets_in_order(
    server, new_client, websocket_origin
):
    client = new_client(websocket_origin.port)

    async def run():
        sockets = await connect_many(client, 5)
        client.program.signal(signal.SIGINT)
        return await close_codes(sockets, 8 * SLOW)

    assert asyncio.run(run()) == [GONE] * 5
    client.program.expect_exit(0)


def test_a_paused_client_loses_nothing(server, new_client, http_origin):
    client = new_client(http_origin.port)
    os.kill(client.program.pid, signal.SIGSTOP)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/echo", client.host))
        assert viewer.silent_for(2)
        os.kill(client.program.pid, signal.SIGCONT)
        assert viewer.response().status == 200


# ---- the server goes ----
@pytest.mark.rule("O5", "F2")
def test_kill_9_of_the_server_keeps_url_and_holds_viewers(new_server, new_client, http_origin):
    server = new_server()
    client = new_client(http_origin.port, server=server)
    time_to_save_the_names(server)
    os.kill(client.program.pid, signal.SIGSTOP)  # lets the viewers come first
    server.restart()
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/echo", client.host))
        assert viewer.silent_for(0.5), "not held"
        os.kill(client.program.pid, signal.SIGCONT)
        assert viewer.response().status == 200
    assert client.program.running and client.program.stdout.count("your url is:") == 1


def time_to_save_the_names(server):
    """Waits until the names are saved. The server writes them at most once a second."""
    wait_until(lambda: server.saved_names, 5, "the names to be saved")


@pytest.mark.parametrize(
    "rounds,seconds",
    [(3, 2), pytest.param(20, 5, marks=[pytest.mark.full, pytest.mark.timeout(300)])],
)
def test_the_client_is_back_soon_each_time(new_server, new_client, http_origin, rounds, seconds):
    """Each link lives for a second, so that the client waits only the first delay of its
    backoff."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    up = time.monotonic()
    for _ in range(rounds):
        wait_until(lambda: time.monotonic() - up > STEADY_S, what="the link's second")
        server.restart()
        start = time.monotonic()
        wait_until(lambda: links(server, client.name) == 1, 20 * SLOW, "the client's return")
        up = time.monotonic()
        assert up - start < seconds * SLOW
        assert fetch(server.port, client.host, "/echo").status == 200


def test_a_client_outlives_a_server_that_is_away(new_server, new_client, http_origin):
    server = new_server()
    client = new_client(http_origin.port, server=server)
    server.kill9()
    client.program.wait_output("(?i)refused|retry|again|lost", 5)
    server.start()
    wait_until(lambda: links(server, client.name) == 1, 15 * SLOW, "the client's return")


def test_sigterm_lets_a_running_download_finish(new_server, hangs):
    server = new_server(drain="20s")
    client = hangs(server=server)
    with begun(server, client) as viewer:
        server.program.signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.port), 5, "the listener to close")
        client.go.set()
        assert viewer.exactly(2) == b"lf"
    server.program.expect_exit(0, 5)


def refuses(port):
    """Tells whether the port refuses a connection. While several listeners close, the kernel may
    drop a handshake, but it refuses the next one."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_sigterm_has_a_deadline(new_server, hangs):
    server = new_server(drain="1s")
    with begun(server, hangs(server=server)):
        server.program.signal(signal.SIGTERM)
        server.program.expect_exit(0, 4)


def test_a_second_sigterm_ends_at_once(new_server, hangs):
    server = new_server(drain="60s")
    with begun(server, hangs(server=server)):
        server.program.signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.port), 5, "the listener to close")
        assert server.program.running
        server.program.signal(signal.SIGTERM)
        server.program.judged = True  # the exit code is not specified here
        server.program.wait(2 * SLOW)


def test_sigterm_closes_sockets_in_order(new_server, new_client, websocket_origin):
    server = new_server(drain="20s")
    client = new_client(websocket_origin.port, server=server)

    async def run():
        sockets = await connect_many(client, 20)
        server.program.signal(signal.SIGTERM)
        return await close_codes(sockets, 5 * SLOW)

    assert asyncio.run(run()) == [GONE] * 20
    server.program.expect_exit(0, 5)


def test_a_new_server_takes_over_while_the_old_one_drains(new_server, hangs):
    """The client attaches to the new server before it closes its link to the old one."""
    server = new_server(drain="20s")
    client = hangs(server=server)
    time_to_save_the_names(server)
    with begun(server, client) as viewer:
        old = server.program
        old.signal(signal.SIGTERM)
        wait_until(lambda: refuses(server.port), 5, "the listener to close")
        server.start()
        wait_until(lambda: links(server, client.name) == 1, 10 * SLOW, "the link to the new server")
        assert old.running
        client.go.set()
        assert viewer.exactly(2) == b"lf"
        assert fetch(server.port, client.host).body == b"half"
    old.expect_exit(0, 5)


# ---- the network goes ----
@pytest.fixture
def behind(server, new_client, new_proxy):
    """Returns behind(origin port), which starts a client that reaches the server through a fault
    proxy. The client has the proxy as .proxy."""

    def start(origin, *options, piece=0):
        proxy = new_proxy(server.port, piece)
        client = new_client(origin, *options, url=f"https://localhost:{proxy.port}")
        client.proxy = proxy
        return client

    return start


def test_wifi_change(server, behind, websocket_origin):
    """The client's end of the connection breaks, and the server's end gets nothing. The same
    process attaches again."""
    client = behind(websocket_origin.port)

    async def run():
        sockets = await connect_many(client, 10)
        client.proxy.abandon()
        start = time.monotonic()
        # A request before this may get a 502, because the lost link may have served it.
        server.wait_link(client.name, 2)
        assert time.monotonic() - start < 2 * SLOW
        async with connect(client) as fresh:  # on the new link
            await echoes(fresh)
            assert await close_codes(sockets, 3 * SLOW - (time.monotonic() - start)) == [GONE] * 10
            await echoes(fresh)

    asyncio.run(run())
    assert client.program.running and links(server, client.name) == 1


def test_wifi_change_with_a_half_sent_response(server, behind, http_origin):
    client = behind(http_origin.port)
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/bytes/100000000", client.host))
        assert viewer.response_head().status == 200
        client.proxy.abandon()
        server.wait_link(client.name, 2)
        assert fetch(server.port, client.host, "/echo").status == 200
        with pytest.raises((EOFError, ConnectionError)):
            viewer.exactly(100_000_000)


def test_a_link_that_dies_silently_is_noticed(new_server, new_client, new_proxy, websocket_origin):
    """Nothing passes in either direction. Both sides send a PING after 500 ms of silence and wait
    ten seconds for its answer."""
    server = new_server("--keepalive", "500ms")
    proxy = new_proxy(server.port)
    client = new_client(
        websocket_origin.port,
        "--keepalive",
        "500ms",
        server=server,
        url=f"https://localhost:{proxy.port}",
    )

    async def run():
        sockets = await connect_many(client, 5)
        proxy.freeze()
        start = time.monotonic()
        codes = await close_codes(sockets, 14)
        assert codes == [GONE] * 5, (codes, time.monotonic() - start)
        server.wait_link(client.name, 2, 14)
        async with connect(client) as fresh:
            await echoes(fresh)

    asyncio.run(run())


def test_a_reset_in_between_is_survived(server, behind, http_origin):
    client = behind(http_origin.port)
    for number in range(5):
        client.proxy.reset()
        server.wait_link(client.name, number + 2)
        assert fetch(server.port, client.host, "/echo").status == 200
    assert client.program.running


def test_one_byte_segments(server, behind, http_origin, websocket_origin):
    """No program relies on where a segment ends."""
    client = behind(http_origin.port, piece=1)
    assert fetch(server.port, client.host, "/bytes/20000").body == pattern.pattern(20_000)
    body = pattern.pattern(5000)
    assert fetch(server.port, client.host, "/upload", method="POST", body=body).json()[
        "sha256"
    ] == pattern.digest(5000)
    assert fetch(server.port, client.host, "/trailers").body == b"hello"

    sockets_client = behind(websocket_origin.port, piece=1)
    asyncio.run(open_and_echo(sockets_client))


@pytest.mark.rule("F4", "F5", "H12")
@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("count", [1, 10, 40, 100, 300, 1000, 5000, 20_000])
def test_a_cut_at_any_byte_is_seen(server, behind, http_origin, direction, count):
    """The viewer gets a definite answer or a broken connection, never a 200 with another body. The
    next request is served."""
    client = behind(http_origin.port)
    wait_until(lambda: links(server, client.name) == 1, what="the link")
    size = 30_000
    client.proxy.open_relays[-1].cut_after(direction, count)
    try:
        with Viewer(server.port) as viewer:
            viewer.send(
                head("POST", f"/bytes/{size}", client.host, f"Content-Length: {size}") + bytes(size)
            )
            got = viewer.response()
            if got.status == 200:
                assert got.body == pattern.pattern(size)
            else:
                assert got.status in (502, 503)
    except (Broken, EOFError, ConnectionError):
        pass
    server.wait_link(client.name, 2)
    assert fetch(server.port, client.host, "/bytes/10").body == pattern.pattern(10)


# ---- two clients, one name ----
@pytest.mark.rule("O9", "O20")
def test_two_clients_with_one_ticket_do_not_evict_each_other_for_ever(
    new_server, new_client, scripted
):
    """The second client gets the name. The first one says so and ends."""
    server = new_server()
    first = new_client(
        scripted(lambda c: (c.request(), c.send(reply(b"first")))).port, server=server
    )
    second = new_client(
        scripted(lambda c: (c.request(), c.send(reply(b"second")))).port,
        server=server,
        name=first.name,
        state=first.state,
    )
    assert second.url == first.url
    first.program.expect_exit(2, 15)
    assert "took it over" in first.log
    assert {fetch(server.port, second.host).body for _ in range(5)} == {b"second"}
    assert second.program.running and links(server, second.name) == 1


@pytest.mark.rule("O9", "O20")
def test_what_runs_on_the_first_may_finish(new_server, hangs, new_client, scripted):
    server = new_server()
    first = hangs(server=server)
    with begun(server, first) as viewer:
        new_client(
            scripted(lambda c: (c.request(), c.send(reply(b"second")))).port,
            server=server,
            name=first.name,
            state=first.state,
        )
        first.go.set()
        assert viewer.exactly(2) == b"lf"
    first.program.expect_exit(2, 15)

# SPDX-License-Identifier: MIT
"""Tests the oddities of TCP and its system calls (row 28): bodies arrive as they were sent, in both
directions, on every hop. test_network has small packets."""

import asyncio
import contextlib
import hashlib
import socket

import pytest
from support import oddities, pattern
from support.viewer import Viewer, fetch, head
from support.websocket_viewer import connect
from support.programs import stable
from support.wait import wait_until

KIB = 1 << 10
MIB = 1 << 20


def both_ways(port, host, size, tls=None):
    """Sends bodies of @size down and up, with a length and in chunks."""
    with Viewer(port, tls, timeout_s=60) as viewer:
        for query in ("", "?chunked=1"):
            got = viewer.get(host, f"/bytes/{size}{query}")
            assert (got.status, hashlib.sha256(got.body).hexdigest()) == (200, pattern.digest(size))
        assert viewer.get(host, "/upload", method="POST", body=pattern.pattern(size)).json()[
            "sha256"
        ] == pattern.digest(size)
        viewer.send(head("POST", "/upload", host, "Transfer-Encoding: chunked"))
        for piece in pattern.pieces(size, 7001):
            viewer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        viewer.send(b"0\r\n\r\n")
        assert viewer.response("POST").json()["sha256"] == pattern.digest(size)


# ---- system calls ----
@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if oddities.missing():
        pytest.skip(oddities.missing())
    return oddities.build(tmp_path_factory.mktemp("oddities"))


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 12))]
)
def test_row_28_short_interrupted_and_refused_calls(
    library, new_server, new_client, http_origin, websocket_origin, certificate, seed
):
    """About three of four reads and writes of both programs are short, interrupted or told to
    wait."""
    server = new_server(env=oddities.environment(library, seed))
    plagued = oddities.environment(library, seed + 1000)
    client = new_client(http_origin.port, server=server, env=plagued)
    both_ways(server.port, client.host, 300 * KIB)
    both_ways(server.port, client.host, 300 * KIB, certificate.client_context())
    echo = new_client(websocket_origin.port, server=server, env=plagued)
    message = pattern.pattern(300 * KIB)

    async def run():
        async with connect(echo) as opened:
            await opened.send(message)
            return await opened.recv()

    assert asyncio.run(run()) == message
    assert "link_lost" not in server.log


# ---- segments ----
def test_row_28_one_byte_a_segment(new_server, new_client, new_proxy, http_origin, certificate):
    """Every hop has such segments: viewer, link and origin."""
    server = new_server()
    link, origin, viewers = (
        new_proxy(port, piece=1) for port in (server.port, http_origin.port, server.port)
    )
    client = new_client(origin.port, server=server, url=f"https://localhost:{link.port}")
    both_ways(viewers.port, client.host, 8 * KIB)
    both_ways(viewers.port, client.host, 4 * KIB, certificate.client_context())
    assert max(relay.passed["down"] for relay in link.relays) > 12 * KIB


# ---- endings ----
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_row_28_an_origin_that_resets_behind_its_fin(server, shared, framing):
    """The answer was whole when the FIN came. The reset after it takes nothing away."""
    body = pattern.pattern(20 * KIB)
    answers = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
        % (len(body), body),
        "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body,
    }

    def serve(connection):
        connection.request()
        connection.send(answers[framing])
        connection.socket.shutdown(socket.SHUT_WR)
        connection.reset()

    client = shared(serve)
    for _ in range(20):
        got = fetch(server.port, client.host)
        assert (got.status, got.body == body) == (200, True)


def test_row_28_viewers_that_reset_behind_their_fin(new_server, new_client, http_origin):
    """Viewers reset at any point of a request, an answer and an upload. The server keeps nothing of
    them and serves others."""
    server = new_server()
    client = new_client(http_origin.port, server=server)
    assert fetch(server.port, client.host, "/echo").status == 200
    fds = stable(server.fds)
    request = head("GET", f"/bytes/{MIB}", client.host)
    upload = head("POST", "/upload", client.host, f"Content-Length: {MIB}") + pattern.pattern(
        100 * KIB
    )
    for sent, read in (
        (request[:20], 0),
        (request, 0),
        (request, 1),
        (request, 200 * KIB),
        (upload, 0),
    ):
        for _ in range(5):
            with contextlib.closing(Viewer(server.port)) as viewer:
                viewer.send(sent)
                viewer.exactly(read)
                viewer.socket.shutdown(socket.SHUT_WR)
                viewer.reset()
    both_ways(server.port, client.host, 50 * KIB)
    wait_until(lambda: server.fds() <= fds, what="the descriptors of before")


def test_row_28_a_link_that_is_reset_behind_its_fin(new_server, new_client, new_proxy, http_origin):
    """The server treats it as any other lost link."""
    server = new_server()
    proxy = new_proxy(server.port)
    client = new_client(http_origin.port, server=server, url=f"https://localhost:{proxy.port}")
    for count in range(1, 6):
        server.wait_link(client.name, count)
        for relay in proxy.open_relays:
            for end in (relay.near, relay.far):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_WR)
            relay.reset()
        server.wait_log(f"link_lost name={client.name} ", count=count)
        both_ways(server.port, client.host, 50 * KIB)

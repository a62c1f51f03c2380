# SPDX-License-Identifier: MIT
"""Tests WebSockets through the tunnel, with python3-websockets at both ends."""

import asyncio
import base64
import json
import random
import re
import socket as sockets
import threading
import time

import pytest
import websockets
from support import pattern
from support.origins import accept_websocket, reply
from support.programs import free_port
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_viewer import ACCEPT, HANDSHAKE, close_codes, connect, connect_many, echoes

WAYS = ("direct", "nginx")
SIZES = [0, 1, 2, 125, 126, 127, 4096, 16_383, 16_384, 65_535, 65_536, 100_000, 1 << 20]


@pytest.mark.rule("W7", "W10")
@pytest.mark.parametrize("compression", [None, "deflate"], ids=["plain", "permessage-deflate"])
def test_echo(websocket_tunnel, compression):
    async def run():
        async with connect(websocket_tunnel, compression=compression) as socket:
            assert bool(socket.extensions) == bool(compression)
            for size in SIZES:
                data = pattern.pattern(size)
                await socket.send(data)
                assert await socket.recv() == data
                await socket.send(data.hex())
                assert await socket.recv() == data.hex()

    asyncio.run(run())


def test_echo_over_tls(server, websocket_tunnel, certificate):
    async def run():
        url = f"wss://{websocket_tunnel.host}/"
        async with websockets.connect(
            url,
            host="127.0.0.1",
            port=server.front.port,
            ssl=certificate.client_context(["http/1.1"]),
            max_size=8 << 20,
        ) as socket:
            for size in SIZES:
                await socket.send(pattern.pattern(size))
                assert await socket.recv() == pattern.pattern(size)

    asyncio.run(run())


@pytest.mark.parametrize("count", [pytest.param(1000, marks=pytest.mark.release_only), 100])
def test_many_at_once_on_one_connection(server, websocket_tunnel, way, count):
    """Every WebSocket echoes. Each program has only one descriptor that leads to the other one."""
    dice = random.Random(count)

    async def talk(socket, sizes):
        for size in sizes:
            data = pattern.pattern(size)
            await socket.send(data)
            assert await socket.recv() == data

    async def run():
        sockets = await connect_many(websocket_tunnel, count)
        try:
            program, peer = server.program, websocket_tunnel.program
            if websocket_tunnel.holds_link and way == "direct":
                assert (program.established(peer), peer.established(program)) == (1, 1)
            assert (
                server.fds() >= count and websocket_tunnel.fds() >= count
            )  # they are all really open
            small = [
                [dice.choice([1, 125, 126, 1000, 65_535, 65_536]) for _ in range(3)]
                for _ in sockets
            ]
            await asyncio.gather(*(talk(socket, sizes) for socket, sizes in zip(sockets, small)))
            large = random.Random(count).sample(sockets, 20)
            await asyncio.gather(*(talk(socket, [1 << 20]) for socket in large))
        finally:
            await asyncio.gather(*(socket.close() for socket in sockets))

    asyncio.run(run())


@pytest.mark.rule("W11")
def test_requests_beside_sockets(server, websocket_tunnel, tunnel):
    """oneport answers 200 WebSockets and 100 requests at once. localtunnel stops at ten."""

    async def run():
        sockets = await connect_many(websocket_tunnel, 200)
        loop = asyncio.get_running_loop()
        requests = [
            loop.run_in_executor(None, fetch, server.port, tunnel.host, f"/echo/{n}")
            for n in range(100)
        ]
        for socket in sockets:
            await socket.send("still here")
        assert [await socket.recv() for socket in sockets] == ["still here"] * 200
        assert {answer.status for answer in await asyncio.gather(*requests)} == {200}
        await asyncio.gather(*(socket.close() for socket in sockets))

    asyncio.run(run())


def test_subprotocol(websocket_tunnel):
    async def run():
        async with connect(websocket_tunnel, subprotocols=["unknown", "chat.v1"]) as socket:
            assert socket.subprotocol == "chat.v1"
        async with connect(websocket_tunnel, subprotocols=["other"]) as socket:
            assert socket.subprotocol is None

    asyncio.run(run())


@pytest.mark.rule("W3")
def test_what_the_origin_is_told(websocket_tunnel, way):
    async def run():
        extra = {"Cookie": "sid=1", "X-Own": "2"}
        async with connect(
            websocket_tunnel, "/fields?a=b", origin="http://page.example", extra_headers=extra
        ) as socket:
            return {name.lower(): value for name, value in json.loads(await socket.recv())}

    seen = asyncio.run(run())
    assert seen["host"] == websocket_tunnel.host
    assert (seen["origin"], seen["cookie"], seen["x-own"]) == ("http://page.example", "sid=1", "2")
    hops = ["127.0.0.1"] * (1 if way == "direct" else 2)
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == (", ".join(hops), "http")
    assert seen["upgrade"].lower() == "websocket" and seen["sec-websocket-version"] == "13"


@pytest.mark.rule("W5")
def test_the_key_is_fresh_and_the_accept_is_the_viewers(server, shared):
    keys = []

    def serve(connection):
        connection.request()
        keys.append(connection.get("Sec-WebSocket-Key"))
        connection.send(reply(b"no", status=403))

    client = shared(serve)
    for _ in range(2):
        assert fetch_upgrade(server, client.host).status == 403
    assert len(set(keys)) == 2 and HANDSHAKE[-1].split()[1] not in keys
    assert all(len(base64.b64decode(key)) == 16 for key in keys)


@pytest.mark.rule("W6")
def test_accept_is_computed_from_the_viewers_key(server, websocket_tunnel):
    got = fetch_upgrade(server, websocket_tunnel.host)
    assert (got.status, got.get("Sec-WebSocket-Accept")) == (101, ACCEPT)
    assert got.get("Upgrade").lower() == "websocket" and got.get("Connection").lower() == "upgrade"


def fetch_upgrade(server, host, path="/", *fields):
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", path, host, *HANDSHAKE, *fields))
        return viewer.response()


@pytest.mark.parametrize(
    "code,reason", [(1000, ""), (1001, "going"), (3000, "registered"), (4999, "own " + "x" * 119)]
)
def test_close_codes_of_the_origin_arrive(websocket_tunnel, code, reason):
    async def run():
        async with connect(
            websocket_tunnel, f"/close?code={code}&reason={reason.replace(' ', '%20')}"
        ) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await socket.recv()
            return socket.close_code, socket.close_reason

    assert asyncio.run(run()) == (code, reason)


def test_close_code_of_the_viewer_reaches_the_origin(server, shared):
    frames = []

    def serve(connection):
        accept_websocket(connection)
        frames.append(connection.exactly(2 + 4 + 2))
        connection.send(b"\x88\x02\x0f\xa1")

    client = shared(serve)

    async def run():
        socket = await connect(client)
        await socket.close(4001)

    asyncio.run(run())
    frame = frames[0]
    assert frame[:2] == b"\x88\x82"
    code = bytes(one ^ frame[2 + n % 4] for n, one in enumerate(frame[6:]))
    assert code == (4001).to_bytes(2, "big")


@pytest.mark.parametrize("lost", [False, True], ids=["closed", "link-lost"])
def test_the_log_names_the_request_of_a_websocket_that_ended(
    server, new_client, websocket_origin, lost
):
    """The access line and the client's own line name the request. At that time its head is gone,
    and other requests have used its memory."""
    client = new_client(websocket_origin.port, "--print-requests")
    path = f"/told/{client.name}?" + "q" * 100
    fields = {"User-Agent": "Agent/1.0 (of a test)", "Referer": "https://example.com/from"}

    async def run():
        socket = await connect(client, path, extra_headers=fields)
        for other in await connect_many(client, 20, "/other"):
            await other.close()
        await echoes(socket)
        if lost:
            client.kill9()
            assert await close_codes([socket], 5) == [1012]
        await socket.close()

    asyncio.run(run())
    line = wait_until(
        lambda: [line for line in server.access_log.splitlines() if path in line],
        what="the access line",
    )[0]
    assert (
        f'"GET {path} HTTP/1.1" 101 ' in line
        and ' "https://example.com/from" "Agent/1.0 (of a test)" ' in line
    )
    assert (
        f" host={client.host}" in line
        and f" tunnel={client.name} " in line
        and " websocket " in line
    )
    if lost:
        assert " error=link_lost" in line
    else:
        client.program.wait_output(rf"GET.*{re.escape(path)}.*101", stream="stdout")


REFUSALS = [
    (401, ['WWW-Authenticate: Basic realm="x"'], b"who are you"),
    (302, ["Location: /login"], b""),
    (404, ["Content-Type: text/plain", "X-Own: 1"], b"no socket here, only " + b"x" * 100_000),
    (500, [], b"broken"),
]


@pytest.mark.rule("W5")
@pytest.mark.parametrize("status,fields,body", REFUSALS, ids=[str(row[0]) for row in REFUSALS])
def test_refusals_reach_the_viewer_unchanged(server, shared, status, fields, body):
    def serve(connection):
        connection.request()
        connection.send(reply(body, *fields, status=status))

    got = fetch_upgrade(server, shared(serve).host)
    assert (got.status, got.body) == (status, body)
    for field in fields:
        name, _, value = field.partition(": ")
        assert got.get(name) == value
    assert got.get("Proxy-Status") is None


SMUGGLED = [
    (
        "wrong accept",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: AAAA\r\n\r\n",
    ),
    (
        "no accept",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ),
    (
        "other upgrade",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ),
    ("200", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n"),
]


@pytest.mark.rule("W5")
@pytest.mark.parametrize("raw", [pytest.param(raw, id=label) for label, raw in SMUGGLED])
def test_no_raw_relay_for_anything_but_a_real_accept(server, shared, raw):
    def serve(connection):
        connection.request()
        connection.send(raw)
        connection.ended()

    got = fetch_upgrade(server, shared(serve).host)
    assert got.status == 502


@pytest.mark.rule("W5")
def test_a_protocol_that_was_not_offered_is_refused(server, shared):
    client = shared(
        lambda connection: accept_websocket(connection, "Sec-WebSocket-Protocol: forged")
    )
    assert fetch_upgrade(server, client.host, "/", "Sec-WebSocket-Protocol: chat").status == 502


def test_origin_down(server, new_client):
    assert fetch_upgrade(server, new_client(free_port()).host).status == 502


def test_unknown_name(server):
    assert fetch_upgrade(server, "nobody-here.localhost").status == 404


@pytest.mark.rule("W6")
def test_bytes_right_behind_the_handshake_arrive(server, shared):
    """Both ends may send before they have seen the 101."""
    heard = []

    def serve(connection):
        accept_websocket(connection)
        connection.send(b"\x82\x05early")
        heard.append(connection.exactly(11))

    client = shared(serve)
    masked = b"\x82\x85\x00\x00\x00\x00hello"
    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", client.host, *HANDSHAKE) + masked)
        assert viewer.response().status == 101
        assert viewer.exactly(7) == b"\x82\x05early"
        viewer.ended()
    assert heard == [masked]


@pytest.mark.rule("W7")
@pytest.mark.direct("N15")
def test_fin_is_passed_on_as_fin_each_way(server, shared):
    """One direction ends, and the other one goes on."""

    def serve(connection):
        accept_websocket(connection)
        connection.rest()  # until the viewer's FIN
        connection.send(b"\x82\x04last")

    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(serve).host, *HANDSHAKE))
        assert viewer.response().status == 101
        viewer.socket.shutdown(sockets.SHUT_WR)
        assert viewer.rest() == b"\x82\x04last"


@pytest.mark.rule("W7")
@pytest.mark.direct("N15")
def test_data_behind_a_fin_may_be_long(server, shared):
    """The origin sends more than a window after the viewer's FIN, and its own FIN right after that.
    The stream ends before the connection does, and the server does not touch it again."""
    last = pattern.pattern(400000)

    def serve(connection):
        accept_websocket(connection)
        connection.rest()
        connection.send(last)

    client = shared(serve)
    for _ in range(5):
        with Viewer(server.port) as viewer:
            viewer.send(head("GET", "/", client.host, *HANDSHAKE))
            assert viewer.response().status == 101
            viewer.socket.shutdown(sockets.SHUT_WR)
            assert viewer.rest() == last


@pytest.mark.rule("W7")
@pytest.mark.parametrize("size", [4, 400000])
@pytest.mark.direct("N15")
def test_a_viewer_talks_on_behind_the_fin_of_the_origin(server, shared, size):
    last, heard = pattern.pattern(size), []

    def serve(connection):
        accept_websocket(connection)
        connection.socket.shutdown(sockets.SHUT_WR)
        heard.append(connection.rest())  # until the viewer's FIN

    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(serve).host, *HANDSHAKE))
        assert viewer.response().status == 101
        assert viewer.rest() == b""
        viewer.send(last)
        viewer.socket.shutdown(sockets.SHUT_WR)
        wait_until(lambda: heard, what="the viewer's FIN at the origin")
    assert heard == [last]


@pytest.mark.rule("W7")
@pytest.mark.direct("N15")
def test_reset_of_the_origin_is_no_orderly_end(server, shared):
    def serve(connection):
        accept_websocket(connection)
        connection.exactly(1)
        connection.reset()

    with Viewer(server.port) as viewer:
        viewer.send(head("GET", "/", shared(serve).host, *HANDSHAKE))
        assert viewer.response().status == 101
        viewer.send(b"\x82")
        assert not viewer.ended()


@pytest.mark.release_only
def test_a_socket_stays_quick_beside_bulk(server, websocket_tunnel, tunnel):
    """A round trip on a WebSocket stays short while a download fills the server."""
    stop = threading.Event()

    def download():
        while not stop.is_set():
            fetch(server.port, tunnel.host, f"/bytes/{32 << 20}", timeout_s=60)

    async def run():
        times = []
        async with connect(websocket_tunnel) as socket:
            for number in range(100):
                start = time.perf_counter()
                await socket.send(str(number))
                assert await socket.recv() == str(number)
                times.append(time.perf_counter() - start)
        return sorted(times)[50]

    thread = threading.Thread(target=download)
    thread.start()
    try:
        assert asyncio.run(run()) < 0.1
    finally:
        stop.set()
        thread.join()


@pytest.mark.rule("W10")
def test_extensions_pass_unchanged(server, shared):
    """Extension fields pass unchanged in both directions."""
    offers = []

    def serve(connection):
        connection.request()
        offers.append(connection.get("Sec-WebSocket-Extensions"))
        connection.send(reply(b"", status=400))

    offer = 'permessage-deflate; client_max_window_bits=12, x-own; a="b, c"'
    client = shared(serve, "--host-header", "keep")
    fetch_upgrade(server, client.host, "/", f"Sec-WebSocket-Extensions: {offer}")
    assert [re.sub(r"\s*([;,])\s*", r"\1 ", seen) for seen in offers] == [offer]

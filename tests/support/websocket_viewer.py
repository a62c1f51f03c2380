# SPDX-License-Identifier: MIT
"""Opens viewers' WebSockets to a tunnel, by python3-websockets, which is not our code."""

import asyncio

import websockets

from .programs import SLOW


# A handshake by hand: the sample key of RFC 6455 1.3, and the value that a server must answer.
HANDSHAKE = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def connect(tunnel, path="/", **options):
    options.setdefault("compression", None)
    options.setdefault("open_timeout", 30 * SLOW)
    options.setdefault("close_timeout", 10)
    return websockets.connect(
        f"ws://{tunnel.host}{path}",
        host="127.0.0.1",
        port=tunnel.server.port,
        max_size=8 << 20,
        ping_interval=None,
        **options,
    )


async def connect_many(tunnel, count, path="/"):
    """Returns @count open sockets. Opens a hundred at a time, because all at once would test only
    the listener's backlog."""
    gate = asyncio.Semaphore(100)

    async def opened():
        async with gate:
            return await connect(tunnel, path)

    return await asyncio.gather(*(opened() for _ in range(count)))


async def echoes(socket, message="still here"):
    await socket.send(message)
    assert await asyncio.wait_for(socket.recv(), 10 * SLOW) == message


async def close_codes(sockets, deadline_s):
    """Waits until the deadline at most. Returns the code that each socket was closed with: 1006
    without a Close, None while it is open."""
    waits = [asyncio.ensure_future(socket.wait_closed()) for socket in sockets]
    await asyncio.wait(waits, timeout=deadline_s)
    return [socket.close_code for socket in sockets]

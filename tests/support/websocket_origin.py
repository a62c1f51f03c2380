# SPDX-License-Identifier: MIT
"""Serves WebSockets as an origin, by python3-websockets, which is not our code.

Runs as a program of its own: python3 -m support.websocket_origin [--port N]

    /close?code=N&reason=R    closes at once with that code and reason
    /fields                   sends the fields of the handshake as JSON, then echoes
    anything else             echoes every message; knows the subprotocols chat.v2 and chat.v1, and
                              permessage-deflate if the viewer offers it
"""

import argparse
import asyncio
import json
import urllib.parse

import websockets


async def serve(connection):
    parts = urllib.parse.urlsplit(connection.path)
    query = dict(urllib.parse.parse_qsl(parts.query))
    if parts.path == "/close":
        await connection.close(int(query["code"]), query.get("reason", ""))
        return
    if parts.path == "/fields":
        await connection.send(json.dumps(list(connection.request_headers.raw_items())))
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosedError:
        pass  # some tests cut the tunnel


async def main(port):
    options = {
        "subprotocols": ["chat.v2", "chat.v1"],
        "max_size": 8 << 20,
        "ping_interval": None,
        "backlog": 2048,
    }
    async with websockets.serve(serve, "127.0.0.1", port, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=0)
    asyncio.run(main(options.parse_args().port))

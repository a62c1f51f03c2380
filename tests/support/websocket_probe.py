# SPDX-License-Identifier: MIT
"""Opens one WebSocket over loopback, whatever host the URL has, and prints its first message.

    websocket_probe.py wss://demo.example.com/ws --ca ca.crt
"""

import argparse
import asyncio
import ssl
import urllib.parse

import websockets


async def first_message(url, ca):
    parts = urllib.parse.urlsplit(url)
    secure = {}
    if parts.scheme == "wss":
        secure = {"ssl": ssl.create_default_context(cafile=ca), "server_hostname": parts.hostname}
    port = parts.port or (443 if secure else 80)
    async with websockets.connect(
        url, host="127.0.0.1", port=port, open_timeout=20, **secure
    ) as connection:
        return await asyncio.wait_for(connection.recv(), 20)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("url")
    options.add_argument("--ca")
    given = options.parse_args()
    print(asyncio.run(first_message(given.url, given.ca)))

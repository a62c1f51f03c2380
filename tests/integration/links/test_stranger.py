# SPDX-License-Identifier: MIT
"""Tests a client of another author on another HTTP/2 library. It shows that the protocol needs
nothing that only oneport knows."""

import asyncio
import shutil

import pytest
from support.programs import TOP, Program
from support.viewer import fetch
from support.wait import wait_until
from support.websocket_viewer import connect, echoes

NODE = shutil.which("node")
SCRIPT = TOP / "tests" / "support" / "stranger.mjs"

pytestmark = pytest.mark.skipif(not NODE, reason="node is not installed")


@pytest.fixture
def stranger(server, name, tmp_path, ended):
    class Stranger:
        """This has as much of a Client as the viewers' helpers need."""

        def __init__(self):
            self.server, self.host = server, f"{name}.localhost:{server.port}"
            self.program = Program(
                [NODE, SCRIPT, server.url, name, server.certificate.ca], tmp_path, "stranger"
            )
            self.program.wait_output(
                rf"\Ahttps://{name}\.localhost:{server.port}$", stream="stdout"
            )
            server.wait_link(name, 1)  # before that the name holds nobody (F54)

    stranger = Stranger()
    ended.callback(stranger.program.kill9)
    return stranger


def test_the_stranger_is_short():
    lines = [
        line for line in SCRIPT.read_text().splitlines() if "SPDX-License-Identifier" not in line
    ]
    assert len(lines) <= 60


def test_get(server, stranger):
    for number in range(10):
        got = fetch(server.port, stranger.host, f"/page?{number}")
        assert (got.status, got.body) == (200, b"GET /page?%d served by a stranger\n" % number)


def test_post(server, stranger):
    got = fetch(server.port, stranger.host, "/", method="POST", body=b"x" * 200_000)
    assert (got.status, got.body) == (200, b"x" * 200_000)


def test_websocket(server, stranger):
    async def run():
        async with connect(stranger) as one, connect(stranger) as two:
            for number in range(10):
                await echoes(one, f"one {number}")
                await echoes(two, f"two {number}")

    asyncio.run(run())


def test_the_end_of_the_stranger_is_noticed(server, stranger, name):
    stranger.program.kill9()
    wait_until(
        lambda: fetch(server.port, "localhost", f"/api/tunnels/{name}/status").body.find(
            b'"connected_sockets":1'
        )
        < 0,
        what="the link's end",
    )

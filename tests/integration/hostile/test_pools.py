# SPDX-License-Identifier: MIT
"""Tests that one stranger cannot take a pool from the others: a test for each pool of
http-rules.md#pools, with the attack that would take all of it."""

import contextlib
import select
import statistics
import time

import pytest
from support import addresses, netns
from support.addresses import SERVER, SERVER6
from support.programs import SLOW
from support.wait import wait_until

HALF_A_RECORD = bytes([0x16, 3, 1, 2, 0, 1])
STRANGER, STRANGER6 = "10.9.200.1", "2001:db8:ffff::1"

pytestmark = pytest.mark.skipif(netns.missing() is not None, reason=str(netns.missing()))


@pytest.fixture
def here(ended):
    return ended.enter_context(addresses.Addresses())


@pytest.fixture
def serve(here, new_server):
    """Returns serve(*options), which starts a server that the addresses of `here` reach at one port
    by IPv4 and IPv6, and loopback at its own."""

    def start(*options):
        with here.inside():
            server = new_server(
                "--listen", f"{SERVER}:8443", "--listen", f"[{SERVER6}]:8443", *options
            )
        server.public = 8443
        return server

    return start


def best_times(measure, rounds=3, each=15):
    """Returns the least of @rounds medians of the seconds that measure() takes."""

    def once():
        start = time.monotonic()
        measure()
        return time.monotonic() - start

    return min(statistics.median(once() for _ in range(each)) for _ in range(rounds))


def is_closed(sock):
    if not select.select([sock], [], [], 0)[0]:
        return False
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.rule("F50", "F51", "F53")
@pytest.mark.parametrize(
    "crowd",
    [
        pytest.param([f"10.9.1.{n}" for n in range(1, 9)], id="8 addresses"),
        pytest.param([f"2001:db8:1:{n:x}::1" for n in range(512)], id="a network with 512 /64"),
    ],
)
def test_handshakes(here, serve, certificate, crowd):
    """A crowd begins 512 handshakes and more, and finishes none. The handshakes of others succeed,
    about as fast as without the crowd. The crowd's own handshakes are dropped."""
    server = serve("--attach-timeout", "60s")
    tls = certificate.client_context()

    def shake():
        here.viewer(STRANGER, server.public, tls).close()

    quiet = best_times(shake)
    with contextlib.ExitStack() as stack:
        begun = []
        for number in range(800):
            sock = stack.enter_context(
                contextlib.closing(here.connect(crowd[number % len(crowd)], server.public))
            )
            sock.sendall(HALF_A_RECORD)
            begun.append(sock)
        wait_until(
            lambda: sum(map(is_closed, begun)) >= 800 - 512, 5 * SLOW, "the end of the oldest"
        )
        assert sum(map(is_closed, begun)) <= 800 - 384  # a network has three quarters
        busy = best_times(shake)
        here.viewer(STRANGER6, server.public, tls).close()
        assert busy < 1.2 * quiet + 0.001, (busy, quiet)
    assert server.log.count("handshake_evicted") <= 2 + 60  # a line a second

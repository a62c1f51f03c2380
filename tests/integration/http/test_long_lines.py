# SPDX-License-Identifier: MIT
"""A long line between the two programs: the first body comes at once, because its window fits the
line before a byte has come, and what that costs in memory is bounded."""

import contextlib
import time
import urllib.parse

import pytest
from support.programs import stable
from support.viewer import Viewer, fetch, head
from support.wait import wait_until

WAYS = ("direct", "nginx")

MIB = 1 << 20
WINDOW = 64 << 10
START_MOST = 4 * MIB
ROUND_TRIP_S = 0.5
STATUS = "/api/status"


@pytest.fixture
def far(new_client, new_proxy, http_origin):
    """Returns far(server, round_trip_s), which starts a client behind a line that long."""

    def start(server, round_trip_s=ROUND_TRIP_S):
        proxy = new_proxy(urllib.parse.urlsplit(server.url).port)
        proxy.shape(lag_s=round_trip_s / 2)
        return new_client(http_origin.port, server=server, url=f"https://localhost:{proxy.port}")

    return start


def seconds(server, client, path, **how):
    begun = time.monotonic()
    response = fetch(server.port, client.host, path, **how)
    assert response.status == 200
    return time.monotonic() - begun, response.body


@pytest.mark.rule("F80")
def test_the_first_download_takes_one_round_trip(server, far):
    """A megabyte needs six round trips with windows of 64 KiB that grow. The round trip is that to
    the client, not that to a front end on this machine."""
    client = far(server)
    for _ in range(2):
        took, body = seconds(server, client, f"/bytes/{10**6}")
        assert len(body) == 10**6
        assert ROUND_TRIP_S <= took < 2 * ROUND_TRIP_S


@pytest.mark.rule("F81")
def test_the_first_upload_takes_one_round_trip(server, far):
    """The SETTINGS of oneport open the windows of uploads, as far as its attach call has shown that
    the line is long. With windows that grow by use alone a megabyte needs six round trips."""
    client = far(server)
    for _ in range(2):
        took, _ = seconds(server, client, "/echo", method="POST", body=bytes(10**6))
        assert ROUND_TRIP_S <= took < 2 * ROUND_TRIP_S


@pytest.mark.rule("F80")
def test_line_rate_bounds_the_start(new_server, far):
    """With a line of 2 Mbit/s, 125 kB come in the first round trip, and the rest needs credit."""
    server = new_server("--line-rate", "2m")
    took, _ = seconds(server, far(server), f"/bytes/{10**6}")
    assert took >= 2 * ROUND_TRIP_S


def status(server):
    return fetch(server.port, "localhost", STATUS).json()


def held(server):
    return status(server)["buffered_octets"]


def stall(ended, server, client):
    viewer = ended.enter_context(contextlib.closing(Viewer(server.port, receive_buffer=8 << 10)))
    viewer.send(head("GET", f"/bytes/{1 << 30}", client.host))
    return viewer


@pytest.mark.direct
@pytest.mark.rule("F82")
def test_a_stalled_viewer_costs_its_start(new_server, far, ended):
    """Alone it holds 4 MiB at most. Forty of them hold half of the link's budget and their first
    windows, nobody is given up, and a short answer comes as ever."""
    server = new_server()
    client = far(server, 0.1)
    stall(ended, server, client)
    wait_until(lambda: held(server) > 4 * WINDOW, 20, "more than a window")
    assert stable(lambda: held(server), still_s=1) <= START_MOST
    for _ in range(39):
        stall(ended, server, client)
    assert stable(lambda: held(server), still_s=1) <= 16 * MIB + 40 * WINDOW
    assert status(server)["streams_evicted"] == 0
    assert len(fetch(server.port, client.host, "/bytes/100000").body) == 100000


@pytest.mark.direct
@pytest.mark.rule("F82")
def test_promises_end_with_their_requests(new_server, far, ended):
    """A hundred downloads after each other, and some whose viewers go, leave no promise behind:
    the next one starts as large as the first."""
    server = new_server("--memory-budget", 16 * MIB)
    client = far(server, 0.04)
    for size in (0, 10, WINDOW + 1) * 30:
        fetch(server.port, client.host, f"/bytes/{size}")
    with contextlib.ExitStack() as viewers:
        for _ in range(10):
            stall(viewers, server, client).response_head()
    wait_until(lambda: held(server) == 0, 20, "the viewers to be gone")
    stall(ended, server, client)
    wait_until(lambda: held(server) > 2 * WINDOW, 20, "more than a window")

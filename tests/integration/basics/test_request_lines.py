# SPDX-License-Identifier: MIT
"""What the two programs say of each request: the line of oneportd's access log, with the part of
the time that the request waited for a link (wait_ms), and the line of `oneport --print-requests`,
with status and time. The times lie between what the test itself has measured."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.programs import free_port
from support.viewer import fetch, links
from support.wait import wait_until

DELAY_MS = 300  # of an origin: much longer than anything else takes


class Slow:
    """An origin that answers DELAY_MS after a request has come, with the status that is the last
    part of its path. It knows how long each answer took it."""

    def __init__(self):
        self.took_ms = []

    def serve(self, connection):
        line, _ = connection.request()
        status = line.split(" ")[1].split("/")[-1]
        began = time.monotonic()
        threading.Event().wait(DELAY_MS / 1000)
        self.took_ms.append((time.monotonic() - began) * 1000)
        connection.send(f"HTTP/1.1 {status} Some Reason\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.fixture
def slow():
    return Slow()


class Timed:
    """Asks for @path in a thread, and measures the time."""

    def __init__(self, port, host, path, method="GET"):
        self.began = time.monotonic()
        self.pool = ThreadPoolExecutor(1)
        self.result = self.pool.submit(fetch, port, host, path, method=method, timeout_s=60)

    def status(self):
        return self.result.result(60).status

    def elapsed_ms(self):
        return (time.monotonic() - self.began) * 1000


# ---- --print-requests
@pytest.mark.parametrize("method, status", [("GET", 200), ("DELETE", 404), ("POST", 503)])
def test_a_request_is_printed_with_status_and_time(server, shared, slow, method, status):
    client = shared(slow.serve, "--print-requests")
    asked = Timed(server.port, client.host, f"/printed?q=1/{status}", method)
    assert asked.status() == status
    line = client.program.wait_output(
        rf"^{method} /printed\?q=1/(\d+) (\d+) (\d+)$", stream="stdout"
    )
    assert int(line.group(2)) == status
    assert int(slow.took_ms[0]) <= int(line.group(3)) <= asked.elapsed_ms()


def test_a_request_that_the_client_answers_is_printed_too(server, new_client):
    """Nobody listens at the origin, so the client itself says 502, at once."""
    client = new_client(free_port(), "--print-requests")
    asked = Timed(server.port, client.host, "/refused")
    assert asked.status() == 502
    line = client.program.wait_output(r"^GET /refused (\d+) (\d+)$", stream="stdout")
    assert int(line.group(1)) == 502 and int(line.group(2)) <= asked.elapsed_ms()


def test_without_the_option_nothing_is_printed(server, shared, slow):
    client = shared(slow.serve)
    assert Timed(server.port, client.host, "/silent/200").status() == 200
    client.stop()
    assert client.program.stdout.count("\n") == 1


# ---- wait_ms of the access log
def logged(server, path):
    """Returns status, ms and wait_ms of the request for @path, from either format."""

    def find():
        for line in server.access_log.splitlines():
            if path not in line:
                continue
            if line.startswith("{"):
                got = json.loads(line)
                return got["status"], got["ms"], got["wait_ms"]
            got = re.search(r'" (\d+) \d+ ".* ms=([0-9.]+) wait_ms=([0-9.]+) ', line)
            return int(got.group(1)), float(got.group(2)), float(got.group(3))
        return None

    return wait_until(find, 10, "the access line")


@pytest.fixture(params=["text", "json"])
def holding(request, new_server):
    """A server that holds requests for a minute while their client is away."""
    return new_server("--hold", "60s", "--log-format", request.param)


def leave(server, client):
    client.kill9()
    wait_until(lambda: links(server, client.name) == 0, 10, "the link's end")


def held(server, client):
    path = f"/api/tunnels/{client.name}/status"
    return fetch(server.port, "localhost", path).json()["waiting"] == 1


def test_a_request_that_does_not_wait(holding, shared, slow):
    """The time of the origin is no waiting for a link."""
    client = shared(slow.serve, server=holding)
    asked = Timed(holding.port, client.host, "/no-wait/200")
    assert asked.status() == 200
    status, ms, wait_ms = logged(holding, "/no-wait/200")
    assert status == 200 and slow.took_ms[0] <= ms + 1 and ms <= asked.elapsed_ms() + 1
    assert 0 <= wait_ms <= ms - slow.took_ms[0] + 1


def test_a_request_that_waits_for_its_client(holding, shared, slow):
    """wait_ms is the time until the client is back, and ms that and the origin's."""
    client = shared(slow.serve, server=holding)
    leave(holding, client)
    asked = Timed(holding.port, client.host, "/waits/200")
    wait_until(lambda: held(holding, client), 10, "a held request")
    since = time.monotonic()
    threading.Event().wait(DELAY_MS / 1000)
    waited_ms = (time.monotonic() - since) * 1000
    client.start()
    assert asked.status() == 200
    status, ms, wait_ms = logged(holding, "/waits/200")
    assert status == 200 and ms <= asked.elapsed_ms() + 1
    assert waited_ms - 1 <= wait_ms <= ms - slow.took_ms[0] + 1


@pytest.mark.rule("F2")
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_request_that_waits_in_vain(new_server, shared, slow, form):
    """The whole time was waiting."""
    server = new_server("--hold", f"{DELAY_MS}ms", "--log-format", form)
    client = shared(slow.serve, server=server)
    leave(server, client)
    asked = Timed(server.port, client.host, "/in-vain/200")
    assert asked.status() == 503
    status, ms, wait_ms = logged(server, "/in-vain/200")
    assert status == 503 and DELAY_MS - 1 <= wait_ms <= ms <= asked.elapsed_ms() + 1


def test_a_viewer_that_leaves_while_it_waits(holding, shared, slow):
    client = shared(slow.serve, server=holding)
    leave(holding, client)
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        fetch(holding.port, client.host, "/left/200", timeout_s=DELAY_MS / 1000)
    status, ms, wait_ms = logged(holding, "/left/200")
    assert status == 499
    assert DELAY_MS - 100 <= wait_ms <= ms <= (time.monotonic() - began) * 1000 + 1

# SPDX-License-Identifier: MIT
"""Tests viewers that send a request and leave. The link lives on, the origin's work is bounded,
resets are paced, and an address that does nothing else gets a 429 (rows 13 and 14,
http-rules.md#addresses)."""

import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.foreign import attach, register
from support.frames import PREFACE, RST_STREAM, SETTING_CONNECT, RawPeer, settings
from support.octets import Octets
from support.origins import shut
from support.programs import SLOW
from support.viewer import fetch, head
from support.wait import wait_until

BURST, RATE = 900, 30  # resets that another author's library takes: at once, and a second
ABORTS_RATE = 100  # the aborts a second that an address gets back


class Idle:
    """This origin accepts every connection and answers only /well. It counts its connections."""

    def __init__(self):
        self.most = self.total = 0
        self.open = {}
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.running:
            for key, _ in self.selector.select(0.1):
                self._accept() if key.fileobj is self.listener else self._read(key.fileobj)

    def _accept(self):
        connection, _ = self.listener.accept()
        self.selector.register(connection, selectors.EVENT_READ)
        self.open[connection] = True
        self.total += 1
        self.most = max(self.most, len(self.open))

    def _read(self, connection):
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if data.startswith(b"GET /well "):
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell")
        elif not data:
            self.selector.unregister(connection)
            del self.open[connection]
            connection.close()

    def close(self):
        self.running = False
        self.thread.join(5)
        for connection in [self.listener, *self.open]:
            shut(connection)


def ask_and_leave(port, host, path, *fields):
    """Sends a request and resets the connection. Reads no byte of the answer."""
    viewer = Octets(socket.create_connection(("127.0.0.1", port)))
    viewer.send(head("GET", path, host, *fields))
    viewer.reset()


def test_a_crowd_that_asks_and_leaves(server, new_client, ended):
    """Four threads send requests from many addresses and leave, for two seconds. A slot is free
    only when the origin's connection is done, so the origin never has more requests at a time than
    the client allows streams. A second after the last request it has none."""
    streams = 100
    origin = Idle()
    ended.callback(origin.close)
    client = new_client(origin.port, "--max-streams", streams)
    assert fetch(server.port, client.host, "/well").status == 200
    until = time.monotonic() + 2

    def crowd(number):
        count = 0
        while time.monotonic() < until:
            ask_and_leave(
                server.port, client.host, "/gone", f"X-Forwarded-For: 198.51.{number}.{count % 250}"
            )
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        left = sum(pool.map(crowd, range(4)))
    # One connection may be kept for the next request.
    wait_until(lambda: len(origin.open) <= 1, 1 + 2 * SLOW, "the end of the origin's work")
    # oneportd may read requests of the crowd only now, and they take the slots once more.
    wait_until(
        lambda: fetch(server.port, client.host, "/well").body == b"well",
        1 + 2 * SLOW,
        "an answer to who stays",
    )
    assert left > 500 and origin.most <= streams, (left, origin.most)
    assert f"link_lost name={client.name}" not in server.log
    # A viewer that left before the server accepted it still has an address in the log.
    assert "\nunix - - " not in server.access_log


def test_resets_to_a_third_party_are_paced(server, name):
    """oneportd sends 900 resets at once, then 30 a second, as the libraries of other authors allow.
    A stream that waits for its reset still counts."""
    connection, got = attach(server, name, register(server, name)["ticket"])
    assert got.status == 101 and connection.exactly(len(PREFACE)) == PREFACE
    peer = RawPeer(connection, settings({SETTING_CONNECT: 1}))
    server.wait_link(name, 1)
    host = f"{name}.localhost"
    for _ in range(BURST + 100):
        ask_and_leave(server.port, host, "/")
    start = time.monotonic()
    wait_until(lambda: peer.counts[RST_STREAM] >= BURST, 10 * SLOW, f"{BURST} resets")
    time.sleep(1.5)  # the test measures a rate
    elapsed, count = time.monotonic() - start, peer.counts[RST_STREAM]
    spent = elapsed + 2 * SLOW  # the burst refills while the crowd still sends requests
    assert BURST + RATE <= count <= BURST + RATE * spent, (count, elapsed)
    wait_until(lambda: peer.counts[RST_STREAM] == BURST + 100, 10 * SLOW, "all resets")
    assert peer.settle()
    peer.close()


def test_an_address_that_only_aborts_gets_429(server, new_client, ended):
    """An address may abort 1,000 requests at once and 100 a second. After that its requests get a
    429. Other addresses are served."""
    guilty = "X-Forwarded-For: 203.0.113.9"
    origin = Idle()
    ended.callback(origin.close)
    client = new_client(origin.port)

    def abort(count):
        for _ in range(count):
            ask_and_leave(server.port, client.host, "/gone", guilty)

    def ask(*fields):
        return fetch(server.port, client.host, "/well", *fields)

    def spent():
        abort(500)
        answer = ask(guilty)
        return answer if answer.status == 429 else None

    refusal = wait_until(spent, 10 * SLOW, "429")
    assert int(refusal.get("Retry-After")) >= 1 and "http_request_error" in refusal.get(
        "Proxy-Status"
    )
    assert ask("X-Forwarded-For: 203.0.113.10").status == 200
    assert ask().status == 200  # of nobody known

    start, before = time.monotonic(), origin.total
    abort(3000)
    assert ask("X-Forwarded-For: 203.0.113.11").status == 200
    let_in = origin.total - before
    assert let_in < 10 + ABORTS_RATE * (time.monotonic() - start), let_in


def test_an_address_that_asks_too_often_gets_429(new_server, new_client, http_origin):
    """--viewer-rate limits the requests of an address: so many a second, and ten times as many at
    once. Other addresses are served."""
    server = new_server("--viewer-rate", 2)
    client = new_client(http_origin.port, server=server)
    eager = "X-Forwarded-For: 203.0.113.20"

    def ask(*fields):
        return fetch(server.port, client.host, "/echo", *fields)

    start = time.monotonic()
    answers = [ask(eager) for _ in range(40)]
    served = [answer.status for answer in answers].count(200)
    assert 20 <= served <= 20 + 2 * (time.monotonic() - start) and answers[0].status == 200
    refused = next(answer for answer in answers if answer.status != 200)
    assert (
        refused.status == 429
        and int(refused.get("Retry-After")) >= 1
        and "http_request_error" in refused.get("Proxy-Status")
    )
    assert ask("X-Forwarded-For: 203.0.113.21").status == 200
    assert ask().status == 200  # of nobody known
    wait_until(lambda: ask(eager).status == 200, 4 * SLOW, "its next request")


@pytest.mark.full
@pytest.mark.alone
@pytest.mark.release_only
def test_five_thousand_aborts_a_second(server, new_client, ended):
    """This is row 13 with its figure, for three seconds, or as fast as this machine can. The tunnel
    stays up, and the origin has no work left."""
    streams, seconds = 1000, 3
    origin = Idle()
    ended.callback(origin.close)
    client = new_client(origin.port, "--max-streams", streams)
    assert fetch(server.port, client.host, "/well").status == 200
    start = time.monotonic()
    lead = 0
    for count in range(5000 * seconds):
        ask_and_leave(
            server.port,
            client.host,
            "/gone",
            f"X-Forwarded-For: 198.{count % 40}.100.{count % 250}",
        )
        lead = start + count / 5000 - time.monotonic()
        if lead > 0.01:
            time.sleep(lead)  # no faster than the figure
        if time.monotonic() - start > 10 * seconds:
            break
    wait_until(lambda: len(origin.open) <= 1, 5, "the end of the origin's work")
    assert origin.most <= streams
    assert fetch(server.port, client.host, "/well").body == b"well"
    assert f"link_lost name={client.name}" not in server.log
    print(f"{count / (time.monotonic() - start):.0f} aborts a second")

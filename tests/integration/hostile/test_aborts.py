# SPDX-License-Identifier: MIT
"""Viewers that ask and leave: the link lives, the origin's work is bounded, resets are paced, and
who does nothing else gets 429 (rows 13 and 14, http-rules.md#addresses)."""

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

BURST, RATE = 900, 30  # of resets that a third party's library is sent
ABORTS_RATE = 100  # a second that a viewer's address gets back


class Idle:
    """An origin that takes every connection and answers /well only; how many it has at a time."""

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
    """Does not read a single octet of the answer."""
    viewer = Octets(socket.create_connection(("127.0.0.1", port)))
    viewer.send(head("GET", path, host, *fields))
    viewer.reset()


def test_a_crowd_that_asks_and_leaves(server, new_client, ended):
    """As fast as four threads can for two seconds, from many addresses. A slot is free when the
    origin's connection is done, so the origin never has more at a time than the client allows
    streams; a second after the last one it has none."""
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
    wait_until(
        lambda: len(origin.open) <= 1, 1 + 2 * SLOW, "the end of the origin's work"
    )  # one may be kept for the next request
    # what oneportd has not looked at yet may come behind such a moment, and take the slots once
    # more
    wait_until(
        lambda: fetch(server.port, client.host, "/well").body == b"well",
        1 + 2 * SLOW,
        "an answer to who stays",
    )
    assert left > 500 and origin.most <= streams, (left, origin.most)
    assert f"link_lost name={client.name}" not in server.log
    assert (
        "\nunix - - " not in server.access_log
    )  # whoever was gone before he was looked at has an address all the same


def test_resets_to_a_third_party_are_paced(server, name):
    """900 at once, then 30 a second, as their libraries allow; the streams that wait for theirs are
    still counted."""
    connection, got = attach(server, name, register(server, name)["ticket"])
    assert got.status == 101 and connection.exactly(len(PREFACE)) == PREFACE
    peer = RawPeer(connection, settings({SETTING_CONNECT: 1}))
    server.wait_link(name, 1)
    host = f"{name}.localhost"
    for _ in range(BURST + 100):
        ask_and_leave(server.port, host, "/")
    start = time.monotonic()
    wait_until(lambda: peer.counts[RST_STREAM] >= BURST, 10 * SLOW, f"{BURST} resets")
    time.sleep(1.5)  # what is measured is a rate
    elapsed, count = time.monotonic() - start, peer.counts[RST_STREAM]
    spent = elapsed + 2 * SLOW  # the burst refills while the crowd still asks
    assert BURST + RATE <= count <= BURST + RATE * spent, (count, elapsed)
    wait_until(lambda: peer.counts[RST_STREAM] == BURST + 100, 10 * SLOW, "all resets")
    assert peer.settle()
    peer.close()


def test_who_only_asks_and_leaves_gets_429(server, new_client, ended):
    """An address has 1,000 aborts and gets back 100 a second; whoever asks from it then is told to
    wait. Others are served."""
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


def test_who_asks_too_often_gets_429(new_server, new_client, http_origin):
    """--viewer-rate: so many a second, ten times as many at once, of each address; WebSockets and
    other addresses' requests as well."""
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
    """Row 13 at its figure, for three seconds, or as fast as this machine can: the tunnel stays up
    and the origin comes to rest."""
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
